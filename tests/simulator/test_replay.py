"""What was recorded comes again as it came: real LSL streams into a real receiver."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import inf, nan
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtrecon.errors import BadConfig, BadDataset, StreamMissing
from rtrecon.receive import Receiver
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Event, Geometry, Marker, Times, Volume
from rtrecon.wire import marker_info, marker_stream, sample_of, text_of, volume_info
from rtrecon.xdf import XdfWriter
from simulator import outlets, pace
from simulator.__main__ import main
from simulator.faults import parse_faults
from simulator.pace import MAX_SPEED, WINDOW, Clock, Pace
from simulator.recording import Items, Looped, Place, of_session, open_recording, parse_place, seek
from simulator.scanner import play
from simulator.schedule import schedule
from tests.live import Live
from tests.toy import NAMES, send, toy_run, toy_volumes

Item = Volume | Marker
TR_S = 2.0


@pytest.fixture
def lab() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def heard(
    lab: ThreadPoolExecutor,
    stream: str,
    scan: Callable[[], object],
    take: Callable[[Item], object] = lambda item: None,
) -> tuple[list[Item], Receiver]:
    """What a receiver passes on of what is played meanwhile."""
    scanning = lab.submit(scan)
    receiver = Receiver(stream, 20.0, 20.0, threading.Event())
    items = []
    for item in receiver:
        if not getattr(item, "fault", ""):  # what is for the record alone
            items.append(item)
        take(item)
    receiver.close()
    scanning.result(30)
    return items, receiver


def told(items: Iterator[Item] | list[Item]) -> list[object]:
    """Items as values that can be compared, without their stamps."""
    return [
        (i.number, i.data.tobytes()) if isinstance(i, Volume) else text_of(i)
        for i in items
    ]  # fmt: skip


def write_session(folder: Path, geometry: Geometry, items: list[tuple[Item, str]]) -> Path:
    """A session's folder as its contract has it; each item with why it was rejected, or n/a."""
    folder.mkdir()
    about = vars(geometry) | {"affine": geometry.affine.tolist()}
    (folder / "session.json").write_text(json.dumps({"geometry": about}))
    rows, markers, data = ["number\tacquired\treceived\tfault"], [], []
    for item, fault in items:
        if isinstance(item, Volume):
            rows.append(f"{item.number}\t{item.times.acquired}\t{item.times.received}\t{fault}")
            data.append(item.data)
        else:
            line = {"stamp": item.stamp, "row": len(data)} | json.loads(text_of(item))
            markers.append(json.dumps(line))
    np.save(folder / "volumes.npy", np.array(data, geometry.dtype))
    (folder / "volumes.tsv").write_text("\n".join(rows) + "\n")
    (folder / "markers.jsonl").write_text("\n".join(markers) + "\n")
    return folder


def two_runs(geometry: Geometry, promised: int = 6) -> list[tuple[Item, str]]:
    """Runs of 7 and 6: volume 2 lost, 4 full of NaN, a marker that came late, and one ahead of its time."""
    data = toy_volumes(geometry, 13)
    data[..., 4] = np.nan
    start = 500.0

    def volume(number: int, at: int) -> tuple[Item, str]:
        end = start + (at + 1) * TR_S / geometry.speed
        return Volume(number, data[..., at], Times(end, end + 0.1)), "n/a" if at != 4 else "NaN"

    def marker(event: Event, run_s: float, **more: object) -> tuple[Item, str]:
        return Marker(event, stamp=start + run_s / geometry.speed, **more), "n/a"  # type: ignore[arg-type]

    return [
        marker(Event.RUN_START, 0.0, onset_s=0.0),
        marker(Event.TRIAL, 3.0, trial_type="cat", onset_s=3.0),
        *(volume(n, n) for n in (0, 1, 3, 4)),
        marker(Event.TRIAL, 9.0, trial_type="dog", onset_s=9.0, caption="came late"),
        volume(5, 5),
        volume(6, 6),
        marker(Event.RUN_START, 14.0),
        marker(Event.TRIAL, 26.0, trial_type="noise", onset_s=12.0, caption="ahead"),
        *(volume(n, n + 7) for n in range(6)),
        marker(Event.RUN_END, 26.5, volumes=promised),
    ]  # fmt: skip


