"""XDF files: written, cut, recorded from real streams, and read by pyxdf and by us."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
import pyxdf
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon import wire
from rtrecon.errors import BadDataset
from rtrecon.types import Event, Geometry, Marker, Volume
from rtrecon.xdf import DTYPES, XdfWriter
from rtrecon.xdf_recorder import XdfRecorder
from rtrecon.xdf_runs import items
from tests.toy import toy_run

Chunk = tuple[int, list[float], Any]


def header(fmt: str, channels: int) -> str:
    return (
        f"<?xml version='1.0'?><info><name>{fmt}</name><type>T</type><channel_count>{channels}"
        f"</channel_count><nominal_srate>0</nominal_srate><channel_format>{fmt}</channel_format>"
        "<desc/></info>"
    )


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[tuple[str, int]], list[Chunk]]:
    """Streams (format, channels), and chunks of them in any order."""
    kind = st.tuples(st.sampled_from([*DTYPES, "string"]), st.integers(1, 3))
    streams = draw(st.lists(kind, min_size=1, max_size=4))
    chunks: list[Chunk] = []
    for number in draw(st.lists(st.integers(0, len(streams) - 1), max_size=6)):
        fmt, channels = streams[number]
        count = draw(st.sampled_from([1, 2, 5, 300]))
        stamps = draw(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=4))
        values: Any
        if fmt == "string":
            texts = [*draw(st.lists(st.text(max_size=20), min_size=1, max_size=3)), "ß" * 200]
            values = [[texts[(i + c) % len(texts)] for c in range(channels)] for i in range(count)]
        else:
            size = count * channels * np.dtype(DTYPES[fmt]).itemsize
            raw = draw(st.binary(min_size=8, max_size=64))
            values = np.frombuffer((raw * size)[:size], DTYPES[fmt]).reshape(count, channels)
        chunks.append((number, (stamps * count)[:count], values))
    return streams, chunks


class Killed(BaseException):
    """Nothing is done any more after this."""


class Dying(io.BytesIO):
    """A file whose writer is killed in mid-write, after so many bytes."""

    def __init__(self, lives: int | None) -> None:
        super().__init__()
        self.lives = lives

    def write(self, content: Any) -> int:
        if self.lives is not None:
            if len(content) > self.lives:
                super().write(content[: self.lives])
                raise Killed
            self.lives -= len(content)
        return super().write(content)


def write(
    streams: list[tuple[str, int]], chunks: list[Chunk], lives: int | None = None
) -> tuple[bytes, int, int]:
    """The file, and how many streams and chunks were whole."""
    file, begun, done = Dying(lives), 0, 0
    try:
        writer = XdfWriter(file)
        for number, (fmt, channels) in enumerate(streams):
            writer.stream(number, header(fmt, channels))
            begun += 1
        for chunk in chunks:
            writer.samples(*chunk)
            done += 1
            writer.boundary()
        for number in range(len(streams)):
            writer.footer(number)
    except Killed:
        pass
    return file.getvalue(), begun, done


def assert_holds(data: bytes, streams: list[tuple[str, int]], chunks: list[Chunk]) -> None:
    """By pyxdf; to the bit."""
    read, _ = pyxdf.load_xdf(io.BytesIO(data), synchronize_clocks=False, dejitter_timestamps=False)
    assert [entry["info"]["stream_id"] for entry in read] == list(range(len(streams)))
    for number, ((fmt, _), entry) in enumerate(zip(streams, read, strict=True)):
        own = [chunk for chunk in chunks if chunk[0] == number]
        stamps = np.array([stamp for _, these, _ in own for stamp in these])
        assert np.asarray(entry["time_stamps"]).tobytes() == stamps.tobytes()
        if fmt == "string":
            assert entry["time_series"] == [row for *_, rows in own for row in rows]
        elif own:
            written = np.concatenate([values for *_, values in own])
            assert entry["time_series"].dtype == written.dtype
            assert entry["time_series"].tobytes() == written.tobytes()


@given(recordings())
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_by_pyxdf_to_the_bit(
    recording: tuple[list[tuple[str, int]], list[Chunk]],
) -> None:
    streams, chunks = recording
    data, _, done = write(streams, chunks)
    assert done == len(chunks)
    assert_holds(data, streams, chunks)


@given(recordings(), st.integers(4, 100_000))
@settings(max_examples=100, deadline=None)
def test_a_kill_at_any_byte_keeps_every_whole_chunk(
    recording: tuple[list[tuple[str, int]], list[Chunk]], lives: int
) -> None:
    streams, chunks = recording
    size = len(write(streams, chunks)[0])
    data, begun, done = write(streams, chunks, 4 + lives % size)
    assert_holds(data, streams[:begun], chunks[:done])


def test_a_full_disk_leaves_whole_chunks() -> None:
    class Full(io.BytesIO):
        def write(self, content: Any) -> int:
            if self.tell() + len(content) > 2000:
                super().write(content[: 2000 - self.tell()])
                raise OSError(28, "No space left on device")
            return super().write(content)

    file = Full()
    writer = XdfWriter(file)
    writer.stream(0, header("int16", 2))
    writer.samples(0, [1.0], [[1, 2]])
    with pytest.raises(OSError, match="No space"):
        writer.samples(0, [2.0] * 300, np.zeros((300, 2)))
    assert_holds(file.getvalue(), [("int16", 2)], [(0, [1.0], np.array([[1, 2]], np.int16))])


def recorded(path: Path, geometry: Geometry, name: str = "scan") -> list[Volume | Marker]:
    """A recording of a run with losses, without LSL; what was sent."""
    sent = [
        item
        for item in toy_run(geometry, 12)
        if not (isinstance(item, Volume) and item.number in {4, 5})
    ]
    with path.open("wb", buffering=0) as file:
        writer = XdfWriter(file)
        writer.stream(7, wire.volume_info(name, geometry, "x").as_xml())
        writer.stream(2, wire.marker_info(name, "x").as_xml())
        stamp = 1000.0
        writer.clock_offset(7, 1000.0, -900.0)
        writer.clock_offset(2, 1000.0, -900.00002)  # no two measurements agree better
        for item in sent:
            if isinstance(item, Volume):
                stamp = 1000.0 + item.end_s(geometry.tr_s) / geometry.speed
                writer.samples(7, [stamp], wire.sample_of(item.number, item.data, geometry))
            else:
                if item.event is Event.TRIAL:
                    stamp = 1000.0 + item.onset_s / geometry.speed
                writer.samples(2, [stamp], [[wire.text_of(item)]])
    return sent


def assert_same(read: list[Volume | Marker], sent: list[Volume | Marker]) -> None:
    assert len(read) == len(sent)
    for a, b in zip(read, sent, strict=True):
        if isinstance(b, Volume):
            assert isinstance(a, Volume)
            assert a.number == b.number
            np.testing.assert_array_equal(a.data, b.data)
        else:
            assert isinstance(a, Marker)
            assert wire.text_of(a) == wire.text_of(b)


def test_a_recording_is_read_as_what_came(tmp_path: Path, toy_geometry: Geometry) -> None:
    sent = recorded(tmp_path / "a.xdf", toy_geometry)
    geometry, read = items(tmp_path / "a.xdf")
    assert (geometry.shape, geometry.tr_s, geometry.speed, geometry.dtype) == (
        toy_geometry.shape, toy_geometry.tr_s, toy_geometry.speed, toy_geometry.dtype,
    )  # fmt: skip
    np.testing.assert_array_equal(geometry.affine, toy_geometry.affine)
    assert_same(read, sent)
    acquired = [item.times.acquired for item in read if isinstance(item, Volume)]
    numbers = np.array([0, 1, 2, 3, 6, 7, 8, 9, 10, 11])
    np.testing.assert_allclose(acquired, 100 + (numbers + 1) * 0.02, atol=1e-9)


def test_a_recording_cut_anywhere_is_read_up_to_there(
    tmp_path: Path, toy_geometry: Geometry
) -> None:
    sent = recorded(tmp_path / "a.xdf", toy_geometry)
    data = (tmp_path / "a.xdf").read_bytes()
    most = 0
    for cut in range(len(data) - 1, 0, -97):
        (tmp_path / "cut.xdf").write_bytes(data[:cut])
        try:
            _, read = items(tmp_path / "cut.xdf")
        except BadDataset as error:
            assert "\n" not in str(error)
            continue
        assert_same(read, sent[: len(read)])
        most = max(most, len(read))
    assert most >= len(sent) - 1


@given(at=st.integers(0, 1 << 20), value=st.binary(min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_a_damaged_recording_is_one_line_or_what_is_whole(
    tmp_path_factory: pytest.TempPathFactory, toy_geometry: Geometry, at: int, value: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    recorded(folder / "a.xdf", toy_geometry)
    data = bytearray((folder / "a.xdf").read_bytes())
    at %= len(data) - len(value)
    data[at : at + len(value)] = value
    (folder / "b.xdf").write_bytes(data)
    try:
        items(folder / "b.xdf")
    except BadDataset as error:
        assert "\n" not in str(error)


def test_a_marker_without_an_onset_gets_it_from_the_volumes_around(
    tmp_path: Path, toy_geometry: Geometry
) -> None:
    """A stamped word, one before any volume and one between volumes 3 and 6."""
    file = tmp_path / "a.xdf"
    recorded(file, toy_geometry)
    with file.open("r+b", buffering=0) as opened:
        opened.seek(0, io.SEEK_END)
        appended = io.BytesIO()
        writer = XdfWriter(appended)
        writer.stream(2, wire.marker_info("scan", "x").as_xml())
        begin = appended.tell()
        writer.samples(2, [1000.007, 1000.125], [["dog"], ["cat"]])
        opened.write(appended.getvalue()[begin:])
    _, read = items(file)
    onsets = {m.trial_type: m.onset_s for m in read if isinstance(m, Marker) and not m.stim_file}
    assert onsets["dog"] == pytest.approx(0.7, abs=0.01)
    assert onsets["cat"] == pytest.approx(12.5, abs=0.01)


def test_two_volume_streams_are_told_apart_by_name(tmp_path: Path, toy_geometry: Geometry) -> None:
    recorded(tmp_path / "a.xdf", toy_geometry)
    data = (tmp_path / "a.xdf").read_bytes()
    extra = io.BytesIO()
    writer = XdfWriter(extra)
    begin = extra.tell()
    writer.stream(9, wire.volume_info("other", toy_geometry, "y").as_xml())
    (tmp_path / "b.xdf").write_bytes(data + extra.getvalue()[begin:])
    with pytest.raises(BadDataset, match="'scan', 'other'"):
        items(tmp_path / "b.xdf")
    assert len(items(tmp_path / "b.xdf", "scan")[1]) > 10
    assert items(tmp_path / "b.xdf", "other")[1] == []
    with pytest.raises(BadDataset, match="one volume stream 'nobody'"):
        items(tmp_path / "b.xdf", "nobody")


@pytest.mark.parametrize("content", [b"", b"no", b"\x1f\x8bzip", b"XDF:"])
def test_what_is_no_recording_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xdf").write_bytes(content)
    with pytest.raises(BadDataset, match="cannot be read as an XDF recording"):
        items(tmp_path / "a.xdf")
    with pytest.raises(BadDataset, match="No such file"):
        items(tmp_path / "none.xdf")


SHIFT_S = 1000
LOST = {3, 4, 9}
SCANNER = f"""
import json, sys
import numpy as np, pylsl
from rtrecon.types import Geometry
from rtrecon.wire import ScannerOutlet
name = sys.argv[1]
geometry = Geometry((6, 5, 4), np.eye(4), 2.0, "int16", 20.0)
outlet = ScannerOutlet(name, geometry)
eyes = pylsl.StreamOutlet(pylsl.StreamInfo(name + "-eyes", "Gaze", 2, 100, "double64", name + "-eyes"))
assert outlet._volumes.wait_for_consumers(20) and eyes.wait_for_consumers(20)
start = pylsl.local_clock()
stamps = []
for number in range(12):
    if number not in {LOST}:
        stamps.append(start + (number + 1) * 0.1)
        outlet.send_volume(number, np.full((6, 5, 4), number) + np.arange(4), stamps[-1])
