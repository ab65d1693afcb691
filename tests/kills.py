"""Sessions that are killed in the middle of a run, and what they leave."""

import os
import signal
import threading
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
_CONNECT_S = 60.0


@dataclass(frozen=True)
class Killed:
    """What a killed session leaves, and what it was sent."""

    folder: SessionFolder
    sent: list[np.ndarray]
    ages_ms: list[float]  # of each volume sent that is not on disk, when the kill came


def kill_one(
    stream: str, geometry: Geometry, decoder: Path, generator: Path, output: Path, after_s: float
) -> Killed:
    """Scan, and kill the session without warning so many seconds after the first volume."""
    outlet = ScannerOutlet(stream, geometry)
    process = begin(stream, decoder, generator, output)
    try:
        assert outlet.wait_for_receiver(_CONNECT_S)
        rng, pause = np.random.default_rng(0), threading.Event()
        sent: list[np.ndarray] = []
        sent_at: list[float] = []
        start = pylsl.local_clock()
        while (due := start + TR_WALL_S * len(sent)) < start + after_s:
            pause.wait(max(0.0, due - pylsl.local_clock()))
            number = len(sent)
            if number % 10 == 2:
                onset_s = number * geometry.tr_s
                outlet.send_marker(Marker(Event.TRIAL, "dog", onset_s, 6.0), due)
            sent.append(rng.integers(200, 900, geometry.shape).astype(geometry.dtype))
            outlet.send_volume(number, sent[-1], pylsl.local_clock())
            sent_at.append(pylsl.local_clock())
        pause.wait(max(0.0, start + after_s - pylsl.local_clock()))
        killed_at = pylsl.local_clock()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
        assert process.exitcode == -signal.SIGKILL
    finally:
        if process.is_alive():
            process.kill()
            process.join(30)
    folder = open_session_folder(output)
    ages = [1e3 * (killed_at - at) for at in sent_at[len(folder.rows) :]]
    return Killed(folder, sent, ages)


def check_whole(killed: Killed) -> None:
    """Volumes without a gap and to the bit, every table whole, rows aligned."""
    session, folder = killed.folder, killed.folder.folder
    assert [int(row["number"]) for row in session.rows] == list(range(len(session.rows)))
    for recorded, given in zip(session.volumes, killed.sent, strict=False):
        np.testing.assert_array_equal(recorded, given)
    assert all(0 <= row <= len(session.rows) for row, _ in session.markers)
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
