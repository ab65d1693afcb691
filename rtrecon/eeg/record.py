"""An EEG session on disk, appended as it comes (docs/eeg.md says what each file holds)."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

from rtrecon.eeg.inlet import Chunk
from rtrecon.eeg.signal import Signal
from rtrecon.errors import BadConfig
from rtrecon.growing import Growing, GrowingArray, GrowingLines, replace_file
from rtrecon.lane import Lane, Losses, reason
from rtrecon.record import PAINTED_COLUMNS, SLOW_BYTES, open_folder, painted_row, versions
from rtrecon.scores import (
    FIRING_COLUMNS,
    SCORE_COLUMNS,
    SENT_COLUMNS,
    firing_row,
    score_row,
    sent_row,
)
from rtrecon.types import Firing, Painted, Score, Sent, Status

COLUMNS = {
    "scores.tsv": SCORE_COLUMNS,
    "firings.tsv": FIRING_COLUMNS,
    "sent.tsv": SENT_COLUMNS,
    "participant.tsv": PAINTED_COLUMNS,
    "status.jsonl": (),
}
STAMPS = ("stamp", "sent", "received")
"""Columns of eeg-N-stamps.npy: on the local clock, on the sender's, and when it came, s."""


class EegRecorder:
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
        self.folder = open_folder(folder, within=())
        self._losses = Losses(folder)
        self._summary: Mapping[str, Any] | None = None
        with ExitStack() as opened:
            try:
                self._lines = {
                    name: GrowingLines(folder / name, "\t".join(columns))
                    for name, columns in COLUMNS.items()
                }
                self._samples = [
                    GrowingArray(folder / f"eeg-{n}.npy", (signal.n_channels,), signal.dtype)
                    for n, signal in enumerate(signals, 1)
                ]
                self._stamps = [
                    GrowingArray(folder / f"eeg-{n}-stamps.npy", (len(STAMPS),), "float64")
                    for n in range(1, len(signals) + 1)
                ]
                files: list[Growing] = [*self._lines.values(), *self._samples, *self._stamps]
                for file in files:
                    opened.callback(file.close)
                # Last: a folder without it is no session, and may be named again.
                replace_file(folder / "session.json", _json({"versions": versions(), **about}))
            except OSError as error:
                raise BadConfig(
                    f"{folder} cannot be written: {reason(error)}: name another with --output"
                ) from error
            self._files = opened.pop_all()
        self._raw = Lane("rtrecon-record-raw", self._losses)
        self._derived = Lane("rtrecon-record", self._losses)

    @property
    def fault(self) -> str:
        """What the operator has to know of the recording; empty where all is well."""
        waiting = self._raw.waiting_bytes
        if waiting > SLOW_BYTES:
            return f"the disk is slow: {waiting / 1e6:.0f} MB wait to be recorded"
        return self._losses.told

    def chunk(self, person: int, chunk: Chunk) -> None:
        """Keep what came from the person of this place, from 0."""
        samples, stamps = self._samples[person], self._stamps[person]
        received = np.full(len(chunk.stamps), chunk.received)
        times = np.stack([chunk.stamps, chunk.sent, received], axis=1)

        def write() -> None:
            samples.extend(chunk.samples)
            try:
                stamps.extend(times)
            except BaseException:
                samples.take_back()
                raise
            self._losses.goes_on()

        what = f"{len(times)} samples of eeg-{person + 1} from {chunk.stamps[0]:.3f} on"
        self._raw.put(what, write, chunk.samples.nbytes + times.nbytes)

    def score(self, score: Score) -> None:
        """Keep one score."""
        self._derived.put(f"score {score.number}", self._row("scores.tsv", score_row(score)))

    def firing(self, firing: Firing) -> None:
        """Keep that a threshold was held."""
        what = f"firing {firing.number} of {firing.person}"
        self._derived.put(what, self._row("firings.tsv", firing_row(firing)))

    def sent(self, sent: Sent) -> None:
        """Keep that a score or a firing went to an output, or why not."""
        what = f"{sent.what} {sent.number} to {sent.output}"
        self._derived.put(what, self._row("sent.tsv", sent_row(sent)))

    def painted(self, painted: Painted) -> None:
        """Keep what the participant was shown, and when."""
        cells = tuple("n/a" if cell in (None, "") else str(cell) for cell in painted_row(painted))
        what = f"what was painted at {painted.time:.3f}"
        self._derived.put(what, self._row("participant.tsv", cells))

    def status(self, status: Status, **more: object) -> None:
        """Keep where the session stands from now on."""
        line = json.dumps({
            "time": pylsl.local_clock(), "phase": status.phase.value, "paused": status.paused,
            "message": status.message, "traceback": status.traceback, **more,
        })  # fmt: skip
        self._raw.put(
            f"status {status.phase.value}", lambda: self._lines["status.jsonl"].append(line)
        )

    def summary(self, summary: Mapping[str, Any]) -> None:
        """Have summary.json written on closing, with what could not be recorded."""
        self._summary = summary

    def close(self) -> None:
        """Write what still waits, and the summary, and close the files."""
        self._raw.close()
        self._derived.close()
        with suppress(OSError):  # network file systems may complain here of earlier writes
            self._files.close()
        if self._summary is None:
            return
        content = dict(self._summary) | {"recording": self._losses.as_json()}
        try:
            replace_file(self.folder / "summary.json", _json(content))
        except OSError as error:
            self._losses.lost("summary.json", reason(error))

    def _row(self, name: str, cells: tuple[str, ...]) -> Callable[[], None]:
        row = "\t".join(" ".join(cell.split()) for cell in cells)
        return lambda: self._lines[name].append(row)


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
