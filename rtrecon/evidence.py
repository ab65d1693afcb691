"""How strongly each voxel answers to the current picture, volume by volume: a Kalman filter.

Each voxel's signal is a baseline that wanders, plus the expected response to each recent trial
times an unknown amplitude, plus noise. All voxels share the times and the model, so they share
one covariance: a volume costs a step of one small matrix and two passes over the voxels.
"""

from dataclasses import dataclass
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dger

from rtrecon.response import Response
from rtrecon.types import Trial, read_only

MIN_SHARE = 0.02  # of an amplitude's prior variance explained; below that there is no estimate
SD_PRIOR = 40.0  # volumes that the calibration's standard deviation is worth
SD_MEMORY = 200.0  # volumes over which the noise is then measured
_UNKNOWN = 1e6  # variance of the baseline before the first volume
_QUIET = 1e-4  # of its variance in the calibration is the least noise a voxel is thought to have
_SURPRISE = 25.0  # a voxel's noise variance learns no more than this many times itself at once


@dataclass(frozen=True)
class Model:
    """What is assumed of every voxel; docs/signal.md says why. Variances in units of the noise's.

    Attributes
    ----------
    drift_per_s : float
        Gained by the baseline, a random walk.
    prior : float
        Of a trial's amplitude, before anything of it is seen.
    trials : int
        How many responses are told apart: the current trial's and those before it.
    coloured : float
        Share of the noise variance that is an AR(1) process, from 0 to below 1.
    memory_s : float
        Time constant of that process.
    """

    drift_per_s: float = 0.015
    prior: float = 4.0
    trials: int = 3
    coloured: float = 0.6
    memory_s: float = 3.5


@dataclass(frozen=True)
class Estimate:
    """What is known about the current trial with the newest volume.

    Attributes
    ----------
    trial : Trial
    amplitude : float32 (n_voxels,)
        Response in units of each voxel's noise SD, of a stimulus that goes on; not shrunk
        towards the prior, so that its size does not depend on the trial's age.
    variance : float
        Of each of these amplitudes, in the same units.
    """

    trial: Trial
    amplitude: NDArray[np.float32]
    variance: float


