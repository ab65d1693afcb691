"""A keeper beside a session: silent as long as it lives, and in its place when it is gone."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from rtrecon import keeper as keeper_module
from rtrecon import keeping
from rtrecon.keeper import Keeper
from rtrecon.kept_volumes import KeptVolumes
from rtrecon.receive import Receiver
from rtrecon.record import Recorder
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Event, Geometry, Marker, Volume
from rtrecon.wire import ScannerOutlet
from simulator.pace import MAX_SPEED
from simulator.recording import Items
from simulator.scanner import play
from tests.live import priorities
from tests.toy import send, toy_run


@dataclass
class Beside:
    """A session without its pipeline, in this process, with its keeper."""

    outlet: ScannerOutlet
    receiver: Receiver
    recorder: Recorder
    keeper: Keeper | None = None
    process: Any = None

    def take(self, count: int) -> None:
        """Record so many volumes and the markers before them, as a session would."""
        for item in self.receiver:
            if isinstance(item, Marker):
                self.recorder.marker(item)
                continue
            self.recorder.volume(item)
            count -= 1
            if not count:
                break


@pytest.fixture
def beside(
    stream_name: str, toy_geometry: Geometry, tmp_path: Path
) -> Iterator[Callable[[], tuple[Beside, Keeper, int]]]:
    """A session, its keeper, and the id of that one's process."""
    made: list[Beside] = []

    def make() -> tuple[Beside, Keeper, int]:
        outlet = ScannerOutlet(stream_name, toy_geometry)
        receiver = Receiver(stream_name, 10.0, 20.0, threading.Event())
        recorder = Recorder(tmp_path / "s", toy_geometry, {})
        keeper = Keeper(receiver, recorder, KeptVolumes)
        made.append(Beside(outlet, receiver, recorder, keeper))
        assert keeper.listening.wait(120)
        return made[-1], keeper, _pid(keeper)

    yield make
    for each in made:
        if each.keeper is not None:
            each.keeper.close()
        each.receiver.close()
        each.recorder.close()


def _pid(keeper: Keeper) -> int:
    assert keeper._process is not None
    pid = keeper._process.pid
    assert pid is not None
    return pid


def until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    deadline, pause = pylsl.local_clock() + timeout_s, threading.Event()
    while not condition():
        assert pylsl.local_clock() < deadline
        pause.wait(0.01)


