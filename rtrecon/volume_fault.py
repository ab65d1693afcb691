"""What makes a volume unfit to be worked on, before anything is known of the brain in it."""

import logging

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

CAME_LATE = "came late"
"""The fault of a volume that was counted as lost before it came."""
# That a volume lacks at its end: fewer may be the border of a scanner's motion correction.
_SLICES = 2
_IN_A_ROW = 3  # alike: then it is how the scanner sends them


class VolumeFault:
    """Why a volume cannot be used, or nothing. One run after another; owned by one thread.

    Voxels come with the slices in order, so that of a volume whose rest never arrived the last slices
    are zero. A scanner fills with zeros as well: outside of its field of view (which it does in every
    volume), and where its own motion correction has no data (a slice at the border). So what counts is
    two slices that the volumes before had.
    """

    def __init__(self) -> None:
        self._usual: int | None = None  # empty slices at the end
        self._alike, self._times = 0, 0

    def __call__(self, data: NDArray[np.generic]) -> str:
        """The fault of the next volume (i, j, k)."""
        if data.dtype.kind == "f" and not np.isfinite(data).all():
            return "not finite (NaN or infinite voxels)"
        if data.min() == data.max():
            return "constant"
        empty = _empty_at_end(data)
        if self._usual is None or empty - self._usual < _SLICES or self._is_usual(empty):
            self._usual, self._times = empty, 0
            return ""
        return f"truncated (the last {empty} of {data.shape[2]} slices are zero)"

    def _is_usual(self, empty: int) -> bool:
        self._times = self._times + 1 if empty == self._alike else 1
        self._alike = empty
        if self._times <= _IN_A_ROW:
            return False
        log.warning("the last %d slices are zero in every volume now: taken as they are", empty)
        return True


def _empty_at_end(data: NDArray[np.generic]) -> int:
    for empty in range(data.shape[2]):
        if data[..., -1 - empty].any():
            return empty
    return data.shape[2]
