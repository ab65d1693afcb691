"""Each thing that keeps a session from starting is made really so, and told with its way out."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shutil import disk_usage
from typing import Any

import numpy as np
import pytest

from rtrecon.__main__ import main
from rtrecon.artifact import Artifact, save_artifact
from rtrecon.check.findings import Finding, lines, ready, red
from rtrecon.check.volumes import check, room, volume_bytes
from rtrecon.config import Session
from rtrecon.errors import BadGenerator
from rtrecon.models import Models
from rtrecon.types import Geometry
from rtrecon.wire import ScannerOutlet

Look = Callable[..., dict[str, Finding]]


@pytest.fixture
def decoder(toy_artifact: Artifact, tmp_path: Path) -> Path:
    save_artifact(toy_artifact, tmp_path / "decoder")
    return tmp_path / "decoder"


@pytest.fixture
def look(decoder: Path, toy_folder: Path, stream_name: str, tmp_path: Path) -> Look:
    """Check a session that fits but for what is said."""

    def look(**other: Any) -> dict[str, Finding]:
        session = Session(
            decoder, stream_name, str(toy_folder), tmp_path / "session", wait_s=3.0,
            fixed={"steps": 2},
        )  # fmt: skip
        with closing(Models()) as models:
            found = list(check(replace(session, **other), models, threading.Event()))
        assert len({finding.name for finding in found}) == len(found)
        return {finding.name: finding for finding in found}

    return look


@pytest.fixture
def scanner(stream_name: str, toy_geometry: Geometry) -> Iterator[ScannerOutlet]:
    outlet = ScannerOutlet(stream_name, toy_geometry)
    yield outlet
    del outlet


def reds(found: dict[str, Finding]) -> list[str]:
    return [name for name, finding in found.items() if finding.ok is False]


def test_all_is_well(look: Look, scanner: ScannerOutlet, tmp_path: Path) -> None:
    found = look()
    assert reds(found) == []
    assert ready(list(found.values()))
    assert all(finding.text for finding in found.values())
    assert "6 x 5 x 4 voxels, TR 2.00 s, replayed at 100 x" in found["stream"].text
    assert found["volume size"].text == "6 x 5 x 4 voxels, as in the calibration"
    assert found["TR"].text == "2 s, as in the calibration"
    assert found["markers"].ok
    assert found["time for a picture"].ok is not False
    assert "of 0.02 s between volumes: 2 steps" in found["time for a picture"].text
    assert abs(float(found["clock"].text.split()[3])) < 100  # ms: it is the same computer
    assert not (tmp_path / "session").exists()  # looking leaves nothing behind


def test_what_is_not_there(look: Look, tmp_path: Path) -> None:
    found = look(decoder=tmp_path / "none", wait_s=0.3)
    assert reds(found) == ["decoder", "stream"]
    assert found["decoder"].way_out == "name a folder that rtrecon-calibrate fit wrote"
    assert "start the scanner's bridge or the simulator" in found["stream"].way_out
    for name in ("volume size", "slice position", "TR", "markers", "disk"):
        assert found[name].ok is None
        assert found[name].text.startswith("not looked at")
    found = look(decoder=Path(), generator="", wait_s=0.1)
    assert found["decoder"].text == "none is chosen"
    assert found["generator"].text == "not looked at: there is no decoder"


def test_a_damaged_decoder(look: Look, decoder: Path) -> None:
    file = decoder / "decoder.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert "decoder" in reds(look(wait_s=0.1))


@pytest.mark.parametrize(
    ("change", "name", "values"),
    [
        ({"shape": (6, 5, 3)}, "volume size", ("6 x 5 x 4", "6 x 5 x 3")),
        ({"tr_s": 1.5}, "TR", ("2 s", "1.5 s")),
        ({"affine": np.diag([-3.0, 3.0, 3.5, 1.0])}, "slice position", ("mm away",)),
    ],
)
def test_a_stream_that_does_not_fit(
    look: Look, stream_name: str, toy_geometry: Geometry,
    change: dict[str, Any], name: str, values: tuple[str, ...],
) -> None:  # fmt: skip
    outlet = ScannerOutlet(stream_name, replace(toy_geometry, **change))
    found = look(generator="no-such-thing")  # for speed
    assert reds(found) == [name, "generator"]
    assert all(value in found[name].text for value in values)
    assert "refit" in found[name].way_out
    del outlet


def test_another_generator_or_none(look: Look, scanner: ScannerOutlet) -> None:
    found = look(generator="miniature")
    assert reds(found) == ["decoder's generator"]
    assert "load the one it was fitted for" in found["decoder's generator"].way_out
    assert found["time for a picture"].text == "not looked at: there is no generator"
    assert reds(look(generator="no-such-thing")) == ["generator"]


def test_an_output_that_cannot_be_written(look: Look, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "session.json").write_text("{}")
    places = {tmp_path / "file" / "session": "cannot be written", tmp_path / "taken": "already"}
    if os.path.ismount("/proc"):
        places[Path("/proc/session")] = "cannot be written"
    for place, said in places.items():
        found = look(output=place, decoder=Path(), generator="", wait_s=0.05)
        assert reds(found) == ["decoder", "stream", "output"]
        assert said in found["output"].text
        assert "folder" in found["output"].way_out


def test_a_disk_that_holds_minutes(tmp_path: Path) -> None:
    free, interval_s = disk_usage(tmp_path).free, 2.0
    for hours, ok in ((0.1, False), (1.0, None), (10.0, True)):
        found = room(tmp_path, int(free / (hours * 3600 / interval_s)), interval_s)
        assert found.ok is ok
        assert f"{hours:.1f} h" in found.text
        assert bool(found.way_out) is not bool(ok)


def test_hours_are_those_of_what_a_volume_takes(
    toy_artifact: Artifact, toy_geometry: Geometry
) -> None:
    assert volume_bytes(toy_geometry) == 6 * 5 * 4 * 4
    decoded = 4 * 4 * 4 + np.prod(toy_artifact.generator.conditioning)
    assert volume_bytes(toy_geometry, toy_artifact) == 480 + 4 * (decoded + 60 + 3)


def test_markers_that_are_lacking_are_no_reason_not_to_start(
    look: Look, stream_name: str, toy_geometry: Geometry
) -> None:
    import pylsl

    from rtrecon.wire import volume_info

    outlet = pylsl.StreamOutlet(volume_info(stream_name, toy_geometry, "scanner"))
    found = look(generator="no-such-thing")
    assert found["markers"].ok is None
    assert "free viewing" in found["markers"].way_out
    assert look(generator="no-such-thing", free_viewing=True)["markers"].ok
    del outlet


def test_what_was_not_foreseen_is_told_and_not_raised(
    look: Look, scanner: ScannerOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("rtrecon.check.volumes.check_tr", fail)
    found = look(generator="no-such-thing")
    assert reds(found) == ["TR", "generator"]
    assert "ZeroDivisionError: by zero" in found["TR"].text


def test_the_way_out_is_what_stands_behind_the_last_colon() -> None:
    told = red("x", BadGenerator("generator 'a': not here: fetch it with: rtrecon fetch a"))
    assert told.text == "generator 'a': not here"
    assert told.way_out == "fetch it with: rtrecon fetch a"


def test_other_rooms_may_look_too(look: Look, scanner: ScannerOutlet) -> None:
    lamp = Finding("lamp", False, "is off", "switch it on")
    session = Session(Path(), "nobody", wait_s=0.1)
    with closing(Models()) as models:
        found = list(check(session, models, threading.Event(), [lambda _: iter([lamp])]))
    assert found[-1] == lamp
    assert lines(lamp)[0].startswith("BAD   lamp")
    assert lines(lamp)[1].strip() == "-> switch it on"


def test_words_from_the_network_do_not_command_a_terminal() -> None:
    hostile = Finding("stream", True, "a\x1b[2Jb\nc")
    assert lines(hostile) == [f"ok    {'stream':<20} a?[2Jb c"]


def test_the_program_says_it_by_its_exit_code(
    decoder: Path, toy_folder: Path, scanner: ScannerOutlet, stream_name: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = ["--decoder", decoder, "--generator", toy_folder, "--stream", stream_name]
    well = ["check", *map(str, arguments), "--output", str(tmp_path / "session")]
    assert main(well) == 0
    told = capsys.readouterr().out
    assert "BAD" not in told
    assert "ok    TR" in told
    assert main([*well, "--stream", "nobody", "--generator", "none", "--wait", "0.1"]) == 1
    assert "BAD   stream" in capsys.readouterr().out


def test_streams_says_what_is_there_and_whether_it_fits(
    decoder: Path, scanner: ScannerOutlet, stream_name: str, toy_geometry: Geometry,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    other = ScannerOutlet(f"{stream_name}-other", replace(toy_geometry, tr_s=1.0))
    assert main(["streams", "--decoder", str(decoder), "--wait", "2"]) == 0
    rows = dict(line.split("\t", 1) for line in capsys.readouterr().out.splitlines())
    assert rows[stream_name].endswith("TR 2.00 s, replayed at 100 x\tmarkers; fits 'sub-toy'")
    assert "does not fit: decoder 'sub-toy' was fitted at a TR of 2 s" in rows[other_name(rows)]
    del other


def other_name(rows: dict[str, str]) -> str:
    return next(name for name in rows if name.endswith("-other"))


def test_a_feedback_protocol_is_looked_at(look: Look, scanner: ScannerOutlet) -> None:
    protocol: dict[str, Any] = {"measure": "probability", "target": "dog"}
    blocks = [{"kind": "rest", "duration_s": 30}, {"kind": "regulate", "duration_s": 45}]
    found = look(tables={"protocol": protocol, "block": blocks})
    told = "probability of dog, 2 blocks in 1:15 min"
    assert found["feedback protocol"] == Finding("feedback protocol", True, told)
    found = look(tables={"protocol": protocol | {"target": "horse"}})
    assert reds(found) == ["feedback protocol"]
    assert found["feedback protocol"].way_out.startswith("must be one of the decoder's candidates")
    assert "feedback protocol" not in look()
