"""What is recorded can be read at any moment, after a kill too, and when the disk is full."""

import csv
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rtrecon import record, session_writer
from rtrecon.config import Settings
from rtrecon.errors import BadConfig
from rtrecon.growing import GrowingArray, GrowingLines, append_together, replace_file
from rtrecon.record import Recorder
from rtrecon.session_folder import open_session_folder
from rtrecon.session_writer import open_folder
from rtrecon.types import (
    Decoded,
    Event,
    Frame,
    Geometry,
    Marker,
    Pattern,
    Phase,
    Status,
    Times,
    Trial,
    Volume,
)
from tests.full_disk import files_end_at


def test_a_growing_array_is_an_npy_file_after_every_row(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(12, 3, 4)).astype(np.float32)
    growing = GrowingArray(tmp_path / "x.npy", (3, 4), np.float32)
    for n, row in enumerate(rows, 1):
        growing.append(row)
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), rows[:n])
    growing.close()


def test_a_row_cut_off_by_a_kill_harms_no_other(tmp_path: Path) -> None:
    growing = GrowingArray(tmp_path / "x.npy", (100,), np.int16)
    growing.append(np.arange(100))
    growing.close()
    with (tmp_path / "x.npy").open("ab") as file:
        file.write(b"half a row")
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.arange(100)[None])


def test_a_killed_recorder_leaves_what_it_was_given(tmp_path: Path) -> None:
    """A process records five volumes and is killed without closing anything."""
    program = f"""
import os, signal, numpy as np
from pathlib import Path
from rtrecon.record import Recorder
from rtrecon.types import Geometry, Volume
recorder = Recorder(Path({str(tmp_path)!r}), Geometry((4, 4, 3), np.eye(4), 2.0), {{}})
for n in range(5):
    recorder.volume(Volume(n, np.full((4, 4, 3), n, np.int16)))
recorder._raw.put("", lambda: os.kill(os.getpid(), signal.SIGKILL))
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == -9
    volumes = np.load(tmp_path / "volumes.npy")
    assert volumes[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert len((tmp_path / "volumes.tsv").read_text().splitlines()) == 6
    assert json.loads((tmp_path / "session.json").read_text())["geometry"]["shape"] == [4, 4, 3]


def test_markers_cannot_break_out_of_a_table(tmp_path: Path, toy_geometry: Geometry) -> None:
    trial = Trial(1, "dog\tcat\nbird", 4.0, 6.0, "../../etc/passwd")
    scores = np.zeros(2, np.float32)
    decoded = Decoded(trial, 3, 5.0, None, np.ones((2, 2), np.float32), scores, scores, "dog", 0.5)
    recorder = Recorder(tmp_path / "s", toy_geometry, {})
    recorder.marker(Marker(Event.TRIAL, trial.trial_type, 4.0, stamp=1.5))
    recorder.decoded(decoded)
    recorder.frame(Frame(1, np.zeros((1, 8, 8, 3), np.uint8), decoded, 1, 4, Times(1, 2, 3, 4, 5)))
    recorder.close()
    with (tmp_path / "s" / "trials.tsv").open(newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert row["trial_type"] == "dog cat bird"
    assert row["confidence"] == "0.500000"
    marker = json.loads((tmp_path / "s" / "markers.jsonl").read_text())
    assert (marker["trial_type"], marker["stamp"]) == ("dog\tcat\nbird", 1.5)
    assert np.load(tmp_path / "s" / "c.npy").shape == (1, 2, 2)
    with Image.open(tmp_path / "s" / "frames" / "000001.png") as picture:
        assert picture.size == (8, 8)


def test_nothing_recorded_is_overwritten(tmp_path: Path, toy_geometry: Geometry) -> None:
    Recorder(tmp_path, toy_geometry, {}).close()
    with pytest.raises(BadConfig, match="already holds a session"):
        open_folder(tmp_path)


@settings(max_examples=60, deadline=None)
@given(ends=st.lists(st.one_of(st.none(), st.integers(0, 700)), max_size=12))
def test_rows_that_belong_together_are_written_all_or_not_at_all(
    ends: list[int | None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The disk ends at any byte of any file, and has room again."""
    folder = tmp_path_factory.mktemp("growing")
    first, second = (
        GrowingArray(folder / f"{name}.npy", shape, np.int16)
        for name, shape in (("a", (20,)), ("b", (3, 2)))
    )
    table = GrowingLines(folder / "t.tsv", "number\ttext")
    kept: list[int] = []
    for n, end in enumerate(ends):
        row = (
            (first, np.full(20, n)), (second, np.full((3, 2), n)), (table, f"{n}\t" + "x" * 40 * n)
        )  # fmt: skip
        try:
            with files_end_at(10**9 if end is None else end):
                append_together(*row)
        except OSError:
            assert end is not None
        else:
            kept.append(n)
        assert np.load(folder / "a.npy")[:, 0].tolist() == kept
        assert np.load(folder / "b.npy")[:, 0, 0].tolist() == kept
        text = (folder / "t.tsv").read_text()
        assert text == "number\ttext\n" + "".join(f"{n}\t{'x' * 40 * n}\n" for n in kept)
    for growing in (first, second, table):
        assert growing.rows == len(kept)
        growing.close()


