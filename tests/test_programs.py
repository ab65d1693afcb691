"""The programs as a user calls them: exit codes, one line for each mistake, walls."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pylsl
import pytest

from rtrecon.__main__ import main
from rtrecon.artifact import Artifact, save_artifact
from rtrecon.types import Geometry, Volume
from rtrecon.wire import ScannerOutlet
from tests.toy import send, toy_run


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def decoder(toy_artifact: Artifact, tmp_path: Path) -> Path:
    save_artifact(toy_artifact, tmp_path / "decoder")
    return tmp_path / "decoder"


def test_importing_rtrecon_loads_neither_torch_nor_qt() -> None:
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import rtrecon, rtrecon.__main__"],
        capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    loaded = {line.rsplit("|", 1)[-1].strip() for line in listed.splitlines()}
    heavy = ("torch", "diffusers", "transformers", "PySide6", "pyqtgraph")
    assert not [name for name in loaded if name.split(".")[0] in heavy]


@pytest.mark.parametrize("program", ["rtrecon", "calibration", "simulator"])
def test_bad_usage_is_exit_code_2(program: str) -> None:
    done = run(program, "fly")
    assert done.returncode == 2
    assert "usage:" in done.stderr


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the live program in this process; it must fail with one line, which is returned."""
    assert main(["run", "--headless", *map(str, arguments)]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "looking for" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("rtrecon: ")
    return lines[0]


def test_a_missing_decoder_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "name a folder that rtrecon-calibrate fit wrote" in refused(
        capsys, "--decoder", tmp_path / "none"
    )
    assert "no decoder given" in refused(capsys)


def test_a_missing_stream_is_one_line_and_leaves_no_folder(
    capsys: pytest.CaptureFixture[str], decoder: Path, toy_folder: Path, tmp_path: Path
) -> None:
    said = refused(
        capsys, "--decoder", decoder, "--generator", toy_folder, "--stream", "nobody",
        "--wait", 0.5, "--output", tmp_path / "session",
    )  # fmt: skip
    assert "no volume stream 'nobody' within 0.5 s" in said
    assert not (tmp_path / "session").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape": (6, 5, 3)}, "expects volumes of 6 x 5 x 4 voxels"),
        ({"tr_s": 1.0}, "a TR of 2 s"),
        (
            {"affine": [[-3, 0, 0, 14], [0, 3, 0, -8], [0, 0, 3.5, -7], [0, 0, 0, 1]]},
            "slice position",
        ),
    ],
)
def test_a_stream_the_decoder_was_not_fitted_for_is_refused(
    capsys: pytest.CaptureFixture[str],
    decoder: Path,
    toy_folder: Path,
    toy_geometry: Geometry,
    stream_name: str,
    tmp_path: Path,
    change: dict[str, object],
    said: str,
) -> None:
    import numpy as np

    change = {k: np.array(v, float) if k == "affine" else v for k, v in change.items()}
    outlet = ScannerOutlet(stream_name, replace(toy_geometry, **change))  # type: ignore[arg-type]
    line = refused(
        capsys, "--decoder", decoder, "--generator", toy_folder, "--stream", stream_name,
        "--output", tmp_path / "session",
    )  # fmt: skip
    assert said in line
    assert not (tmp_path / "session").exists()
    del outlet


def test_another_generator_or_voxel_count_is_refused(
    capsys: pytest.CaptureFixture[str], decoder: Path
) -> None:
    assert "'miniature' is another" in refused(
        capsys, "--decoder", decoder, "--generator", "miniature"
    )
    about = json.loads((decoder / "decoder.json").read_text())
    about["shape"] = [2, 2, 2]
    (decoder / "decoder.json").write_text(json.dumps(about))
    assert "voxels outside the volume" in refused(capsys, "--decoder", decoder)


def play_into(
    name: str, geometry: Geometry, items: Sequence[object], arguments: Sequence[object]
) -> int:
    """The live program in this process against a real stream; returns its exit code."""
    outlet = ScannerOutlet(name, geometry)

    def scan() -> None:
        assert outlet.wait_for_receiver(30.0)
        send(outlet, iter(items), pylsl.local_clock())  # type: ignore[arg-type]

    scanner = threading.Thread(target=scan)
    scanner.start()
    code = main(["run", "--headless", "--stream", name, *map(str, arguments)])
    scanner.join(timeout=30)
    return code


def test_a_scanner_killed_in_mid_run_leaves_a_complete_folder(
    capsys: pytest.CaptureFixture[str],
    decoder: Path,
    toy_folder: Path,
    toy_geometry: Geometry,
    stream_name: str,
    tmp_path: Path,
) -> None:
    half = [i for i in toy_run(toy_geometry, 20) if not isinstance(i, Volume) or i.number < 12][:-1]
    session = tmp_path / "session"
    code = play_into(
        stream_name, toy_geometry, half,
        ["--decoder", decoder, "--generator", toy_folder, "--output", session, "--until-idle", 1],
    )  # fmt: skip
    assert code == 0
    assert capsys.readouterr().err.count("is silent since volume 11") == 1
    assert json.loads((session / "summary.json").read_text())["volumes"]["received"] == 12
    assert (session / "contact_sheet.png").stat().st_size > 1000
    assert "ended as --until-idle says" in (session / "log.txt").read_text()
