"""Sessions that are killed in the middle of a run, and what they leave."""

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pylsl
from PIL import Image

from rtrecon.session_folder import SessionFolder, open_session_folder
from rtrecon.types import Event, Geometry, Marker
from rtrecon.wire import ScannerOutlet
from tests.victim import begin, json_lines

TR_WALL_S = 0.05  # a volume in so many seconds of this session
AFTER = 20  # volumes that are sent after the kill
_CONNECT_S = 60.0
_COMPLETE_S = 30.0


@dataclass(frozen=True)
class Killed:
    """What a killed session and its keeper leave, and what was sent.

    `by_session`: rows that the session itself had left, once the keeper had completed the folder.
    """

    folder: SessionFolder
    volumes: list[np.ndarray]
    markers: list[Marker]
    by_session: int


def kill_one(
    stream: str, geometry: Geometry, decoder: Path, generator: Path, output: Path, after_s: float
) -> Killed:
    """Scan, kill the session without warning so many seconds after the first volume, scan on to the end."""
    outlet = ScannerOutlet(stream, geometry)
    process = begin(stream, decoder, generator, output)
    try:
        assert outlet.wait_for_receiver(_CONNECT_S)
        wait_for_keeper(output)
        scan = Scan(outlet)
        scan.go_on(until_s=after_s)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
        assert process.exitcode == -signal.SIGKILL
        scan.go_on(until_s=after_s + AFTER * TR_WALL_S)
        scan.end()
        wait_until_complete(output)
    finally:
        if process.is_alive():
            process.kill()
            process.join(30)
    kept = json.loads((output / "summary.json").read_text())["kept_by"]["volumes"]
    folder = open_session_folder(output)
    return Killed(folder, scan.volumes, scan.markers, len(folder.rows) - kept)


class Scan:
    """Volumes of noise on time, and a marker before every tenth."""

    def __init__(self, outlet: ScannerOutlet) -> None:
        self._outlet, self._geometry = outlet, outlet.geometry
        self._rng, self._pause = np.random.default_rng(0), threading.Event()
        self.volumes: list[np.ndarray] = []
        self.markers: list[Marker] = []
        self._start = pylsl.local_clock()

    def go_on(self, until_s: float) -> None:
        """Until so many seconds after the first volume."""
        end = self._start + until_s
        while (due := self._start + TR_WALL_S * len(self.volumes)) < end:
            self._pause.wait(max(0.0, due - pylsl.local_clock()))
            number = len(self.volumes)
            if number % 10 == 2:
                self._mark(Marker(Event.TRIAL, f"dog {number}", number * self._geometry.tr_s, 6.0))
            data = self._rng.integers(200, 900, self._geometry.shape)
            self.volumes.append(data.astype(self._geometry.dtype))
            self._outlet.send_volume(number, self.volumes[-1], pylsl.local_clock())
        self._pause.wait(max(0.0, end - pylsl.local_clock()))

    def end(self) -> None:
        """Say that the run is over."""
        self._mark(Marker(Event.RUN_END, volumes=len(self.volumes)))

    def _mark(self, marker: Marker) -> None:
        self.markers.append(marker)
        self._outlet.send_marker(marker, pylsl.local_clock())


def wait_for_keeper(output: Path) -> None:
    """Until a keeper listens; volumes that were sent before are the session's alone."""
    _wait(lambda: "records on to the end of the run" in _text(output / "log.txt"), _CONNECT_S)


def wait_until_complete(output: Path) -> None:
    """Until a keeper has completed the folder of a killed session."""
    _wait((output / "summary.json").exists, _COMPLETE_S)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _wait(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline, pause = pylsl.local_clock() + timeout_s, threading.Event()
    while not condition():
        assert pylsl.local_clock() < deadline
        pause.wait(0.01)


def check_whole(killed: Killed) -> None:
    """Every volume and marker once, in order and to the bit; every table whole, rows aligned."""
    session, folder = killed.folder, killed.folder.folder
    assert [int(row["number"]) for row in session.rows] == list(range(len(killed.volumes)))
    assert {row["fault"] for row in session.rows} == {"n/a"}
    for recorded, given in zip(session.volumes, killed.volumes, strict=True):
        np.testing.assert_array_equal(recorded, given)
    assert [(m.event, m.trial_type) for _, m in session.markers] == [
        (m.event, m.trial_type) for m in killed.markers
    ]
    rows = [row for row, _ in session.markers]
    assert rows == sorted(rows)
    assert rows[-1] == len(session.rows)
    assert 0 <= killed.by_session <= len(session.rows)
    for name in ("volumes.tsv", "quality.tsv", "trials.tsv", "frames.tsv"):
        head, *rows = (folder / name).read_text().splitlines()
        assert {row.count("\t") for row in rows} <= {head.count("\t")}
    trials = len(session.table("trials.tsv"))
    for name in ("z", "c", "patterns", "probabilities"):
        if (folder / f"{name}.npy").exists():
            assert trials <= len(np.load(folder / f"{name}.npy")) <= trials + 1
        else:
            assert trials == 0
    settings = json_lines(folder / "settings.jsonl")
    assert json_lines(folder / "status.jsonl")[0]["phase"] == "waiting for the first volume"
    for row in session.table("frames.tsv"):
        assert int(row["settings"]) < len(settings)
        with Image.open(folder / "frames" / f"{int(row['frame']):06d}.png") as picture:
            picture.load()
