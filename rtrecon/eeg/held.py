"""What a keeper holds of an EEG session: samples that are not known to be on disk yet."""

from collections import deque
from math import nan

import numpy as np
from numpy.typing import NDArray

from rtrecon.eeg.inlet import Chunk

_LOOKED_THROUGH = 1_000_000  # rows of what a killed session left: minutes at the least


class HeldSamples:
    """One person's, in the order in which they came. Used under a lock.

    Two listeners of one stream get the same samples in the same order, with the same stamps as they
    were sent, but cut into chunks each in its own way.

    Parameters
    ----------
    near_s : float
        Stamps that are nearer to each other are one: half of what is from one sample to the next.

    Attributes
    ----------
    n_bytes : int
    dropped : int
        Samples that were too much to be held.
    """

    def __init__(self, near_s: float) -> None:
        self._near_s = near_s
        self._chunks: deque[Chunk] = deque()
        self._told: float | None = None  # on disk, and not come here yet
        self.n_bytes = self.dropped = 0

    def add(self, chunk: Chunk) -> None:
        """More samples."""
        self._chunks.append(chunk)
        self.n_bytes += chunk.n_bytes
        if self._told is not None:
            self.forget(self._told)

    def forget(self, sent: float) -> None:
        """All are on disk up to that of this stamp, as sent."""
        self._told = sent
        for place in range(len(self._chunks), 0, -1):
            chunk = self._chunks[place - 1]
            if len(found := np.flatnonzero(np.abs(chunk.sent - sent) < self._near_s)):
                kept = [chunk.after(int(found[-1]) + 1), *list(self._chunks)[place:]]
                self._chunks = deque(rest for rest in kept if len(rest.sent))
                self.n_bytes = sum(rest.n_bytes for rest in self._chunks)
                self._told, self.dropped = None, 0
                return

    def drop_oldest(self) -> None:
        """It is too much."""
        gone = self._chunks.popleft()
        self.n_bytes -= gone.n_bytes
        self.dropped += len(gone.sent)

    def not_on(self, disk: "SamplesOnDisk") -> list[Chunk]:
        """What came after the newest that is on disk."""
        if not self._chunks:
            return []
        new = disk.new_from(np.concatenate([chunk.sent for chunk in self._chunks]))
        missing = []
        for chunk in self._chunks:
            missing.append(chunk.after(min(new, len(chunk.sent))))
            new = max(0, new - len(chunk.sent))
        return [chunk for chunk in missing if len(chunk.sent)]


class SamplesOnDisk:
    """What a killed session left of one person, as long as it has not all come here too.

    Parameters
    ----------
    sent : float64 (n,)
        Stamps as they were sent.
    near_s : float
        As in `HeldSamples`.
    """

    def __init__(self, sent: NDArray[np.float64], near_s: float) -> None:
        self._newest = float(sent[-1]) if len(sent) else nan
        self._sorted = np.sort(sent[-_LOOKED_THROUGH:])
        self._last = len(self._sorted) - 1
        self._near_s = near_s
        self._passed = not len(sent)

    def new_from(self, sent: NDArray[np.float64]) -> int:
        """From which sample on these, which came next, are not on disk; their number: none is new."""
        if self._passed:
            return 0
        newest = np.flatnonzero(np.abs(sent - self._newest) < self._near_s)
        known = newest if len(newest) else np.flatnonzero(self._known(sent))
        new = int(known[-1]) + 1 if len(known) else 0
        self._passed = bool(len(newest)) or new < len(sent)
        return new

    def take(self, chunk: Chunk) -> Chunk:
        """What of a chunk that has just come is not on disk."""
        return chunk.after(self.new_from(chunk.sent))

    def _known(self, sent: NDArray[np.float64]) -> NDArray[np.bool_]:
        place = np.searchsorted(self._sorted, sent)
        below, above = self._sorted[place.clip(1) - 1], self._sorted[place.clip(None, self._last)]
        return np.minimum(np.abs(below - sent), np.abs(above - sent)) < self._near_s