@pytest.fixture
def session(tmp_path: Path, toy_geometry: Geometry) -> Path:
    return write_session(tmp_path / "session", toy_geometry, two_runs(toy_geometry))


@pytest.mark.parametrize(("speed", "lost_at_end"), [(60.0, 2), (MAX_SPEED, 0)])
def test_a_session_comes_again_in_the_same_order(
    lab: ThreadPoolExecutor,
    stream_name: str,
    tmp_path: Path,
    toy_geometry: Geometry,
    speed: float,
    lost_at_end: int,
) -> None:
    items = two_runs(toy_geometry, 6 + lost_at_end)
    session = write_session(tmp_path / "session", toy_geometry, items)
    recording = open_recording(session)
    got, receiver = heard(
        lab, stream_name, lambda: play(recording, stream_name, speed, 20, paced=True)
    )
    assert told(got) == told(open_session_folder(session).walk())
    counts = receiver.counts
    assert (counts.received, counts.rejected, counts.duplicate) == (11, 1, 0)
    assert counts.lost == 1 + lost_at_end
    assert receiver.geometry.speed == (1.0 if speed == MAX_SPEED else speed)


def test_what_a_live_session_recorded_comes_again(
    live: Live, lab: ThreadPoolExecutor, stream_name: str, toy_geometry: Geometry
) -> None:
    live.begin()
    start = pylsl.local_clock()
    ruined = Volume(3, np.full(toy_geometry.shape, nan, np.float32))
    items = [
        ruined if isinstance(i, Volume) and i.number == 3 else i for i in toy_run(toy_geometry, 6)
    ]
    send(live.outlet, iter([*items[:4], *items[5:-1]]), start)
    second = list(toy_run(toy_geometry, 12, seed=1))
    send(live.outlet, (i for i in second if isinstance(i, Volume)), start + 30)
    live.outlet.send_marker(second[-1], start + 31)  # type: ignore[arg-type]
    live.finish()
    del live.outlet  # its name is free again
    recorded = open_session_folder(live.folder)
    again = f"{stream_name}-again"
    got, receiver = heard(lab, again, lambda: play(of_session(live.folder), again, MAX_SPEED, 20))
    assert told(got) == told(recorded.walk())
    numbers = [i.number for i in got if isinstance(i, Volume)]
    assert numbers == [0, 1, 4, 5, *range(12)]
    rejected = [row for row in recorded.rows if row["fault"] != "n/a"]
    assert receiver.counts.rejected == len(rejected)


def test_recorded_stamps_say_when(session: Path, toy_geometry: Geometry) -> None:
    due_s = [round(s.due_s, 6) for s in schedule(of_session(session))]
    first = [
        0,
        3 - 1,
        2,
        4,
        8,
        10,
        10,
        12,
        14,
    ]  # the marker of 3.0 s came before the end of volume 0
    assert due_s[:9] == [min(2.0, d) if n == 1 else d for n, d in enumerate(first)]
    # The second run begins a TR later: its own first volume is complete another TR after that.
    assert due_s[9:] == [16, 18, 18, 20, 22, 24, 26, 28, 28.5]


def test_without_usable_stamps_numbers_say_when(toy_geometry: Geometry) -> None:
    items = [
        replace(i, times=Times(nan if i.number else inf)) if isinstance(i, Volume) else i
        for i in toy_run(toy_geometry, 6)
    ]
    due_s = {s.what.number: s.due_s for s in schedule(Items("x", toy_geometry, tuple(items)))
             if isinstance(s.what, Volume)}  # fmt: skip
    assert due_s == {n: (n + 1) * TR_S for n in range(6)}


