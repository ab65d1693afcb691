"""An EEG session killed without warning loses no sample and no marker: its keeper records on."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import numpy as np
import pylsl
import pytest
from numpy.typing import NDArray

from rtrecon.eeg.folder import open_eeg_folder
from rtrecon.eeg.held import HeldSamples, SamplesOnDisk
from rtrecon.eeg.inlet import Chunk
from rtrecon.eeg.kept import Came, KeptEeg
from rtrecon.eeg.record import EegRecorder
from rtrecon.eeg.signal import Signal
from rtrecon.types import Event, Marker, Phase, Status
from rtrecon.verify import verify
from rtrecon.wire import marker_info, text_of
from tests.kills import wait_for_keeper, wait_until_complete
from tests.told import eventually
from tests.victim import begin_run, json_lines

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="no such signals here"),
]

RATE_HZ, CHUNK = 250, 10
TOML = """
stream = "STREAM"
[eeg]
[protocol]
[[block]]
kind = "rest"
duration_s = 3
[[block]]
kind = "regulate"
duration_s = 597
[[person]]
name = "Ada"
stream = "STREAM-1"
[[person]]
name = "Ben"
stream = "STREAM-2"
"""


class Amplifiers:
    """Two people's: each sample holds its own number. They send until they are closed."""

    def __init__(self, stream: str) -> None:
        self._outlets = [
            pylsl.StreamOutlet(
                pylsl.StreamInfo(f"{stream}-{n}", "EEG", 3, RATE_HZ, "float32", f"amplifier-{n}")
            )
            for n in (1, 2)
        ]
        self.sent = 0
        self.silent = threading.Event()
        self._over, self._thread = threading.Event(), threading.Thread(target=self._send)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._outlets.clear()

    def _send(self) -> None:
        start = pylsl.local_clock()
        while not self._over.is_set():
            last = start + (self.sent + CHUNK) / RATE_HZ
            self._over.wait(max(0.0, last - pylsl.local_clock()))
            samples = np.arange(self.sent, self.sent + CHUNK, dtype=np.float32)
            for n, outlet in enumerate(self._outlets):
                if not self.silent.is_set():
                    outlet.push_chunk(np.stack([samples, samples + n, samples % 7], 1), last)
            self.sent += CHUNK


@pytest.fixture
def stream() -> str:
    return f"eeg-{uuid4().hex[:8]}"


@pytest.fixture
def amplifiers(stream: str) -> Iterator[Amplifiers]:
    amplifiers = Amplifiers(stream)
    yield amplifiers
    amplifiers.close()


@pytest.fixture
def killed(stream: str, amplifiers: Amplifiers, tmp_path: Path) -> Callable[..., Path]:
    """A session, killed once its keeper listens and so many samples were sent afterwards."""

    def kill(*more: str, toml: str = TOML, samples: int = 150) -> Path:
        (tmp_path / "session.toml").write_text(toml.replace("STREAM", stream))
        folder = tmp_path / "s"
        process = begin_run(
            "--config", str(tmp_path / "session.toml"), "--output", str(folder), "--wait", "20",
            *more,
        )  # fmt: skip
        try:
            wait_for_keeper(folder)
            enough = amplifiers.sent + samples
            eventually(lambda: amplifiers.sent > enough, 30)
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join(30)
            assert process.exitcode == -signal.SIGKILL
        finally:
            if process.is_alive():
                process.kill()
                process.join(30)
        return folder

    return kill


def marked(stream: str) -> tuple[pylsl.StreamOutlet, Callable[[Marker], None]]:
    """A stimulus program."""
    outlet = pylsl.StreamOutlet(marker_info(stream, "stimuli"))
    return outlet, lambda marker: outlet.push_sample([text_of(marker)])


def counted(samples: NDArray[np.generic]) -> NDArray[np.generic]:
    """The samples' numbers; they are what was sent."""
    np.testing.assert_array_equal(samples[:, 2], samples[:, 0] % 7)
    return samples[:, 0]


def test_a_kill_loses_no_sample_and_no_marker(
    stream: str, amplifiers: Amplifiers, killed: Callable[..., Path], tmp_path: Path
) -> None:
    outlet, mark = marked(stream)
    trials = [Marker(Event.TRIAL, f"picture {n}", float(n), 1.0) for n in range(4)]

    def stimuli() -> None:
        assert outlet.wait_for_consumers(60.0)
        wait_for_keeper(tmp_path / "s")
        for trial in trials[:2]:
            mark(trial)

    showing = threading.Thread(target=stimuli)
    showing.start()
    folder = killed("--until-idle", "0.7")
    showing.join()
    eventually(lambda: "records on; what waited" in (folder / "log.txt").read_text(), 20)
    before = open_eeg_folder(folder)
    for trial in trials[2:]:
        mark(trial)
    enough = amplifiers.sent + 100
    eventually(lambda: amplifiers.sent > enough, 20)
    amplifiers.silent.set()
    last = amplifiers.sent
    wait_until_complete(folder)
    recorded = open_eeg_folder(folder)
    summary = json.loads((folder / "summary.json").read_text())
    total = 0
    for n, recording in enumerate(recorded.recordings):
        numbers = counted(recording.samples)
        np.testing.assert_array_equal(np.diff(numbers), 1)  # each once, and in order
        assert last - CHUNK <= numbers[-1] + 1 <= last + CHUNK
        np.testing.assert_array_equal(recording.samples[:, 1], numbers + n)
        assert recording.gaps() == []
        assert np.abs(np.diff(recording.stamps[:, 0]) - 1 / RATE_HZ).max() < 0.01
        person = summary["people"][recording.person.name]
        assert person == {"samples": len(numbers), "gaps": 0}
        total += len(numbers)
    assert [marker.trial_type for marker in recorded.markers] == [t.trial_type for t in trials]
    assert not recorded.whole
    assert 200 <= summary["kept_by"]["samples"] < total
    assert summary["recording"]["lost"] == []
    assert [line["phase"] for line in json_lines(folder / "status.jsonl")][-1] == "ended"
    assert len(before.recordings[0].samples) < len(recorded.recordings[0].samples)
    verdict = verify(folder)
    assert verdict.first == ""
    assert verdict.checks[0].compared > 10
    assert "more can be made of the samples" in verdict.notes[0]


