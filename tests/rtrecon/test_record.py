"""What is recorded can be read at any moment, after a kill too, and when the disk is full."""

import csv
import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rtrecon import growing, lane, record, session_writer
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
import os, signal, threading, numpy as np
from pathlib import Path
from rtrecon.record import Recorder
from rtrecon.types import Geometry, Volume
recorder = Recorder(Path({str(tmp_path)!r}), Geometry((4, 4, 3), np.eye(4), 2.0), {{}})
for n in range(5):
    recorder.volume(Volume(n, np.full((4, 4, 3), n, np.int16)))
recorder._raw.put("", lambda: os.kill(os.getpid(), signal.SIGKILL))
threading.Event().wait()  # as a session would
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
    for file in (first, second, table):
        assert file.rows == len(kept)
        file.close()


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


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may else leave the name of a session and nothing behind it."""
    real, synced = os.fsync, []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_size, (tmp_path / "x.json").exists()))
        real(descriptor)

    monkeypatch.setattr(growing.os, "fsync", fsync)
    replace_file(tmp_path / "x.json", b"whole")
    assert synced == [(5, False)]


def decoded_at(volume: int, trial_type: str = "dog") -> tuple[Decoded, Pattern]:
    trial = Trial(1, trial_type, 4.0, 6.0)
    z, c, scores = np.ones((4, 2, 2), np.float32), np.ones((2, 2), np.float32), np.zeros(2)
    scores = scores.astype(np.float32)
    decoded = Decoded(trial, volume, 5.0, z * volume, c, scores, scores, "dog", 0.5, Times(), 1 / 3)
    return decoded, Pattern(trial, volume, 5.0, np.full(7, volume, np.float32), 1.0)


def drained(recorder: Recorder) -> None:
    """Wait until both threads have written what they were given."""
    for each in (recorder._raw, recorder._derived):
        done = threading.Event()
        each.put("", done.set)
        assert done.wait(20)


def until(condition: Callable[[], object]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


@pytest.fixture(autouse=True)
def _asked_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "RETRY_S", 0.02)


def recorded(recorder: Recorder, n: int) -> None:
    """Give it a volume, a marker, what was decoded, and a picture."""
    recorder.volume(Volume(n, np.full(recorder._arrays["volumes"]._row, n, np.float32)))
    recorder.marker(Marker(Event.TRIAL, f"t{n}", stamp=float(n)))
    decoded, pattern = decoded_at(n)
    recorder.decoded(decoded, pattern)
    picture = np.random.default_rng(n).integers(0, 255, (1, 64, 64, 3), np.uint8)
    recorder.frame(Frame(n, picture, decoded, 1, 4, Times(), str(n), Settings()))


def check_all_there(folder: Path, count: int) -> dict[str, Any]:
    """Every row of every file once and in order; returns what summary.json says of recording."""
    session, numbers = open_session_folder(folder), list(range(count))
    assert [int(row["number"]) for row in session.rows] == numbers
    assert session.volumes[:, 0, 0, 0].tolist() == numbers
    assert [(row, m.trial_type) for row, m in session.markers] == [
        (n + 1, f"t{n}") for n in numbers
    ]
    assert [int(row["volume"]) for row in session.table("trials.tsv")] == numbers
    assert np.load(folder / "z.npy")[:, 0, 0, 0].tolist() == numbers
    assert np.load(folder / "patterns.npy")[:, 0].tolist() == numbers
    assert [int(row["frame"]) for row in session.table("frames.tsv")] == numbers
    pictures = sorted(file.name for file in (folder / "frames").iterdir())
    assert pictures == [f"{n:06d}.png" for n in numbers]
    return json.loads((folder / "summary.json").read_text())["recording"]


def test_a_disk_that_was_full_for_a_while_loses_nothing(
    tmp_path: Path, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(tmp_path, toy_geometry, {})
    recorded(recorder, 0)
    drained(recorder)
    assert recorder.fault == ""
    with files_end_at(700):  # a volume, a picture and soon every array
        for n in range(1, 5):
            recorded(recorder, n)
        until(lambda: recorder.fault)
        assert recorder.fault.startswith("recording fails (File too large): 0 MB wait")
        assert len(open_session_folder(tmp_path).rows) == 1
    recorded(recorder, 5)
    drained(recorder)
    assert recorder.fault == ""
    recorder.summary({"volumes": {}})
    recorder.close()
    told = {"failed_writes": 0, "first_error": "File too large", "lost": []}
    assert check_all_there(tmp_path, 6) == told
    assert f"recording to {tmp_path} fails: File too large" in caplog.text
    assert f"recording to {tmp_path} goes on; lost so far: 0" in caplog.text


def test_what_is_beyond_the_memory_for_it_is_lost_and_numbered(
    tmp_path: Path, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume_bytes = 4 * int(np.prod(toy_geometry.shape))
    monkeypatch.setattr(session_writer, "RAW_BYTES", 3.5 * (volume_bytes + lane._TASK_BYTES))
    recorder = Recorder(tmp_path, toy_geometry, {})
    recorder.volume(Volume(0, np.zeros(toy_geometry.shape, np.float32)))
    until(lambda: recorder.waiting_bytes == 0)
    with files_end_at(700):
        for n in range(1, 6):
            recorder.volume(Volume(n, np.full(toy_geometry.shape, n, np.float32)))
        until(lambda: recorder.fault.startswith("recording fails (File too large)"))
        assert "2 not recorded, the last volume 5" in recorder.fault
    until(lambda: recorder.waiting_bytes == 0)
    assert recorder.fault.startswith("recording again; 2 not recorded, the last volume 5")
    recorder.volume(Volume(6, np.full(toy_geometry.shape, 6, np.float32)))
    recorder.summary({})
    recorder.close()
    session = open_session_folder(tmp_path)
    assert [row["number"] for row in session.rows] == ["0", "1", "2", "3", "6"]
    assert session.volumes[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 6]
    recording = json.loads((tmp_path / "summary.json").read_text())["recording"]
    assert recording["lost"] == ["volume 4", "volume 5"]
    assert recording["failed_writes"] == 2


def test_a_disk_that_stays_full_does_not_keep_the_session_from_ending(
    tmp_path: Path, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "STUCK_S", 0.2)
    recorder = Recorder(tmp_path, toy_geometry, {})
    with files_end_at(700):
        for n in range(3):
            recorder.volume(Volume(n, np.full(toy_geometry.shape, n, np.float32)))
        recorder.close()
    assert "2 not recorded, the last volume 2" in recorder.fault
    assert [row["number"] for row in open_session_folder(tmp_path).rows] == ["0"]


_STUCK = """
import sys, threading
from pathlib import Path
import numpy as np
from rtrecon import growing, lane
from rtrecon.record import Recorder
from rtrecon.types import Event, Geometry, Marker
lane.STUCK_S = 0.05
recorder = Recorder(Path(sys.argv[1]), Geometry((2, 2, 2), np.eye(4), 2.0), {})
growing.disk_write = lambda file, content: threading.Event().wait()
recorder.marker(Marker(Event.RUN_START))
recorder.close()
print(recorder.fault)
"""


def test_a_disk_that_never_answers_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STUCK, str(tmp_path / "s")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "not recorded, the last marker run_start and what followed" in done.stdout


def test_files_whose_handles_have_gone_bad_are_opened_again(
    tmp_path: Path, toy_geometry: Geometry
) -> None:
    """As on a network share that was away: the system knows the old handles no more."""
    recorder = Recorder(tmp_path, toy_geometry, {})
    nothing = os.open(os.devnull, os.O_RDONLY)
    for n in range(3):
        recorded(recorder, n)
        drained(recorder)
        for file in (*recorder._arrays.values(), *recorder._lines.values()):
            os.dup2(nothing, file._file.fileno())
    os.close(nothing)
    recorder.summary({})
    recorder.close()
    assert check_all_there(tmp_path, 3)["first_error"] == "Bad file descriptor"


def test_a_disk_whose_writes_fail_now_and_then_gets_every_row_once(
    tmp_path: Path, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any write may fail, after any part of it was written."""
    rng = np.random.default_rng(0)

    def failing(file: FileIO, content: memoryview) -> int:
        if rng.random() < 0.04:
            file.write(content[: rng.integers(len(content))])
            raise OSError(errno.EIO, "Input/output error")
        return file.write(content[: len(content) // 2 + 1])

    recorder = Recorder(tmp_path, toy_geometry, {})
    with monkeypatch.context() as patched:
        patched.setattr(growing, "disk_write", failing)
        patched.setattr(lane, "RETRY_S", 0.0)
        for n in range(20):
            recorded(recorder, n)
        drained(recorder)
    recorder.summary({})
    recorder.close()
    assert check_all_there(tmp_path, 20)["lost"] == []


def test_a_summary_is_written_when_nothing_else_is_any_more(
    tmp_path: Path, toy_geometry: Geometry
) -> None:
    recorder = Recorder(tmp_path, toy_geometry, {})
    recorded(recorder, 0)
    recorder.withdraw()
    recorder.volume(Volume(1, np.ones(toy_geometry.shape, np.float32)))
    recorder.summary({"withdrawn": True})
    recorder.close()
    assert check_all_there(tmp_path, 1)["lost"] == []


def test_a_slow_disk_is_told_early(
    tmp_path: Path, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_writer, "SLOW_S", 0.1)
    goes_on = threading.Event()
    recorder = Recorder(tmp_path, toy_geometry, {})
    with monkeypatch.context() as patched:
        patched.setattr(
            growing, "disk_write", lambda file, some: (goes_on.wait(20), file.write(some))[1]
        )
        recorder.volume(Volume(0, np.ones(toy_geometry.shape, np.float32)))
        until(lambda: recorder.fault)
        assert recorder.fault.startswith("the disk is slow: 0 MB wait to be recorded, the oldest")
        goes_on.set()
        recorder.close()
    assert recorder.fault == ""
    assert len(open_session_folder(tmp_path).rows) == 1


def test_a_disk_that_stalls_costs_pictures_and_never_volumes(
    tmp_path: Path, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "WAITING_BYTES", 20_000)
    monkeypatch.setattr(session_writer, "SLOW_BYTES", 10_000)
    recorder, stalled = Recorder(tmp_path, toy_geometry, {}), threading.Event()
    for each in (recorder._raw, recorder._derived):
        each.put("", lambda: stalled.wait(20) and None)
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


def test_on_a_small_disk_nothing_is_lost_when_there_is_room_again(
    small_disk: Path, toy_geometry: Geometry
) -> None:
    volume_bytes = 4 * int(np.prod(toy_geometry.shape))
    count = 32_768 // volume_bytes
    ballast = small_disk / "ballast"
    recorder = Recorder(small_disk / "s", toy_geometry, {})
    ballast.write_bytes(bytes(24_576))
    for n in range(count):
        recorder.volume(Volume(n, np.full(toy_geometry.shape, n, np.float32)))
    until(lambda: recorder.fault.startswith("recording fails (No space left on device)"))
    there = len(open_session_folder(small_disk / "s").rows)
    assert 0 < there < count
    ballast.unlink()
    drained(recorder)
    assert recorder.fault == ""
    recorder.summary({})
    recorder.close()
    session = open_session_folder(small_disk / "s")
    assert [int(row["number"]) for row in session.rows] == list(range(count))
    assert session.volumes[:, 0, 0, 0].tolist() == list(range(count))
    recording = json.loads((small_disk / "s" / "summary.json").read_text())["recording"]
    assert (recording["lost"], recording["first_error"]) == ([], "No space left on device")
