"""Volume -> Pattern, causally and in O(1) a volume; calibration and live run share this code.

Two running statistics: each voxel's z-score against its own recent past, and for the current
trial the average of the z-scored volumes, weighted by the expected haemodynamic response.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from rtrecon.response import Response
from rtrecon.types import Event, Marker, Pattern, Trial, Volume, read_only

SKIP = 3  # volumes at a run's start, brighter than the rest (T1 saturation)
PRIOR_VOLUMES = 20  # what the calibration's variance is worth against the run's own
MEMORY_S = 60.0  # of the running z-score: docs/signal.md
MIN_WEIGHT = 0.05  # share of a long block's response under which a volume says nothing


class RunningZ:
    """Each voxel against its own recent past, with exponential forgetting.

    Parameters
    ----------
    sd : float32 (n_voxels,)
        Each voxel's standard deviation in the calibration, worth `PRIOR_VOLUMES`.
    memory : float
        Volumes after which a weight has fallen to 1/e: long against a trial, short against drift.
    """

    def __init__(self, sd: NDArray[np.float32], memory: float) -> None:
        self._memory = memory
        self._sd = sd.astype(np.float64)
        self.restart()

    def restart(self) -> None:
        """Forget the run."""
        self._weight = 0.0
        self._mean = np.zeros_like(self._sd)
        self._variance = self._sd**2

    def add(self, voxels: NDArray[np.float64]) -> NDArray[np.float32]:
        """The z-scores (n_voxels,) of one volume's voxels, which then count as past themselves."""
        self._weight = self._weight * np.exp(-1 / self._memory) + 1
        change = voxels - self._mean
        self._mean += change / self._weight
        rest = voxels - self._mean
        self._variance += (change * rest - self._variance) / (PRIOR_VOLUMES + self._weight)
        return (rest / np.sqrt(np.maximum(self._variance, 1e-12))).astype(np.float32)


class Preprocess:
    """Markers and volumes in, patterns out. One run after another; owned by one thread.

    Parameters
    ----------
    voxels : int64 (n_voxels,)
        Which voxels of the volume, counted with i fastest.
    sd : float32 (n_voxels,)
        Their standard deviation in the calibration.
    response : Response
    tr_s : float
    """

    def __init__(
        self, voxels: NDArray[np.int64], sd: NDArray[np.float32], response: Response, tr_s: float
    ) -> None:
        self._voxels = voxels
        self._response = response
        self._tr_s = tr_s
        self._z = RunningZ(sd, memory=MEMORY_S / tr_s)
        self._trials = 0
        self._coming: deque[Trial] = deque(maxlen=1000)
        self.trial: Trial | None = None
        self.activity = float("nan")  # mean z of the newest volume
        self._restart()

    def mark(self, marker: Marker) -> None:
        """Take note of a trial's onset or of a new run."""
        if marker.event is Event.RUN_START:
            self._restart()
        elif marker.event is Event.TRIAL:
            self._trials += 1
            self._coming.append(_trial(self._trials, marker))

    def add(self, volume: Volume) -> Pattern | None:
        """The evidence about the current trial with this volume, or None while there is none."""
        self._seen += 1
        if self._seen <= SKIP:
            return None
        raw = volume.data.ravel(order="F")[self._voxels].astype(np.float64)
        z = self._z.add(raw)
        self.activity = float(z.mean())
        middle_s = volume.end_s(self._tr_s) - self._tr_s / 2
        self._next_trial(middle_s)
        if self.trial is None:
            return None
        weight = self._response.at(middle_s - self.trial.onset_s, self.trial.duration_s)
        if weight >= MIN_WEIGHT:
            self._sum += np.float32(weight) * z
            self._weight += weight
        return self._pattern(volume) if self._weight else None

    def _pattern(self, volume: Volume) -> Pattern:
        assert self.trial is not None
        mean = (self._sum / np.float32(self._weight)).astype(np.float32)
        mean -= mean.mean()  # what all voxels do together is breathing and drift, not a picture
        age_s = volume.end_s(self._tr_s) - self.trial.onset_s
        return Pattern(self.trial, volume.number, age_s, read_only(mean), volume.times)

    def _next_trial(self, middle_s: float) -> None:
        """A trial becomes the current one with the first volume mostly acquired after its onset."""
        while self._coming and self._coming[0].onset_s <= middle_s:
            self.trial = self._coming.popleft()
            self._sum = np.zeros(len(self._voxels), np.float32)
            self._weight = 0.0

    def _restart(self) -> None:
        self._z.restart()
        self._seen = 0
        self._coming.clear()
        self.trial = None
        self._sum = np.zeros(len(self._voxels), np.float32)
        self._weight = 0.0


def _trial(number: int, marker: Marker) -> Trial:
    return Trial(
        number,
        marker.trial_type,
        marker.onset_s,
        marker.duration_s,
        marker.stim_file,
        marker.caption,
    )