@pytest.mark.parametrize(("since", "paused", "left_s"), [(4.0, False, 3.0), (4.0, True, 7.0)])
def test_the_schedules_end_is_the_keepers(
    since: float, paused: bool, left_s: float, tmp_path: Path
) -> None:
    """An amplifier sends for ever. In a pause, which nobody can end, the schedule stood still."""
    folder, now = tmp_path / "s", pylsl.local_clock()
    signal_ = Signal("ada", ("Cz",), 250.0, "float32", (1.0,))
    tables = {"protocol": {}, "block": [{"kind": "rest", "duration_s": 16}]}
    person = {"name": "Ada", "colour": "#000000", "signal": asdict(signal_)}
    recorder = EegRecorder(folder, [signal_], {"people": [person], "tables": tables})
    recorder.status(Status(Phase.RUNNING, paused=paused), elapsed=10.0)
    recorder.status(Status(Phase.RUNNING), elapsed=None)
    recorder.close()
    lines = json_lines(folder / "status.jsonl")
    lines[0]["time"] = now - since
    (folder / "status.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    kept = KeptEeg()
    kept.resume(folder).close()
    assert kept.ends() - now == pytest.approx(left_s, abs=0.5)


def test_what_came_before_a_schedule_had_begun_is_not_recorded(tmp_path: Path) -> None:
    """Electrodes may be on a head whose owner has not begun."""
    signal_ = Signal("ada", ("Cz",), 250.0, "float32", (1.0,))
    person = {"name": "Ada", "colour": "#000000", "signal": asdict(signal_)}
    tables: dict[str, object] = {"protocol": {}}
    EegRecorder(tmp_path / "s", [signal_], {"people": [person], "tables": tables}).close()
    kept = KeptEeg()
    kept._held = [HeldSamples(0.002)]
    kept.hold(Came(0, chunk(0, 10)))
    kept.resume(tmp_path / "s").close()
    assert kept.held() == []
    assert kept.ends() <= pylsl.local_clock()


def chunk(first: int, n: int, clock: float = 0.0) -> Chunk:
    samples = np.arange(first, first + n, dtype=np.float32)[:, np.newaxis]
    sent = samples[:, 0].astype(float)
    return Chunk(samples, sent + clock, sent, 0.0)


def numbers(chunks: list[Chunk]) -> list[int]:
    return [int(n) for chunk in chunks for n in chunk.samples[:, 0]]


def on_disk(n: int) -> SamplesOnDisk:
    return SamplesOnDisk(np.arange(n, dtype=float), 0.5)


@pytest.mark.parametrize("told", [None, 3, 7, 11])
@pytest.mark.parametrize("disk", [12, 14, 15, 16, 25, 30])
def test_each_sample_is_there_once_wherever_the_two_stand(told: int | None, disk: int) -> None:
    """The keeper holds 20 of them, in chunks of its own; the disk has fewer, or more."""
    held, there = HeldSamples(0.5), on_disk(disk)
    for first, n in ((0, 7), (7, 1), (8, 8), (16, 4)):
        held.add(chunk(first, n))
        if told is not None:
            held.forget(told)
    missing = held.not_on(there)
    later = [there.take(chunk(first, 5)) for first in (20, 25, 30)]
    assert numbers(missing + later) == list(range(disk, 35))


def test_what_was_forgotten_is_held_no_more() -> None:
    held = HeldSamples(0.5)
    held.forget(4)  # before it has come
    held.add(chunk(0, 3))
    held.add(chunk(3, 5))
    assert held.n_bytes == chunk(5, 3).n_bytes
    held.drop_oldest()
    assert (held.n_bytes, held.dropped) == (0, 3)
    held.add(chunk(8, 2))
    assert numbers(held.not_on(on_disk(5))) == [8, 9]  # a gap, which its stamps tell


def test_a_sender_started_anew_whose_clock_is_behind_is_new() -> None:
    held, there = HeldSamples(0.5), on_disk(10)
    held.add(chunk(6, 4))
    held.add(chunk(2, 5))  # stamps that were there before
    assert numbers(held.not_on(there)) == [2, 3, 4, 5, 6]
    assert numbers([there.take(chunk(7, 3))]) == [7, 8, 9]