def toy_items(geometry: Geometry, count: int = 10) -> Items:
    return Items("toy", geometry, tuple(toy_run(geometry, count)))


def test_a_loop_is_runs_with_one_end_and_faults_in_each(
    lab: ThreadPoolExecutor, stream_name: str, toy_geometry: Geometry
) -> None:
    faults = parse_faults("lose=2,double=5,nan=7")
    got, receiver = heard(
        lab, stream_name,
        lambda: play(toy_items(toy_geometry), stream_name, MAX_SPEED, 20, faults, loop=3),
    )  # fmt: skip
    left = [0, 1, 3, 4, 5, 6, 8, 9]
    assert [i.number for i in got if isinstance(i, Volume)] == left * 3
    events = [i.event for i in got if isinstance(i, Marker)]
    assert events == [*[Event.RUN_START, Event.TRIAL, Event.TRIAL] * 3, Event.RUN_END]
    counts = receiver.counts
    assert (counts.received, counts.lost, counts.duplicate, counts.rejected) == (24, 3, 3, 3)


def test_a_loop_for_ever_has_no_end(toy_geometry: Geometry) -> None:
    walk = Looped(toy_items(toy_geometry, 2), None).walk()
    for _ in range(50):
        events = [next(walk) for _ in range(3)]
        assert [getattr(e, "event", None) for e in events] == [Event.RUN_START, None, None]


@pytest.mark.parametrize("place", ["4", "8s", "6.5s"])
def test_seek_starts_the_run_there(toy_geometry: Geometry, place: str) -> None:
    whole = toy_items(toy_geometry)
    part = list(seek(whole, parse_place(place)).walk())
    data = [i.data for i in whole.walk() if isinstance(i, Volume)]
    volumes = [i for i in part if isinstance(i, Volume)]
    assert [v.number for v in volumes] == list(range(6))
    for volume, before in zip(volumes, data[4:], strict=True):
        np.testing.assert_array_equal(volume.data, before)
    markers = [i for i in part if isinstance(i, Marker)]
    assert [m.event for m in markers] == [Event.RUN_START, Event.TRIAL, Event.RUN_END]
    assert markers[1].onset_s == pytest.approx(7 * TR_S + 0.3 - 4 * TR_S)
    assert markers[1].trial_type == NAMES[1]
    assert markers[2].volumes == 6


def test_seek_passes_over_runs_and_lost_volumes(session: Path) -> None:
    recording = of_session(session)
    volumes = [i for i in seek(recording, Place(volumes=9)).walk() if isinstance(i, Volume)]
    assert [v.number for v in volumes] == [0, 1, 2, 3]  # the second run's volumes 2 to 5
    first = [i.number for i in seek(recording, Place(volumes=2)).walk() if isinstance(i, Volume)]
    assert first == [1, 2, 3, 4, *range(6)]  # volume 2 is lost, and stays so
    with pytest.raises(BadConfig, match=r"--seek 30s: 'session' has 13 volumes \(26 s\)"):
        seek(recording, Place(seconds=30))


