"""An EEG session on disk, appended as it comes (docs/eeg.md says what each file holds)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

from rtrecon.eeg.inlet import Chunk
from rtrecon.eeg.signal import Signal
from rtrecon.scores import FIRING_COLUMNS, SCORE_COLUMNS, SENT_COLUMNS
from rtrecon.session_writer import PAINTED_COLUMNS, SessionWriter
from rtrecon.types import Status

COLUMNS = {
    "scores.tsv": SCORE_COLUMNS,
    "firings.tsv": FIRING_COLUMNS,
    "sent.tsv": SENT_COLUMNS,
    "participant.tsv": PAINTED_COLUMNS,
    "status.jsonl": (),
}
STAMPS = ("stamp", "sent", "received")
"""Columns of eeg-N-stamps.npy: on the local clock, on the sender's, and when it came, s."""


class EegRecorder(SessionWriter):
    """Writes an EEG session's folder from threads of its own. Every method returns at once.

    One thread writes what came, another what was made of it. What the disk refuses is told and
    stops nothing.

    Parameters
    ----------
    folder : Path
    signals : sequence of Signal
        Of each person, in order.
    about : mapping
        The content of session.json, besides versions.

    Raises
    ------
    BadConfig
        From the constructor: the folder holds another session or cannot be written.
    """

    def __init__(self, folder: Path, signals: Sequence[Signal], about: Mapping[str, Any]) -> None:
        arrays: dict[str, tuple[tuple[int, ...], str]] = {}
        for n, signal in enumerate(signals, 1):
            arrays[f"eeg-{n}"] = ((signal.n_channels,), signal.dtype)
            arrays[f"eeg-{n}-stamps"] = ((len(STAMPS),), "float64")
        super().__init__(folder, COLUMNS, about, arrays)

    def chunk(self, person: int, chunk: Chunk) -> None:
        """Keep what came from the person of this place, from 0."""
        samples = self._arrays[f"eeg-{person + 1}"]
        stamps = self._arrays[f"eeg-{person + 1}-stamps"]
        received = np.full(len(chunk.stamps), chunk.received)
        times = np.stack([chunk.stamps, chunk.sent, received], axis=1)

        def write() -> None:
            samples.extend(chunk.samples)
            try:
                stamps.extend(times)
            except BaseException:
                samples.take_back()
                raise

        what = f"{len(times)} samples of eeg-{person + 1} from {chunk.stamps[0]:.3f} on"
        self._raw.put(what, write, chunk.samples.nbytes + times.nbytes)

    def status(self, status: Status, **more: object) -> None:
        """Keep where the session stands from now on."""
        line = json.dumps({
            "time": pylsl.local_clock(), "phase": status.phase.value, "paused": status.paused,
            "message": status.message, "traceback": status.traceback,
            "troubles": [asdict(trouble) for trouble in status.troubles], **more,
        })  # fmt: skip
        self._raw.put(
            f"status {status.phase.value}", lambda: self._lines["status.jsonl"].append(line)
        )