def test_a_keeper_that_dies_is_begun_anew_and_writes_nothing_when_said_goodbye_to(
    beside: Callable[[], tuple[Beside, Keeper, int]],
    toy_geometry: Geometry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper_module, "AGAIN_S", 0.2)
    session, keeper, first = beside()
    os.kill(first, signal.SIGKILL)
    until(lambda: keeper.fault)
    assert keeper.fault.startswith("the keeper has ended (-9)")
    assert keeper.listening.wait(60)
    assert keeper.fault == ""
    second = _pid(keeper)
    assert second != first
    assert min(priorities(second)) >= 10  # the session goes first
    os.kill(second, signal.SIGTERM)  # as a terminal's, which goes to all of its processes
    os.kill(second, signal.SIGINT)
    os.kill(second, signal.SIGHUP)  # as a terminal that is closed
    send(session.outlet, toy_run(toy_geometry, 5), pylsl.local_clock())
    session.take(3)
    session.recorder.close()
    folder = session.recorder.folder
    before = {file: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    assert keeper.fault == ""
    keeper.close()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)
    assert before == {file: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_a_keeper_that_was_told_of_no_session_leaves() -> None:
    """Its session was killed before it said a word: there is no folder to go on in."""
    ours, theirs = Pipe()
    process = keeper_module._begin(theirs, KeptVolumes)
    theirs.close()
    ours.close()
    process.join(30)
    assert process.exitcode == 0


@pytest.mark.parametrize(
    "error", [OSError(11, "Resource temporarily unavailable"), TypeError("[Errno 11] of ours")]
)
def test_a_keeper_that_cannot_be_begun_harms_nothing(
    stream_name: str, toy_geometry: Geometry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:  # fmt: skip
    def refused(*_: object) -> object:
        raise error

    monkeypatch.setattr(keeper_module, "_begin", refused)
    outlet = ScannerOutlet(stream_name, toy_geometry)
    receiver = Receiver(stream_name, 10.0, 20.0, threading.Event())
    recorder = Recorder(tmp_path / "s", toy_geometry, {})
    keeper = Keeper(receiver, recorder, KeptVolumes)
    until(lambda: "cannot be begun: [Errno 11]" in keeper.fault)
    session = Beside(outlet, receiver, recorder)
    send(outlet, toy_run(toy_geometry, 3), pylsl.local_clock())
    session.take(3)
    keeper.close()
    receiver.close()
    recorder.close()
    assert len(open_session_folder(tmp_path / "s").rows) == 3


@pytest.fixture
def kept(
    stream_name: str, toy_geometry: Geometry, tmp_path: Path
) -> Iterator[Callable[..., tuple[Beside, Connection]]]:
    """A session that tells its keeper all itself; closing the pipe is its death."""
    ends: list[Callable[[], None]] = []

    def make(until_idle_s: float | None = None) -> tuple[Beside, Connection]:
        outlet = ScannerOutlet(stream_name, toy_geometry)
        receiver = Receiver(stream_name, 10.0, 20.0, threading.Event())
        recorder = Recorder(tmp_path / "s", toy_geometry, {})
        ours, theirs = Pipe()
        process = keeper_module._begin(theirs, KeptVolumes)
        theirs.close()
        session = Beside(outlet, receiver, recorder, process=process)
        del outlet
        ends.extend([ours.close, receiver.close, recorder.close, lambda: process.join(30)])
        ends.append(lambda: process.kill() if process.is_alive() else None)
        ends.append(
            lambda: session.outlet.uid and None
        )  # until then it stays: who is joining waits for it
        asked = [[stream_name], str(tmp_path / "s"), until_idle_s]
        ours.send_bytes(keeping.HEARS + receiver.uid.encode())
        ours.send_bytes(keeping.LISTEN + json.dumps(asked).encode())
        assert ours.poll(120)
        assert ours.recv_bytes() == keeping.LISTENS + b"0"
        return session, ours

    yield make
    for end in ends:
        end()


def join(session: Beside, pipe: Connection) -> None:
    """Have the session hear the markers, and then the keeper."""
    until(lambda: list(session.receiver._markers.pull(0)) or session.receiver.marker_outlets)
    for outlet in session.receiver.marker_outlets:
        pipe.send_bytes(keeping.HEARS + outlet.encode())

    def joined() -> bool:
        pipe.send_bytes(keeping.RECORDED + b"[-1, 0.0]")
        return pipe.recv_bytes() == keeping.LISTENS + b"1"

    until(joined)


def told_apart(items: Iterable[Volume | Marker], kind: type) -> list[object]:
    return [
        i.number if isinstance(i, Volume) else (i.event, i.trial_type)
        for i in items
        if isinstance(i, kind)
    ]


def test_the_run_goes_on_in_the_folder_of_a_session_that_is_gone(
    kept: Callable[..., tuple[Beside, Connection]], toy_geometry: Geometry
) -> None:
    """Its last rows are torn. Markers are heard after the session hears them, and not before."""
    session, pipe = kept()
    search = pylsl.ContinuousResolver("type", "Markers")
    until(search.results)
    assert not session.outlet._markers.have_consumers()
    join(session, pipe)
    items = list(toy_run(toy_geometry, 12))
    start = pylsl.local_clock()
    cut = next(n for n, item in enumerate(items) if isinstance(item, Volume) and item.number == 7)
    send(session.outlet, iter(items[:cut]), start)
    session.take(7)
    session.recorder.close()  # what it would have written by now
    folder = session.recorder.folder
    (folder / "volumes.tsv").write_bytes((folder / "volumes.tsv").read_bytes()[:-3])
    (folder / "status.jsonl").write_bytes(b'{"phase": "run')
    pipe.close()
    send(session.outlet, iter(items[cut:]), start)
    until((folder / "summary.json").exists)
    recorded = open_session_folder(folder)
    volumes = [item for item in items if isinstance(item, Volume)]
    for there, sent in zip(recorded.volumes, volumes, strict=True):
        np.testing.assert_array_equal(there, sent.data)
    for kind in (Volume, Marker):  # sent at once, the two streams keep no order between them
        assert told_apart(recorded.all(), kind) == told_apart(items, kind)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["volumes"] == {"received": 12, "lost": 0, "duplicate": 0, "rejected": 0}
    assert summary["kept_by"]["volumes"] == 6
    assert summary["recording"]["lost"] == []
    status = [json.loads(line) for line in (folder / "status.jsonl").read_text().splitlines()]
    assert [line["phase"] for line in status] == ["running", "ended"]
    assert "recorded after the session's end" in (folder / "log.txt").read_text()


def test_a_scanner_that_is_begun_anew_is_heard_after_the_session_hears_it_again(
    kept: Callable[..., tuple[Beside, Connection]], toy_geometry: Geometry
) -> None:
    """Else it would begin while only the keeper listens. The keeper goes on where the session ends."""
    session, pipe = kept()
    join(session, pipe)
    name = session.receiver.name
    items = [item for item in toy_run(toy_geometry, 12) if isinstance(item, Volume)]
    start = pylsl.local_clock()
    send(session.outlet, iter(items[:4]), start)
    session.take(4)
    session.receiver.close()
    other = ScannerOutlet(f"{name}-other", toy_geometry)
    usual = pylsl.StreamInlet(pylsl.resolve_byprop("name", f"{name}-other", 1, 10)[0], recover=True)
    usual.open_stream(10)
    del session.outlet, other
    session.outlet = ScannerOutlet(name, toy_geometry)
    other = ScannerOutlet(f"{name}-other", toy_geometry)
    until(other._volumes.have_consumers)  # so long LSL takes to find it by itself
    pylsl.resolve_byprop("name", "nobody", 1, 1.5)
    assert not session.outlet.has_receiver
    pipe.send_bytes(keeping.HEARS + session.outlet.uid.encode())
    until(session.outlet._volumes.have_consumers)
    assert not session.outlet._markers.have_consumers()
    session.recorder.close()
    pipe.close()
    until(session.outlet._markers.have_consumers)  # alone, it waits for nobody
    send(session.outlet, iter(items[6:]), start)
    session.outlet.send_marker(Marker(Event.RUN_END, volumes=12), start + 100)
    folder = session.recorder.folder
    until((folder / "summary.json").exists)
    there = [int(row["number"]) for row in open_session_folder(folder).rows]
    assert there == [0, 1, 2, 3, *range(6, 12)]
    usual.close_stream()


@pytest.mark.parametrize("how", ["silence", "asked"])
def test_a_run_without_an_end_marker_ends(
    how: str, kept: Callable[..., tuple[Beside, Connection]], toy_geometry: Geometry
) -> None:
    session, pipe = kept(until_idle_s=0.5 if how == "silence" else 60.0)
    send(session.outlet, iter(list(toy_run(toy_geometry, 3))[:-1]), pylsl.local_clock())
    session.take(2)
    session.recorder.close()
    pipe.close()
    folder = session.recorder.folder
    until(lambda: len(open_session_folder(folder).rows) == 3)
    if how == "asked":
        log = (folder / "log.txt").read_text()
        os.kill(int(log.split("process ")[-1].split()[0]), signal.SIGTERM)
    until((folder / "summary.json").exists)
    assert [row["number"] for row in open_session_folder(folder).rows] == ["0", "1", "2"]
    assert json.loads((folder / "summary.json").read_text())["kept_by"]["volumes"] == 1


def test_a_participant_who_stops_is_heard_after_the_sessions_end(
    kept: Callable[..., tuple[Beside, Connection]], toy_geometry: Geometry
) -> None:
    session, pipe = kept()
    join(session, pipe)
    items = list(toy_run(toy_geometry, 6))
    send(session.outlet, iter(items[:4]), pylsl.local_clock())
    session.take(2)
    session.recorder.close()
    pipe.close()
    folder = session.recorder.folder
    there = len([item for item in items[:4] if isinstance(item, Volume)])
    until(lambda: len(open_session_folder(folder).rows) == there)
    session.outlet.send_marker(Marker(Event.WITHDRAW), pylsl.local_clock())
    until(lambda: "stopped by the participant" in (folder / "status.jsonl").read_text())
    send(session.outlet, iter(items[4:]), pylsl.local_clock())
    until((folder / "summary.json").exists)
    assert json.loads((folder / "summary.json").read_text())["withdrawn"]
    assert len(open_session_folder(folder).rows) == there


def test_a_complete_folder_is_left_as_it_is(
    kept: Callable[..., tuple[Beside, Connection]], toy_geometry: Geometry
) -> None:
    """A session that crashes when all is written, while it draws its overview."""
    session, pipe = kept()
    send(session.outlet, toy_run(toy_geometry, 3), pylsl.local_clock())
    session.take(3)
    session.recorder.summary({"volumes": {"received": 3}})
    session.recorder.close()
    before = (session.recorder.folder / "summary.json").read_bytes()
    pipe.close()
    session.process.join(30)
    assert session.process.exitcode == 0
    assert (session.recorder.folder / "summary.json").read_bytes() == before


def test_a_paced_sender_waits_for_the_session_and_not_for_its_keeper(
    stream_name: str, toy_geometry: Geometry, tmp_path: Path
) -> None:
    """The session takes every volume late, and gets each once; the keeper has all that is not on disk."""
    run = Items("toy", toy_geometry, tuple(toy_run(toy_geometry, 30)))
    player = threading.Thread(target=play, args=(run, stream_name, MAX_SPEED))
    player.start()
    receiver = Receiver(stream_name, 10.0, 20.0, threading.Event())
    recorder = Recorder(tmp_path / "s", toy_geometry, {})
    keeper = Keeper(receiver, recorder, KeptVolumes)
    assert keeper.listening.wait(120)
    taken: list[Volume | Marker] = []
    for item in receiver:
        taken.append(item)
        (recorder.marker if isinstance(item, Marker) else recorder.volume)(item)  # type: ignore[arg-type]
    assert told_apart(taken, Volume) == list(range(30))
    assert keeper.fault == ""
    keeper.close()
    receiver.close()
    recorder.close()
    player.join(30)
    assert not player.is_alive()
