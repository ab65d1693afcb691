"""Everything in the signal of a run that is neither picture, nor motion, nor anatomy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from simulator.anatomy import VOXEL_MM, Anatomy
from simulator.brain import slice_times_s

_FWHM_PER_SD = 2.3548


@dataclass(frozen=True)
class NoiseLevels:
    """How much of what: percent of the baseline in grey matter unless it says otherwise."""

    autoregressive: float = 0.9  # standard deviation, half of its variance smooth
    memory_s: float = 3.5  # time constant of its autocorrelation: .56 at a TR of 2 s
    smooth_mm: float = 6.0  # full width at half maximum of the smooth half
    drift: float = 0.6  # standard deviation of what is slower than two minutes
    cardiac: float = 0.35  # where vessels pulsate; less elsewhere
    respiratory: float = 0.3
    thermal: float = 6.5  # signal units, everywhere alike: grey matter has about 1000
    saturation: tuple[float, ...] = (14.0, 3.5, 0.8)  # brighter first volumes


class RunNoise:
    """The noise of one run.

    Parameters
    ----------
    anatomy : Anatomy
    tr_s : float
    n_volumes : int
    rng : numpy.random.Generator
        Drives all of it; nothing that is shown comes in.
    levels : NoiseLevels, optional
    """

    def __init__(
        self,
        anatomy: Anatomy,
        tr_s: float,
        n_volumes: int,
        rng: np.random.Generator,
        levels: NoiseLevels | None = None,
    ) -> None:
        self._anatomy, self._tr_s, self._n, self._rng = anatomy, tr_s, n_volumes, rng
        self.levels = levels or NoiseLevels()

    def fractions(self) -> Iterator[NDArray[np.float32]]:
        """What each volume's signal is multiplied by, less 1: float32 (i, j, k)."""
        noises = zip(self._autoregressive(), self._drift(), self._pulsation(), strict=True)
        for number, (fast, slow, pulse) in enumerate(noises):
            yield fast + slow + pulse + self._saturation(number)

    def thermal(self) -> NDArray[np.float32]:
        """White noise of the receiver in signal units: (i, j, k)."""
        return self.levels.thermal * self._normal()

    def _autoregressive(self) -> Iterator[NDArray[np.float32]]:
        """AR(1) noise of which half the variance is smooth in space."""
        sigma = self.levels.smooth_mm / _FWHM_PER_SD / np.abs(VOXEL_MM)
        gain = 1 / _sd_after_smoothing(sigma)
        memory = np.exp(-self._tr_s / self.levels.memory_s)
        scale = np.float32(self.levels.autoregressive / 100 / np.sqrt(2))
        now = np.zeros(self._anatomy.early.shape, np.float32)
        fresh = np.float32(1.0)  # the first volume is drawn from the stationary distribution
        for _ in range(self._n):
            smooth = gaussian_filter(self._normal(), sigma, truncate=2.5) * np.float32(gain)
            now = np.float32(memory) * now + fresh * scale * (smooth + self._normal())
            fresh = np.float32(np.sqrt(1 - memory**2))
            yield now

    def _drift(self) -> Iterator[NDArray[np.float32]]:
        """Slow cosines of random phase, each with a smooth map of its own, and a trend."""
        run_s = self._n * self._tr_s
        at = (np.arange(self._n) + 0.5) / self._n
        periods = max(1, int(run_s / 128))
        courses = [np.linspace(-1.7, 1.7, self._n)]
        for half_waves in range(1, 2 * periods + 1):
            phase = self._rng.uniform(0, 2 * np.pi)
            courses.append(np.sqrt(2) * np.cos(np.pi * half_waves * at + phase))
        fall = 1 / (1 + np.arange(len(courses)))
        fall *= self.levels.drift / 100 / np.linalg.norm(fall)
        maps = np.stack([self._smooth_map(4.0) for _ in courses]) * fall[:, None, None, None]
        maps = maps.astype(np.float32)
        for weights in np.array(courses, np.float32).T:
            yield np.tensordot(weights, maps, axes=1)

    def _pulsation(self) -> Iterator[NDArray[np.float32]]:
        """Heartbeat and breathing, each slice caught at its own phase."""
        anatomy = self._anatomy
        vessels = 0.4 + 2.0 * np.clip(gaussian_filter(anatomy.fluid, 1.5), 0, 0.5)
        sources = (
            (1.08, 0.03, self.levels.cardiac * vessels, 1.5),
            (0.27, 0.02, self.levels.respiratory * np.ones_like(vessels), 6.0),
        )
        beats = [self._beat(*source) for source in sources]
        for cardiac, respiratory in zip(*beats, strict=True):
            yield cardiac + respiratory

    def _beat(
        self, rate_hz: float, wander: float, percent: NDArray[np.float32], smooth_voxels: float
    ) -> Iterator[NDArray[np.float32]]:
        """One rhythm whose rate wanders; amplitude and phase vary smoothly over the head."""
        starts_s = np.arange(self._n) * self._tr_s
        within_s = slice_times_s(self._anatomy.early.shape[2], self._tr_s)
        wandering = np.cumsum(self._rng.normal(0, wander * np.sqrt(self._tr_s), self._n))
        rate_hz *= self._rng.normal(1, 0.05)
        phase = (
            2 * np.pi * rate_hz * (starts_s[:, None] + within_s) + 2 * np.pi * wandering[:, None]
        )
        amplitude = percent / 100 * np.sqrt(2)
        lead = (amplitude * self._smooth_map(smooth_voxels)).astype(np.float32)
        lag = (amplitude * self._smooth_map(smooth_voxels)).astype(np.float32)
        for at in phase.astype(np.float32):
            yield lead * np.cos(at) + lag * np.sin(at)

    def _saturation(self, number: int) -> NDArray[np.float32] | float:
        """Brightness before the magnetisation is steady: most in fluid, whose T1 is long."""
        if number >= len(self.levels.saturation):
            return 0.0
        return self.levels.saturation[number] / 100 * (0.7 + 0.6 * self._anatomy.fluid)

    def _smooth_map(self, smooth_voxels: float) -> NDArray[np.float32]:
        """A random map of variance 1 (0.5 for one of a sine and cosine pair)."""
        field = gaussian_filter(self._normal(), smooth_voxels, mode="wrap")
        return field / field.std()

    def _normal(self) -> NDArray[np.float32]:
        return self._rng.standard_normal(self._anatomy.early.shape, np.float32)


def _sd_after_smoothing(sigma: NDArray[np.float64]) -> float:
    """Standard deviation that smoothing leaves of white noise of variance 1."""
    impulse = np.zeros((15, 15, 15))
    impulse[7, 7, 7] = 1
    return float(np.linalg.norm(gaussian_filter(impulse, sigma, truncate=2.5)))