@dataclass
class Still:
    """Time that passes by sleeping alone, and an outlet that notes when it was sent what."""

    time_s: float = 100.0
    sent: list[tuple[float, float, Item | int]] = field(default_factory=list)
    has_receiver: bool = False
    stopped_s: float = 0.0  # how long the next sleep lasts in excess

    def __call__(self, name: str, geometry: Geometry, paced: bool) -> "Still":
        return self

    def now(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds + self.stopped_s
        self.stopped_s = 0.0

    def wait_for_receiver(self, timeout_s: float) -> bool:
        return True

    def send_volume(self, number: int, data: np.ndarray, stamp: float) -> None:
        self.sent.append((self.time_s, stamp, number))

    def send_marker(self, marker: Marker, stamp: float) -> None:
        self.sent.append((self.time_s, stamp, marker))


def test_a_pause_moves_what_comes_after_it(
    monkeypatch: pytest.MonkeyPatch, toy_geometry: Geometry
) -> None:
    still = Still()
    monkeypatch.setattr(outlets, "ScannerOutlet", still)
    play(
        toy_items(toy_geometry), "s", 1.0, clock=Clock(still.now, still.sleep),
        paused=lambda: 107.0 <= still.time_s < 150.0,
    )  # fmt: skip
    for sent_at, stamp, what in still.sent:
        due_s = (what + 1) * TR_S if isinstance(what, int) else what.onset_s  # type: ignore[union-attr]
        expected = 100.0 + due_s + (43.0 if due_s > 7.0 else 0.0)
        assert sent_at == pytest.approx(expected, abs=0.1)
        assert stamp == pytest.approx(sent_at, abs=1e-6)


def test_a_stopped_program_goes_on_where_it_was() -> None:
    """After Ctrl-Z nothing is sent in a heap."""
    still = Still()
    keeping = Pace(Clock(still.now, still.sleep), 1.0, lambda: False)
    keeping.wait(10.0)
    still.stopped_s = 600.0
    assert [round(keeping.wait(t) - 100.0) for t in (12.0, 14.0)] == [612, 614]
    assert still.time_s == pytest.approx(714.0, abs=0.1)


def test_a_slow_receiver_loses_nothing(
    lab: ThreadPoolExecutor, stream_name: str, toy_geometry: Geometry
) -> None:
    """It takes each volume only when the sender has run into its window; LSL keeps four."""
    geometry = replace(toy_geometry, tr_s=20.0)
    recording = Items("long", geometry, tuple(toy_run(geometry, 200)))
    ahead, sent, moved = [], [-1], threading.Condition()

    def progress(number: int) -> None:
        with moved:
            sent[0] = number
            moved.notify()

    def take(item: Item) -> None:
        if isinstance(item, Volume):
            # A trial's marker goes out only when all volumes before it were taken.
            full = min(item.number + WINDOW - 1, item.number + (1 - item.number) % 5, 199)
            with moved:
                assert moved.wait_for(lambda: sent[0] >= full, 10)
                ahead.append(sent[0] - item.number)

    got, receiver = heard(
        lab, stream_name,
        lambda: play(recording, stream_name, MAX_SPEED, 20, progress=progress), take,
    )  # fmt: skip
    assert max(ahead) == WINDOW - 1
    assert told(got)[1:-1] == told([*recording.items])[1:-1]
    assert (receiver.counts.received, receiver.counts.lost) == (200, 0)


def test_max_needs_a_receiver_that_says_what_it_takes(
    lab: ThreadPoolExecutor,
    stream_name: str,
    toy_geometry: Geometry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(pace, "_FIND_S", 0.2)
    items = toy_items(toy_geometry, 3)
    speeds = {MAX_SPEED: StreamMissing, 100.0: None}
    for speed, error in speeds.items():
        name = f"{stream_name}-{speed}"
        playing = lab.submit(play, items, name, speed, 20, paced=True)
        inlets = [
            pylsl.StreamInlet(pylsl.resolve_byprop("name", found, 1, 20)[0], max_buflen=60)
            for found in (name, marker_stream(name))
        ]
        for inlet in inlets:
            inlet.open_stream(10)
        if error:
            with pytest.raises(error, match=r"does not say what it has taken.*--speed"):
                playing.result(20)
        else:
            playing.result(20)
            assert "does not say what it has taken" in caplog.text
        for inlet in inlets:
            inlet.close_stream()


def test_a_receiver_that_leaves_is_told(
    lab: ThreadPoolExecutor, stream_name: str, toy_geometry: Geometry
) -> None:
    playing = lab.submit(play, toy_items(toy_geometry), stream_name, MAX_SPEED, 20)
    stop = threading.Event()
    receiver = Receiver(stream_name, 20.0, 20.0, stop)
    for item in receiver:
        if isinstance(item, Volume) and item.number == 4:
            stop.set()
    receiver.close()
    with pytest.raises(StreamMissing, match=r"left with \d+ volumes sent and \d taken"):
        playing.result(20)


def test_the_command_plays_a_session_from_a_place(
    lab: ThreadPoolExecutor, stream_name: str, session: Path
) -> None:
    argv = ["play", str(session), "--stream", stream_name, "--speed", "max", "--quiet",
            "--seek", "18s", "--loop", "2"]  # fmt: skip
    got, _ = heard(lab, stream_name, lambda: main(argv))
    assert [i.number for i in got if isinstance(i, Volume)] == [*range(4), *range(4)]


def test_what_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in (["--seek", "x"], ["--seek", "-3"], ["--loop", "0"], ["--speed", "0"]):
        with pytest.raises(SystemExit):
            main(["play", str(tmp_path), *option])
    assert "a volume (40) or seconds (80s)" in capsys.readouterr().err


def test_a_session_without_volumes_cannot_be_played(tmp_path: Path, toy_geometry: Geometry) -> None:
    folder = write_session(tmp_path / "none", toy_geometry, two_runs(toy_geometry))
    (folder / "volumes.tsv").write_text("number\tacquired\treceived\tfault\n")
    with pytest.raises(BadDataset, match="holds no volume"):
        open_recording(folder)


_KEYS = """
import os, select
os.open(os.ttyname(0), os.O_RDWR)  # the terminal becomes this session's own
from simulator.keys import space_bar
with space_bar() as paused:
    for _ in range(4):
        print(paused(), flush=True)
        select.select([0], [], [])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are POSIX here")
def test_the_space_bar_pauses_and_goes_on() -> None:
    master, terminal = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _KEYS], stdin=terminal, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        said = []
        for key in (b" ", b"x", b" ", b"x"):
            said.append(child.stdout.readline().strip())
            os.write(master, key)
    os.close(master)
    os.close(terminal)
    assert said == ["False", "True", "True", "False"]


def test_an_xdf_file_comes_again(
    lab: ThreadPoolExecutor, stream_name: str, tmp_path: Path, toy_geometry: Geometry
) -> None:
    """Two runs in one file, as a recorder that ran through both would write them."""
    file = tmp_path / "both.XDF"
    first = [i for i in toy_run(toy_geometry, 6) if not (isinstance(i, Volume) and i.number == 3)]
    _write_xdf(file, toy_geometry, [first, list(toy_run(toy_geometry, 4, seed=1))])
    recording = open_recording(file)
    assert recording.n_volumes == 9
    got, receiver = heard(lab, stream_name, lambda: play(recording, stream_name, MAX_SPEED, 20))
    sent = [*first[:-1], *toy_run(toy_geometry, 4, seed=1)]  # one end marker, the last
    assert told(got) == told(sent)
    assert (receiver.counts.received, receiver.counts.lost) == (9, 1)
    due_s = [s.due_s for s in schedule(recording) if isinstance(s.what, Volume)]
    # Stamps say when, not numbers; a TR passes between the runs.
    assert due_s == pytest.approx([2, 4, 6, 8, 10, 14, 16, 18, 20], abs=0.01)


def _write_xdf(file: Path, geometry: Geometry, runs: list[list[Item]]) -> None:
    infos = volume_info("s", geometry, "s"), marker_info("s", "s-markers")
    with file.open("wb", buffering=0) as opened:
        writer = XdfWriter(opened)
        for stream, info in enumerate(infos, 1):
            writer.stream(stream, info.as_xml())
        stamp = 50.0
        for item in (item for run in runs for item in run):
            if isinstance(item, Volume):
                stamp += TR_S / geometry.speed
                writer.samples(1, [stamp], sample_of(item.number, item.data, geometry))
            else:
                stamp += 1e-6
                writer.samples(2, [stamp], [[text_of(item)]])
