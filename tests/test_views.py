"""Remote screens in processes of their own: they come, hang and are killed, and no session notices."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtrecon.artifact import Artifact, save_artifact
from rtrecon.eeg.plan import read_plan
from rtrecon.remote import Publisher
from rtrecon.remote.follower import ROLES
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Event, Geometry, Marker, Phase, Volume
from rtrecon.wire import ScannerOutlet
from tests.live import priorities, rows
from tests.rtrecon.remote.conftest import Told
from tests.toy import toy_run
from tests.victim import begin
from tests.viewer import Viewer

TR_WALL_S = 0.1
RECOVERY_S = 5.0
COUNT = 70  # volumes of a run
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL here")


class Scan(threading.Thread):
    """A run at its own pace; `until` waits for a volume to be sent."""

    def __init__(self, outlet: ScannerOutlet, count: int) -> None:
        super().__init__(name="rtrecon-test-scan", daemon=True)
        self._outlet, self._count = outlet, count
        self._sent = threading.Condition()
        self._number = -1
        self.stop = threading.Event()

    def run(self) -> None:
        start = pylsl.local_clock()
        for item in toy_run(self._outlet.geometry, self._count):
            if not isinstance(item, Volume):
                self._outlet.send_marker(item, pylsl.local_clock())
                continue
            due = start + TR_WALL_S * (item.number + 1)
            if self.stop.wait(max(0.0, due - pylsl.local_clock())):
                return
            self._outlet.send_volume(item.number, item.data, pylsl.local_clock())
            with self._sent:
                self._number = item.number
                self._sent.notify_all()

    def until(self, number: int) -> None:
        with self._sent:
            assert self._sent.wait_for(lambda: self._number >= number, 60)


@pytest.fixture
def geometry(toy_geometry: Geometry) -> Geometry:
    return replace(toy_geometry, speed=toy_geometry.tr_s / TR_WALL_S)


@pytest.fixture
def decoder(toy_artifact: Artifact, tmp_path: Path) -> Path:
    save_artifact(toy_artifact, tmp_path / "decoder")
    return tmp_path / "decoder"


@contextmanager
def killed_at_last(*processes: ForkServerProcess | Viewer) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            if isinstance(process, ForkServerProcess):
                process.join(30)


def ready(outlet: ScannerOutlet, *outputs: Path) -> None:
    """Wait until sessions wait for volumes and hear markers; triggers change nothing in them."""
    deadline = pylsl.local_clock() + 90
    while not all(has(output / "markers.jsonl", "trigger") for output in outputs):
        outlet.send_marker(Marker(Event.TRIGGER, onset_s=0.0), pylsl.local_clock())
        assert pylsl.local_clock() < deadline
        threading.Event().wait(0.1)


def has(file: Path, text: str) -> bool:
    return file.is_file() and text in file.read_text()


def test_views_come_hang_and_are_killed_and_the_session_does_not_notice(
    geometry: Geometry, stream_name: str, decoder: Path, toy_folder: Path, tmp_path: Path
) -> None:
    """Beside one that tells no views anything: the record is the same, and nothing comes later."""
    early = Viewer(stream_name)
    early.wait_for("begun")
    outlet = ScannerOutlet(stream_name, geometry)
    seen, alone = tmp_path / "seen", tmp_path / "alone"
    sessions = [
        begin(stream_name, decoder, toy_folder, seen),
        begin(stream_name, decoder, toy_folder, alone, "--no-view"),
    ]
    hung = Viewer(stream_name)
    scan = Scan(outlet, COUNT)
    with killed_at_last(early, hung, *sessions):
        ready(outlet, seen, alone)
        scan.start()
        early.wait_for("session")
        early.wait_for("frame")
        early.kill()
        hung.wait_for("frame")
        os.kill(hung.process.pid, signal.SIGSTOP)
        again = Viewer(stream_name)
        with killed_at_last(again):
            assert again.wait_for("frame")["at"] - again.started < RECOVERY_S
            scan.until(COUNT - 1)
            assert again.wait_for("ended")["phase"] == "ENDED"
            for session in sessions:
                session.join(60)
                assert session.exitcode == 0
    scan.join(10)
    assert_same_record(seen, alone)
    assert_as_fast(seen, alone)


def assert_same_record(seen: Path, alone: Path) -> None:
    a, b = open_session_folder(seen), open_session_folder(alone)
    assert len(a.rows) == len(b.rows) == COUNT
    for one, other in zip(a.volumes, b.volumes, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("z", "c", "patterns", "probabilities"):
        np.testing.assert_array_equal(np.load(seen / f"{name}.npy"), np.load(alone / f"{name}.npy"))
    columns = ("trial", "volume", "age_s", "trial_type", "predicted", "confidence")
    tables = [rows(folder / "trials.tsv") for folder in (seen, alone)]
    assert [[row[c] for c in columns] for row in tables[0]] == [
        [row[c] for c in columns] for row in tables[1]
    ]
    for folder in (seen, alone):
        volumes = json.loads((folder / "summary.json").read_text())["volumes"]
        assert volumes == {"received": COUNT, "lost": 0, "duplicate": 0, "rejected": 0}


def assert_as_fast(seen: Path, alone: Path) -> None:
    """Both decoded the same volumes at the same time, on the same machine."""
    latency = {}
    for folder in (seen, alone):
        table = rows(folder / "trials.tsv")
        ms = [1e3 * (float(row["decoded"]) - float(row["received"])) for row in table]
        latency[folder.name] = [round(float(q), 2) for q in np.quantile(ms, (0.5, 0.9))]
    print("arrival to decoded, ms, median and p90:", latency)
    assert latency["seen"][0] < 2 * latency["alone"][0] + 2


def test_a_view_finds_a_session_that_was_killed_and_started_again(
    geometry: Geometry, stream_name: str, decoder: Path, toy_folder: Path, tmp_path: Path
) -> None:
    view = Viewer(stream_name)
    outlet = ScannerOutlet(stream_name, geometry)
    first = begin(stream_name, decoder, toy_folder, tmp_path / "first")
    scan = Scan(outlet, 1000)
    with killed_at_last(view, first):
        ready(outlet, tmp_path / "first")
        scan.start()
        before = view.wait_for("session")["id"]
        view.wait_for("frame")
        first.kill()
        view.wait_for("unheard")
        second = begin(stream_name, decoder, toy_folder, tmp_path / "second")
        with killed_at_last(second):
            ready(outlet, tmp_path / "second")
            back = pylsl.local_clock()
            found = view.wait_for("session")
            assert found["at"] - back < RECOVERY_S
            assert found["id"] != before
            frame = view.wait_for("frame")
            assert frame["at"] - back < RECOVERY_S
            scan.stop.set()
            scan.join(10)


def test_the_program_waits_for_its_session_and_closes_when_it_has_ended(stream_name: str) -> None:
    """The real windows, offscreen, each in a process of its own."""
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "rtrecon", "view", "--role", role, "--close",
             "--stream", stream_name],
            stderr=subprocess.PIPE, text=True,
        )
        for role in ROLES
    ]  # fmt: skip
    told = Told()
    with closing(Publisher(stream_name, told)):  # type: ignore[arg-type]
        heard = [threading.Event() for _ in programs]
        readers = [
            threading.Thread(target=read, args=(program, event), name="rtrecon-test-reader")
            for program, event in zip(programs, heard, strict=True)
        ]
        for reader in readers:
            reader.start()
        try:
            assert all(event.wait(60) for event in heard)
            gives_way = [priorities(program.pid) for program in programs]
            told.draw(3)
            told.become(phase=Phase.ENDED)
            told.ended = True
            assert [program.wait(30) for program in programs] == [0, 0, 0]
            usual = os.getpriority(os.PRIO_PROCESS, 0)
            for role, found in zip(ROLES, gives_way, strict=True):
                assert found == {usual if role == "participant" else max(10, usual)}, role
        finally:
            for program in programs:
                program.kill()
            for reader in readers:
                reader.join(10)


def read(program: "subprocess.Popen[str]", heard: threading.Event) -> None:
    assert program.stderr is not None
    with program.stderr as lines:
        for line in lines:
            if "is heard, from" in line:
                heard.set()


EEG = """
stream = "{stream}"
[eeg]
channels = ["O1", "O2"]
[protocol]
shows = ["score", "instruction"]
[protocol.scale]
low = -1
high = 4
[[block]]
kind = "regulate"
duration_s = 300
instruction = "rest your eyes"
[[person]]
name = "Ada"
colour = "#aa3377"
stream = "{stream}-1"
"""


def test_an_eeg_session_may_be_told_to_no_view(stream_name: str, tmp_path: Path) -> None:
    (tmp_path / "session.toml").write_text("view = false\n" + EEG.format(stream=stream_name))
    assert not read_plan(tmp_path / "session.toml", {"view": None}).options.view
    (tmp_path / "session.toml").write_text(EEG.format(stream=stream_name))
    assert read_plan(tmp_path / "session.toml", {"view": None}).options.view
    assert not read_plan(tmp_path / "session.toml", {"view": False}).options.view