class Evidence:
    """Volumes and trials in, estimates of the current trial's amplitudes out; O(1) a volume.

    Owned by one thread. No later volume or trial comes into an earlier estimate.

    Parameters
    ----------
    sd : float32 (n_voxels,)
        Each voxel's noise SD in the calibration.
    response : Response
    model : Model, optional
    """

    def __init__(
        self, sd: NDArray[np.float32], response: Response, model: Model | None = None
    ) -> None:
        self.model = model or Model()
        self._response = response
        self._calibration = np.maximum(sd.astype(np.float64), 1e-6) ** 2
        self.restart()

    def restart(self) -> None:
        """Forget the run."""
        base = [_UNKNOWN, self.model.coloured] if self.model.coloured else [_UNKNOWN]
        self._base = len(base)
        self._trials: list[Trial] = []  # in the order of their beginning
        self._covariance = np.diag(base)  # of the baseline, coloured noise, amplitudes
        self._mean = np.zeros((len(base), len(self._calibration)))
        self._origin = np.full_like(self._calibration, np.nan)  # what was seen of each voxel first
        self._noise = self._calibration.copy()  # variance (n_voxels,)
        self._weight = 0.0  # of the volumes in it
        self._log_spread, self._volumes = 0.0, 0  # of what was expected of the volumes
        self._now_s = -inf

    @property
    def noise_sd(self) -> NDArray[np.float32]:
        """Each voxel's noise SD (n_voxels,): the calibration's, and more and more the run's own."""
        return np.sqrt(self._noise).astype(np.float32)

    @property
    def log_likelihood(self) -> NDArray[np.float64]:
        """How well each voxel's run was foreseen (n_voxels,): nats a volume, but for a constant.

        Under the noise found in the run itself, so that responses can be compared by it.
        """
        return -self._log_spread / max(self._volumes, 1) - np.log(self._noise) / 2

    def begin(self, trial: Trial) -> None:
        """A trial becomes the current one with the next volume; the oldest makes room for it.

        One with the current trial's onset takes its place, since nothing could tell them apart.
        One that lies in the future has no estimate before its response begins.
        """
        replaced = bool(self._trials) and self._trials[-1].onset_s == trial.onset_s
        past = len(self._trials) - replaced
        stay = range(max(0, past - self.model.trials + 1), past)
        self._trials = [*(self._trials[n] for n in stay), trial]
        states = [*range(self._base), *(self._base + n for n in stay)]
        self._mean = np.vstack([self._mean[states], np.zeros_like(self._noise)])
        before = self._covariance
        self._covariance = np.diag([0.0] * len(states) + [self.model.prior])
        self._covariance[:-1, :-1] = before[np.ix_(states, states)]

    def add(
        self, voxels: NDArray[np.floating], middle_s: float, weight: float = 1.0
    ) -> Estimate | None:
        """The estimate with this volume, or None while it says nothing about any trial.

        Parameters
        ----------
        voxels : float (n_voxels,)
            One that is not finite is taken to be as expected and learns nothing.
        middle_s : float
            Middle of the volume's acquisition, in run time.
        weight : float
            1 for an ordinary volume, less for a worse one; at 0 only time passes.

        Raises
        ------
        ValueError
            The volume is not later than the one before.
        """
        self._pass_time(middle_s)
        finite = np.isfinite(voxels)
        if weight > 0 and finite.any():
            self._see(voxels, finite, weight)
        return self.estimate()

    def _pass_time(self, middle_s: float) -> None:
        """What has happened to baseline and coloured noise since the last volume, seen or not."""
        if middle_s <= self._now_s:
            raise ValueError(f"a volume at {middle_s:g} s comes after one at {self._now_s:g} s")
        passed_s = middle_s - self._now_s if self._now_s > -inf else 0.0
        self._now_s = middle_s
        self._covariance[0, 0] += self.model.drift_per_s * passed_s
        if self.model.coloured:
            kept = exp(-passed_s / self.model.memory_s)
            self._mean[1] *= kept
            self._covariance[1] *= kept
            self._covariance[:, 1] *= kept
            self._covariance[1, 1] += self.model.coloured * (1 - kept**2)

    def _see(self, voxels: NDArray[np.floating], finite: NDArray[np.bool_], weight: float) -> None:
        seen = self._seen()
        expected = seen @ self._mean
        if np.isnan(self._origin).any():  # at a run's start, as a rule
            fresh = finite & np.isnan(self._origin)
            self._origin[fresh] = voxels[fresh] - expected[fresh]
        surprise = voxels - self._origin
        surprise -= expected
        surprise[~finite] = 0
        shared = self._covariance @ seen
        variance = float(seen @ shared) + (1 - self.model.coloured) / weight
        gain = shared / variance
        self._covariance -= np.outer(gain, shared)
        # In place: mean += outer(gain, surprise), without an array of that size in between.
        dger(1.0, surprise, gain, a=self._mean.T, overwrite_a=1)
        if variance < _UNKNOWN / 2:  # the first volume shows no noise
            self._log_spread += log(variance) / 2
            self._volumes += 1
            self._learn_noise(surprise, finite, variance, weight)

    def _seen(self) -> NDArray[np.float64]:
        """What of each state is in a volume at this moment."""
        responses = [self._response.at(self._now_s - t.onset_s, t.duration_s) for t in self._trials]
        return np.array([1.0] * self._base + responses)

    def _learn_noise(
        self,
        surprise: NDArray[np.float64],
        finite: NDArray[np.bool_],
        variance: float,
        weight: float,
    ) -> None:
        """The running mean of the squared surprises, in units of what was expected of them.

        Works in the array of the surprises, which nobody needs after it.
        """
        self._weight = min(self._weight + weight, SD_MEMORY)
        found = np.square(surprise, out=surprise)
        found /= variance
        np.minimum(found, _SURPRISE * self._noise, out=found)  # a spike is not the voxel's noise
        found -= self._noise
        found[~finite] = 0
        found *= weight / (SD_PRIOR + self._weight)
        self._noise += found
        np.maximum(self._noise, _QUIET * self._calibration, out=self._noise)

    def estimate(self, back: int = 0) -> Estimate | None:
        """What is known of the current trial, or of the one begun `back` trials before it.

        None where there is no such trial (any more) or nothing has been seen of its response.
        """
        if back >= len(self._trials):
            return None
        state = len(self._mean) - 1 - back
        share = 1 - float(self._covariance[state, state]) / self.model.prior
        if share < MIN_SHARE:
            return None
        amplitude = self._mean[state] / (share * np.sqrt(self._noise))
        variance = self.model.prior * (1 / share - 1)
        return Estimate(self._trials[-1 - back], read_only(amplitude.astype(np.float32)), variance)