@pytest.mark.parametrize("end", [0, 1, 100])
def test_a_file_on_a_full_disk_is_replaced_whole_or_not_at_all(tmp_path: Path, end: int) -> None:
    file = tmp_path / "x.json"
    replace_file(file, b"old")
    with files_end_at(end), pytest.raises(OSError, match="too large"):
        replace_file(file, b"new" * 100)
    assert file.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["x.json"]
    with files_end_at(end), pytest.raises(OSError, match="too large"):
        GrowingArray(tmp_path / "y.npy", (3,), np.int16)
    assert not (tmp_path / "y.npy").exists()


def decoded_at(volume: int, trial_type: str = "dog") -> tuple[Decoded, Pattern]:
    trial = Trial(1, trial_type, 4.0, 6.0)
    z, c, scores = np.ones((4, 2, 2), np.float32), np.ones((2, 2), np.float32), np.zeros(2)
    scores = scores.astype(np.float32)
    decoded = Decoded(trial, volume, 5.0, z * volume, c, scores, scores, "dog", 0.5, Times(), 1 / 3)
    return decoded, Pattern(trial, volume, 5.0, np.full(7, volume, np.float32), 1.0)


def drained(recorder: Recorder) -> None:
    """Wait until both threads have written what they were given."""
    for lane in (recorder._raw, recorder._derived):
        done = threading.Event()
        lane.put("", done.set)
        assert done.wait(20)


