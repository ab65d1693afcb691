"""How far a volume can be trusted: judged by the volumes before it, never by those after."""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from rtrecon.types import read_only

STARTS_UP = "start-up volume"
START_UP = 3  # volumes at a run's start, brighter than the rest (T1 saturation)
USUAL_VOLUMES = 100.0  # over which the usual change is measured
_PRIOR_VOLUMES = 5.0  # that the calibration is worth in it
_BAD = 1.5  # times the usual change: from here on a volume counts less
_HOPELESS = 5.0  # times the usual change: from here on it counts for nothing
_MOVED_MM = 0.5  # of framewise displacement: from here on a volume counts less
_LARGEST = 1e12  # a larger value is none of a scanner's
_SPIKE = 8.0  # standard deviations of its own change that a good voxel does not jump
_STUCK = 10  # equal values in a row that no living voxel has
_MANY = 0.01  # of the voxels: worth a word to the operator
_ALL = 0.1  # of the voxels: if so many spike, it is the volume


@dataclass(frozen=True)
class Quality:
    """What is wrong with one volume.

    Attributes
    ----------
    weight : float
        1 for an ordinary volume, 0 for one that must not count.
    usable : bool (n_voxels,)
        Voxels that are neither dead nor spiking in it.
    dvars : float
        Root mean square change of the voxels, as a multiple of the usual (nan: nothing before).
    reason : str
        Empty for an ordinary volume with all its voxels.
    """

    weight: float
    usable: NDArray[np.bool_]
    dvars: float
    reason: str


class Inspect:
    """The voxels of one volume after another in, their quality out. Owned by one thread.

    A change is counted from the last volume or from the last good one, whichever is nearer: after
    a spike the next volume is good again, and after a lasting jump the second one is.

    Parameters
    ----------
    sd : float32 (n_voxels,)
        Each voxel's noise SD in the calibration.
    """

    def __init__(self, sd: NDArray[np.float32]) -> None:
        self._sd = np.maximum(sd.astype(np.float32), np.float32(1e-6))
        self.restart()

    def restart(self) -> None:
        """Forget the run."""
        self._seen = 0
        self._last = np.full_like(self._sd, np.nan)
        self._good = self._last.copy()
        self._change = 2 * self._sd**2  # the usual squared change of each voxel
        self._usual = nan  # of the volume
        self._counted = 0.0
        self._equal = np.zeros(len(self._sd), np.int16)

    def __call__(self, voxels: NDArray[np.generic], displacement_mm: float = 0.0) -> Quality:
        """The quality of the next volume: voxels (n_voxels,), framewise displacement in mm."""
        values = voxels.astype(np.float32)
        self._seen += 1
        # Squared, a value that is larger would be no number, and spoil all that comes after it.
        values[np.abs(values) > _LARGEST] = np.nan
        alive = np.isfinite(values) & (values != 0) & ~self._stuck(values)
        if self._seen <= START_UP:
            # Not kept either: the fall from a bright one to the first ordinary one is no artefact.
            reason = f"{STARTS_UP} {self._seen} of {START_UP}"
            return Quality(0.0, read_only(alive), nan, reason)
        if not alive.any():
            return self._judged(values, 0.0, alive, nan, "no voxel has a signal")
        square = np.fmin((values - self._last) ** 2, (values - self._good) ** 2)
        known = alive & np.isfinite(square)
        if not known.any():
            return self._judged(values, 1.0, alive, nan, _told(~alive, "are dead"))
        spiking = known & (square > _SPIKE**2 * self._change)
        counted = known if spiking.mean() > _ALL else known & ~spiking
        dvars = self._compare(float(np.sqrt(np.mean((square / self._sd**2)[counted]))))
        weight, reason = _verdict(dvars, displacement_mm)
        self._learn(square, known, spiking)
        reason = reason or _told(spiking, "spike") or _told(~alive, "are dead")
        return self._judged(values, weight, alive & ~spiking, dvars, reason)

    def _stuck(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        self._equal = np.where(values == self._last, np.minimum(self._equal + 1, _STUCK), 0)
        return self._equal >= _STUCK - 1

    def _compare(self, size: float) -> float:
        """The change as a multiple of the usual; a large one raises the usual only a little."""
        if self._counted == 0:
            self._usual, self._counted = float(np.sqrt(2)), _PRIOR_VOLUMES
        ratio = size / self._usual
        self._counted = min(self._counted + 1, USUAL_VOLUMES)
        self._usual *= 1 + (min(ratio, _BAD) - 1) / self._counted
        return ratio

    def _learn(
        self, square: NDArray[np.float32], known: NDArray[np.bool_], spiking: NDArray[np.bool_]
    ) -> None:
        rate = np.float32(1 / self._counted)
        limit = np.where(spiking, self._change, square)
        self._change[known] += rate * (limit - self._change)[known]

    def _judged(
        self,
        values: NDArray[np.float32],
        weight: float,
        usable: NDArray[np.bool_],
        dvars: float,
        reason: str,
    ) -> Quality:
        self._last = values
        if weight == 1.0:
            self._good = np.where(usable, values, self._good)
        return Quality(weight, read_only(usable), dvars, reason)


def _verdict(dvars: float, displacement_mm: float) -> tuple[float, str]:
    """The noise of a volume grows with what is wrong with it, so its weight falls squared."""
    if dvars >= _HOPELESS:
        return 0.0, f"DVARS {dvars:.1f} times the usual"
    by_change = min(1.0, (_BAD / max(dvars, 1e-6)) ** 2)
    by_motion = min(1.0, (_MOVED_MM / max(displacement_mm, 1e-6)) ** 2)
    if min(by_change, by_motion) == 1.0:
        return 1.0, ""
    if by_motion < by_change:
        return by_motion, f"head moved {displacement_mm:.2g} mm"
    return by_change, f"DVARS {dvars:.1f} times the usual"


def _told(bad: NDArray[np.bool_], what: str) -> str:
    few = bad.sum() < _MANY * len(bad)
    return "" if few else f"{int(bad.sum())} of {len(bad)} voxels {what}"