looks = [start + n / 100 for n in range(120)]
for n, stamp in enumerate(looks):
    eyes.push_sample([n / 7, -n / 7], stamp)
print(json.dumps({{"volumes": stamps, "eyes": looks}}), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("shift_s", [0, SHIFT_S])
def test_streams_of_two_clocks_are_put_on_one_by_pyxdf(
    stream_name: str, tmp_path: Path, shift_s: int
) -> None:
    """Volumes (with losses) and gaze of a computer whose clock is ahead, markers of this one."""
    command = [sys.executable, "-c", SCANNER, stream_name]
    if shift_s:
        ahead = ["unshare", "-Ur", "-T", "--monotonic", str(shift_s)]
        if not shutil.which("unshare") or subprocess.run([*ahead, "true"], check=False).returncode:
            pytest.skip("this machine cannot give a program another clock (time namespaces)")
        command = ahead + command
    answers = f"{stream_name}-answers"
    info = pylsl.StreamInfo(answers, "Markers", 1, 0, "string", "elsewhere")
    markers = pylsl.StreamOutlet(info)
    file = tmp_path / "session.xdf"
    recorder = XdfRecorder(file, stream_name)
    scanner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert markers.wait_for_consumers(20)
        marked = pylsl.local_clock()
        markers.push_sample(["ein Hund: Ää"], marked)
        assert scanner.stdout is not None
        told = json.loads(scanner.stdout.readline())
        recorder.close()
    finally:
        scanner.communicate(timeout=20)
        recorder.close()
    del markers
    streams, _ = pyxdf.load_xdf(file)  # as everybody does: clocks together, dejitter on
    by_name = {entry["info"]["name"][0]: entry for entry in streams}
    volumes, eyes = by_name[stream_name], by_name[f"{stream_name}-eyes"]
    numbers = [n for n in range(12) if n not in LOST]
    np.testing.assert_array_equal(volumes["time_series"][:, 0], numbers)
    expected = np.add.outer(numbers, np.repeat(np.arange(4), 30))  # i fastest: k is the slowest
    np.testing.assert_array_equal(volumes["time_series"][:, wire.HEADER :], expected)
    assert volumes["time_series"].dtype == np.int16
    np.testing.assert_allclose(
        volumes["time_stamps"], np.array(told["volumes"]) - shift_s, atol=1e-3
    )
    np.testing.assert_array_equal(eyes["time_series"][:, 0], np.arange(120) / 7)
    np.testing.assert_allclose(eyes["time_stamps"], np.array(told["eyes"]) - shift_s, atol=1e-3)
    (marker,) = by_name[answers]["time_series"]
    assert marker == ["ein Hund: Ää"]
    np.testing.assert_allclose(by_name[answers]["time_stamps"], [marked], atol=1e-3)


def test_a_file_that_cannot_be_written_is_told_and_nothing_more(
    stream_name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "session.xdf").write_text("there already")
    recorder = XdfRecorder(tmp_path / "session.xdf", stream_name)
    assert not recorder.wait_for(stream_name, 20)
    recorder.close()
    assert "no XDF recording" in caplog.text
    assert (tmp_path / "session.xdf").read_text() == "there already"
