"""A session computed anew is the same to the bit, and what is not is named."""

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pylsl
import pytest
from PIL import Image

from rtrecon.__main__ import main
from rtrecon.artifact import Artifact, save_artifact
from rtrecon.config import Session
from rtrecon.pipeline import Pipeline, show_headless
from rtrecon.session import open_session
from rtrecon.types import Geometry
from rtrecon.verify import verify
from rtrecon.wire import ScannerOutlet
from tests.live import rows
from tests.toy import send, toy_run


def show(pipeline: Pipeline, outlet: ScannerOutlet, geometry: Geometry, seed: int = 0) -> None:
    shower = threading.Thread(target=show_headless, args=(pipeline,))
    shower.start()
    assert outlet.wait_for_receiver(10.0)
    send(outlet, toy_run(geometry, 40, seed), pylsl.local_clock())
    shower.join(timeout=60)


@pytest.fixture(scope="module")
def recorded(
    toy_artifact: Artifact,
    toy_folder: Path,
    toy_geometry: Geometry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A live session of the real pipeline, and its decoder beside it."""
    room = tmp_path_factory.mktemp("room")
    save_artifact(toy_artifact, room / "decoder")
    outlet = ScannerOutlet("scanner-verify", toy_geometry)
    session = Session(
        room / "decoder", "scanner-verify", str(toy_folder), output=room / "session",
        fixed={"steps": 4, "samples": 2, "preview": True},
    )  # fmt: skip
    with open_session(session, toy_artifact, threading.Event()) as pipeline:
        show(pipeline, outlet, toy_geometry)
    return room


@pytest.fixture
def room(recorded: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(recorded, tmp_path / "room")
    return tmp_path / "room"


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, list[str]]:
    """Exit code, table and lines of complaint of `rtrecon verify`."""
    code = main(["verify", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err.splitlines()


def test_a_recorded_session_is_the_same_today(
    recorded: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, table, complaints = said(capsys, recorded / "session", "--generator", toy_folder)
    assert (code, complaints) == (0, [])
    verdict = verify(recorded / "session", generator=str(toy_folder))
    compared = {check.name: check.compared for check in verdict.checks}
    decoded = len(rows(recorded / "session" / "trials.tsv"))
    shown = len(rows(recorded / "session" / "frames.tsv"))
    assert decoded > 10
    assert shown > 3
    assert compared == {
        "trials.tsv": decoded, "patterns.npy": decoded, "z.npy": decoded, "c.npy": decoded,
        "probabilities.npy": decoded, "frames": 2 * shown,
    }  # fmt: skip
    assert verdict.notes == []
    assert table.count("none") == 6


def test_one_value_by_one_step_of_its_last_bit_is_named(
    room: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    z = np.load(room / "session" / "z.npy", mmap_mode="r+")
    z[7, 1, 2, 3] = np.nextafter(z[7, 1, 2, 3], np.float32(np.inf))
    z.flush()
    row = rows(room / "session" / "trials.tsv")[7]
    code, table, complaints = said(capsys, room / "session", "--no-frames")
    assert code == 1
    (line,) = complaints
    assert f"z.npy row 7 (trial {row['trial']}, volume {row['volume']})" in line
    assert "element [1, 2, 3]" in line
    verdict = verify(room / "session", frames=False)
    (z_check,) = [check for check in verdict.checks if check.different]
    assert (z_check.name, z_check.different) == ("z.npy", 1)
    assert 0 < z_check.largest < 2e-7
    assert "z.npy" in table


def test_one_pixel_is_named(
    room: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = rows(room / "session" / "frames.tsv")[2]["frame"]
    file = room / "session" / "frames" / f"{int(frame):06d}.png"
    with Image.open(file) as picture:
        pixels = np.array(picture)
    pixels[5, 6, 1] ^= 1
    Image.fromarray(pixels).save(file)
    code, _, complaints = said(capsys, room / "session", "--generator", toy_folder)
    assert code == 1
    assert f"frames {file.name}" in complaints[0]
    assert "element [5, 6, 1]" in complaints[0]


def test_a_cell_of_a_table_is_named(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = room / "session" / "trials.tsv"
    lines = file.read_text().splitlines()
    other = {"cat": "dog", "dog": "noise", "noise": "cat"}
    cells = lines[4].split("\t")
    place = lines[0].split("\t").index("predicted")
    cells[place] = other[cells[place]]
    file.write_text("\n".join([*lines[:4], "\t".join(cells), *lines[5:]]) + "\n")
    code, _, complaints = said(capsys, room / "session", "--no-frames")
    assert code == 1
    assert "trials.tsv row 3" in complaints[0]
    assert "predicted" in complaints[0]


def test_a_missing_decoder_is_one_line(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (room / "decoder").rename(room / "elsewhere")
    code, _, complaints = said(capsys, room / "session", "--no-frames")
    assert code == 1
    assert len(complaints) == 1
    assert "decoder 'decoder'" in complaints[0]
    assert "--decoder DIR" in complaints[0]
    code, _, _ = said(capsys, room / "session", "--no-frames", "--decoder", room / "elsewhere")
    assert code == 0


def test_another_decoder_is_told(
    room: Path, toy_artifact: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    save_artifact(toy_artifact.control(), room / "decoder")
    code, table, complaints = said(capsys, room / "session", "--no-frames")
    assert code == 1
    assert len(complaints) == 1
    assert "is another" in table.splitlines()[0]


def test_the_same_weights_under_another_description_are_told(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = room / "decoder" / "decoder.json"
    about = json.loads(file.read_text())
    about["confidence"]["temperature"] *= 2
    file.write_text(json.dumps(about))
    code, table, complaints = said(capsys, room / "session", "--no-frames")
    assert code == 1
    assert "another decoder.json" in table.splitlines()[0]
    assert "trials.tsv row 0" in complaints[0]


def test_a_decoder_of_another_scanner_is_one_line(
    room: Path, toy_artifact: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    about = json.loads((room / "decoder" / "decoder.json").read_text())
    about["tr_s"] = 1.0
    (room / "decoder" / "decoder.json").write_text(json.dumps(about))
    code, _, complaints = said(capsys, room / "session", "--no-frames")
    assert code == 1
    assert len(complaints) == 1
    assert "TR" in complaints[0]


def test_other_versions_are_told_and_are_no_difference(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = room / "session" / "session.json"
    about = json.loads(file.read_text())
    about["versions"]["numpy"] = "0.9"
    file.write_text(json.dumps(about))
    code, table, _ = said(capsys, room / "session", "--no-frames")
    assert code == 0
    assert table.startswith("numpy was 0.9, is ")


@pytest.mark.parametrize("summary", [None, {"kept_by": {"why": "it was killed"}}])
def test_a_killed_session_is_compared_as_far_as_it_is_whole(
    summary: object, room: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = room / "session"
    (folder / "summary.json").unlink()
    if summary is not None:
        (folder / "summary.json").write_text(json.dumps(summary))
    frames = sorted((folder / "frames").glob("*.png"))
    for file, lost in (
        (folder / "volumes.npy", 700), (folder / "z.npy", 100), (folder / "trials.tsv", 3),
        (folder / "markers.jsonl", 5), (folder / "frames.tsv", 10), (frames[0], 40),
    ):  # fmt: skip
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size - lost)
    code, table, complaints = said(capsys, folder, "--generator", toy_folder)
    assert (code, complaints) == (0, [])
    assert "was killed" in table
    assert "not whole" in table
    compared = {c.name: c.compared for c in verify(folder, frames=False).checks}
    assert compared["z.npy"] > 10