def test_on_a_full_disk_the_session_goes_on_and_what_is_written_stays(
    tmp_path: Path, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(tmp_path, toy_geometry, {})

    def one(n: int) -> None:
        recorder.volume(Volume(n, np.full(toy_geometry.shape, n, np.float32)))
        recorder.marker(Marker(Event.TRIAL, f"t{n}", stamp=float(n)))
        decoded, pattern = decoded_at(n)
        recorder.decoded(decoded, pattern)
        picture = np.random.default_rng(n).integers(0, 255, (1, 64, 64, 3), np.uint8)
        recorder.frame(Frame(n, picture, decoded, 1, 4, Times(), str(n), Settings()))
        drained(recorder)

    one(0)
    assert recorder.fault == ""
    with files_end_at(700):  # a volume, a picture and soon every array
        one(1)
        one(2)
        assert recorder.fault.startswith("recording fails (File too large)")
    one(3)
    assert "recording again" in recorder.fault
    recorder.summary({"volumes": {}})
    recorder.close()
    session = open_session_folder(tmp_path)
    assert [row["number"] for row in session.rows] == ["0", "3"]
    assert session.volumes[:, 0, 0, 0].tolist() == [0, 3]
    assert [(row, marker.trial_type) for row, marker in session.markers][-1] == (2, "t3")
    trials = [int(row["volume"]) for row in session.table("trials.tsv")]
    assert np.load(tmp_path / "z.npy")[:, 0, 0, 0].tolist() == trials
    assert np.load(tmp_path / "patterns.npy")[:, 0].tolist() == trials
    assert [row["frame"] for row in session.table("frames.tsv")] == ["0", "3"]
    pictures = sorted(file.name for file in (tmp_path / "frames").iterdir())
    assert pictures == ["000000.png", "000003.png"]
    recording = json.loads((tmp_path / "summary.json").read_text())["recording"]
    assert {"volume 1", "volume 2", "frame 1", "frame 2"} <= set(recording["lost"])
    assert recording["failed_writes"] == len(recording["lost"])
    assert recording["first_error"] == "File too large"
    assert f"recording to {tmp_path} fails: File too large" in caplog.text
    assert "not recorded, loss 1: volume 1" in caplog.text


def test_a_disk_that_stalls_costs_pictures_and_never_volumes(
    tmp_path: Path, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "WAITING_BYTES", 20_000)
    monkeypatch.setattr(session_writer, "SLOW_BYTES", 10_000)
    recorder, stalled = Recorder(tmp_path, toy_geometry, {}), threading.Event()
    for lane in (recorder._raw, recorder._derived):
        lane.put("", lambda: stalled.wait(20) and None)
    decoded, _ = decoded_at(1)
    for n in range(40):
        recorder.volume(Volume(n, np.full(toy_geometry.shape, n, np.float32)))
        recorder.frame(Frame(n, np.zeros((1, 16, 16, 3), np.uint8), decoded, 1, 4))
    assert "MB wait to be recorded" in recorder.fault
    stalled.set()
    recorder.summary({})
    recorder.close()
    assert recorder.waiting_bytes == 0
    session = open_session_folder(tmp_path)
    assert [int(row["number"]) for row in session.rows] == list(range(40))
    lost = json.loads((tmp_path / "summary.json").read_text())["recording"]["lost"]
    frames = [row["frame"] for row in session.table("frames.tsv")]
    assert 0 < len(frames) < 40
    assert lost == [f"frame {n}" for n in range(40) if str(n) not in frames]


def test_rejected_volumes_settings_and_status_are_kept(
    tmp_path: Path, toy_geometry: Geometry
) -> None:
    recorder = Recorder(tmp_path, toy_geometry, {})
    recorder.settings(Settings())
    recorder.marker(Marker(Event.RUN_START))
    recorder.volume(Volume(0, np.ones(toy_geometry.shape, np.float32), Times(1.0, 2.0)))
    recorder.volume(
        Volume(1, np.full(toy_geometry.shape, np.nan, np.float32), Times(3.0, 4.0), "not finite")
    )
    recorder.marker(Marker(Event.TRIAL, "lone \ud800 half", 1.0, stamp=5.0))
    recorder.status(Status(Phase.RUNNING, "one\ntwo"))
    few = Settings(steps=2)
    decoded, pattern = decoded_at(1, "lone \ud800 half")
    recorder.decoded(decoded, pattern)
    shown = Frame(1, np.zeros((2, 8, 8, 3), np.uint8), decoded, 1, 4, Times(), "1,2@3", few)
    recorder.settings(few)
    recorder.frame(shown)
    recorder.frame(replace(shown, serial=2, settings=Settings()))
    recorder.frame(replace(shown, serial=3, settings=Settings(seed=9)))  # its swap was not told
    recorder.close()
    session = open_session_folder(tmp_path)
    assert [row["fault"] for row in session.rows] == ["n/a", "not finite"]
    assert np.isnan(session.volumes[1]).all()
    walked = [item.number if isinstance(item, Volume) else item.event for item in session.walk()]
    assert walked == [Event.RUN_START, 0, Event.TRIAL]
    assert [row for row, _ in session.markers] == [0, 2]
    frames = session.table("frames.tsv")
    assert [(row["aims"], row["settings"]) for row in frames] == [
        ("1,2@3", "1"), ("1,2@3", "0"), ("1,2@3", "2"),
    ]  # fmt: skip
    assert (tmp_path / "frames" / "000001_sample-2.png").exists()
    lines = [json.loads(line) for line in (tmp_path / "settings.jsonl").read_text().splitlines()]
    assert [(line["steps"], line["seed"]) for line in lines] == [(4, 0), (2, 0), (4, 9)]
    status = json.loads((tmp_path / "status.jsonl").read_text())
    assert (status["phase"], status["message"]) == ("running", "one\ntwo")
    assert status["counts"]["received"] == 0
    (trial,) = session.table("trials.tsv")
    assert float(trial["reliability"]) == 1 / 3
    np.testing.assert_array_equal(np.load(tmp_path / "patterns.npy"), pattern.voxels[None])


def test_a_folder_that_cannot_be_begun_may_be_named_again(
    tmp_path: Path, toy_geometry: Geometry
) -> None:
    with files_end_at(60), pytest.raises(BadConfig, match="File too large: name another"):
        Recorder(tmp_path, toy_geometry, {})
    Recorder(tmp_path, toy_geometry, {}).close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB; only an administrator may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount here")
    asked = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("a small file system may not be mounted here")
    yield disk
    subprocess.run([mount.replace("mount", "umount"), str(disk)], check=True)


def test_on_a_small_disk_recording_goes_on_when_there_is_room_again(
    small_disk: Path, toy_geometry: Geometry
) -> None:
    ballast = small_disk / "ballast"
    recorder = Recorder(small_disk / "s", toy_geometry, {})
    ballast.write_bytes(bytes(16_384))
    for n in range(200):
        recorder.volume(Volume(n, np.full(toy_geometry.shape, n, np.float32)))
    drained(recorder)
    assert recorder.fault.startswith("recording fails (No space left on device)")
    ballast.unlink()
    recorder.volume(Volume(200, np.full(toy_geometry.shape, 200, np.float32)))
    recorder.summary({})
    recorder.close()
    session = open_session_folder(small_disk / "s")
    numbers = [int(row["number"]) for row in session.rows]
    assert numbers == [*range(len(numbers) - 1), 200]
    assert session.volumes[:, 0, 0, 0].tolist() == numbers
    lost = json.loads((small_disk / "s" / "summary.json").read_text())["recording"]["lost"]
    assert lost == [f"volume {n}" for n in range(len(numbers) - 1, 200)]
