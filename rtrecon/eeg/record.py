"""An EEG session on disk, appended as it comes (docs/eeg.md says what each file holds)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

from rtrecon.eeg.inlet import Chunk
from rtrecon.eeg.signal import Signal
from rtrecon.scores import FIRING_COLUMNS, SCORE_COLUMNS, SENT_COLUMNS
from rtrecon.session_writer import PAINTED_COLUMNS, SessionWriter
from rtrecon.types import Marker, Status
from rtrecon.wire import text_of

COLUMNS = {
    "scores.tsv": SCORE_COLUMNS,
    "firings.tsv": FIRING_COLUMNS,
    "sent.tsv": SENT_COLUMNS,
    "participant.tsv": PAINTED_COLUMNS,
    "status.jsonl": (),
    "markers.jsonl": (),
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
    resumed : bool
        Go on in the folder that a killed session left; what is whole in it stays.

    Attributes
    ----------
    newest : tuple of float or None, or None
        Of each person the stamp, as sent, of the newest sample on disk; None as long as there is
        none at all. May be read from any thread.

    Raises
    ------
    BadConfig
        From the constructor: the folder holds another session or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        signals: Sequence[Signal],
        about: Mapping[str, Any],
        resumed: bool = False,
    ) -> None:
        self.newest: tuple[float | None, ...] | None = None
        self._none: tuple[float | None, ...] = (None,) * len(signals)
        arrays: dict[str, tuple[tuple[int, ...], str]] = {}
        for n, signal in enumerate(signals, 1):
            arrays[f"eeg-{n}"] = ((signal.n_channels,), signal.dtype)
            arrays[f"eeg-{n}-stamps"] = ((len(STAMPS),), "float64")
        super().__init__(folder, COLUMNS, about, arrays, resumed=resumed)

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
            told = self.newest or self._none
            self.newest = (*told[:person], float(chunk.sent[-1]), *told[person + 1 :])

        what = f"{len(times)} samples of eeg-{person + 1} from {chunk.stamps[0]:.3f} on"
        self._raw.put(what, write, chunk.samples.nbytes + times.nbytes)

    def marker(self, marker: Marker) -> None:
        """Keep one marker."""
        stamp = None if isnan(marker.stamp) else marker.stamp
        line = json.dumps({"stamp": stamp} | json.loads(text_of(marker)))
        what = f"marker {marker.event.value} {marker.trial_type}".rstrip()
        self._raw.put(what, lambda: self._lines["markers.jsonl"].append(line))

    def _align(self) -> None:
        """A killed session may have left one chunk more of the samples than of their stamps."""
        super()._align()
        for name, samples in self._arrays.items():
            if (stamps := self._arrays.get(f"{name}-stamps")) is not None:
                whole = min(samples.rows, stamps.rows)
                samples.cut(whole)
                stamps.cut(whole)

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
