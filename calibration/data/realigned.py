"""What calibration runs are realigned to, and their volumes realigned once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtrecon.bids import Run
from rtrecon.motion import Motion, Realign
from rtrecon.quality import START_UP

_REFERENCE_VOLUMES = 10


def reference_of(run: Run) -> NDArray[np.float32]:
    """What volumes are realigned to (i, j, k): the mean of a run's first ones, themselves aligned."""
    first = run.data[..., START_UP].astype(np.float32)
    to_first = Realign(first, run.geometry.affine, np.arange(first.size))
    volumes = range(START_UP, min(START_UP + _REFERENCE_VOLUMES, run.n_volumes))
    aligned = [(number, *to_first(run.data[..., number])) for number in volumes]
    mean = np.mean([voxels for _, voxels, motion in aligned if motion.trusted], axis=0)
    return mean.reshape(first.shape, order="F").astype(np.float32)


class RealignedOnce:
    """Realigns each volume of the runs once, though each pass through them asks for it anew.

    Parameters
    ----------
    reference : float32 (i, j, k)
        Where the slices lay as in the first run.
    runs : sequence of Run
        In the order in which they will come; other sessions' slices may lie elsewhere.
    voxels : int64 (n_voxels,)
    """

    def __init__(
        self, reference: NDArray[np.float32], runs: Sequence[Run], voxels: NDArray[np.int64]
    ) -> None:
        affine = runs[0].geometry.affine
        by_place: dict[bytes, Realign] = {}
        self._realigns: list[Realign] = []
        for moving in (run.geometry.affine for run in runs):
            place = moving.tobytes()
            if place not in by_place:
                by_place[place] = Realign(reference, affine, voxels, moving=moving)
            self._realigns.append(by_place[place])
        self._runs: list[list[tuple[NDArray[np.float32], Motion]]] = []
        self.rewind()

    def rewind(self) -> None:
        """A new pass begins, through the same runs."""
        self._run = -1

    def restart(self) -> None:
        """The next run begins."""
        self._run, self._volume = self._run + 1, 0
        if self._run == len(self._runs):
            self._runs.append([])
        self._realigns[self._run].restart()

    def __call__(self, volume: NDArray[np.generic]) -> tuple[NDArray[np.float32], Motion]:
        """As `Realign`."""
        known = self._runs[self._run]
        if self._volume == len(known):
            known.append(self._realigns[self._run](volume))
        self._volume += 1
        return known[self._volume - 1]
