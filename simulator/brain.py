"""A simulated person's visual cortex: pictures in, changes of the BOLD signal out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammainc

from simulator.anatomy import Anatomy, load_anatomy
from simulator.gallery import Gallery, Shown
from simulator.scenes import NOISE, SCENES
from simulator.vision import EarlyVision, VentralVision, smoothed

_REFERENCE_S = 6.0  # a picture shown this long evokes a response of peak 1
# The next three make single trials repeat as in good 3 T data, and single-trial decoding about
# as hard: `python -m simulator.reliability` measures it.
_SPECIFIC_PERCENT = 1.38  # per unit of sqrt(r / (1 - r)), r being a voxel's reliability
_COMMON_PERCENT = 1.2  # response to any picture, mean over voxels
_MUSING_GAIN = 1.1  # ongoing activity against what a picture evokes in the same voxel
_MUSING_S = 2.0  # how often, and for how long, ongoing activity turns to something else
_LEAD_S = 40.0  # of ongoing activity before a run: as long as a response lasts


@dataclass(frozen=True)
class Haemodynamics:
    """A double-gamma response (Glover's form). Times in seconds."""

    peak_s: float = 6.0
    undershoot_s: float = 16.0
    dispersion_s: float = 1.0
    undershoot: float = 1 / 6

    def __call__(
        self, since_onset_s: NDArray[np.float64], duration_s: float
    ) -> NDArray[np.float64]:
        """Response to a stimulus of some duration; one of 6 s peaks at 1.

        The response to a block is the difference of two steps, each an incomplete gamma
        function, so that no time grid comes in.
        """
        reference = np.linspace(0, 20, 201)
        peak = (self._step(reference) - self._step(reference - _REFERENCE_S)).max()
        return (self._step(since_onset_s) - self._step(since_onset_s - duration_s)) / peak

    def _step(self, since_s: NDArray[np.float64]) -> NDArray[np.float64]:
        at = np.maximum(since_s, 0) / self.dispersion_s
        up = gammainc(self.peak_s / self.dispersion_s, at)
        return up - self.undershoot * gammainc(self.undershoot_s / self.dispersion_s, at)


class Brain:
    """One person, all of whose peculiarities come from a seed.

    Parameters
    ----------
    seed : int
    effect : float
        Scales everything that pictures evoke; 0 is a brain that sees nothing.
    ongoing : float
        Scales spontaneous activity.
    gallery : Gallery
        The pictures that this person lives among: voxels are tuned to what tells them apart, and
        respond to them as strongly as to those of any other.

    Attributes
    ----------
    effect, ongoing : float
        As given.
    anatomy : Anatomy
    voxels : (int64 (n_voxels,), ) * 3
        i, j and k of the voxels that respond; early ones first.
    n_early : int
        How many of them are early.
    reliability : float32 (n_voxels,)
        Test-retest correlation that each voxel's single trials are made for at effect 1.
    """

    def __init__(
        self,
        seed: int = 0,
        effect: float = 1.0,
        ongoing: float = 1.0,
        gallery: Gallery = SCENES,
    ) -> None:
        self.anatomy: Anatomy = load_anatomy()
        self.effect, self.ongoing = effect, ongoing
        rng = np.random.default_rng([seed, 1])
        regions = (self.anatomy.early, self.anatomy.ventral)
        early, ventral = (np.nonzero(region) for region in regions)
        self.n_early = len(early[0])
        self.voxels = tuple(np.concatenate(pair) for pair in zip(early, ventral, strict=True))
        self._early = EarlyVision(self.anatomy.mni_mm[early], gallery, rng)
        self._ventral = VentralVision(self.anatomy.mni_mm[ventral], gallery, rng)
        self._standard = np.concatenate([self._early.standard, self._ventral.standard], axis=1)
        self._shape_responses(rng)

    def _shape_responses(self, rng: np.random.Generator) -> None:
        good, active = self._patches(rng)
        self.reliability = stats.beta.ppf(good, 2.2, 6.0).astype(np.float32)
        self._specific = _SPECIFIC_PERCENT * np.sqrt(self.reliability / (1 - self.reliability))
        self._common = stats.gamma.ppf(active, 4.0, scale=_COMMON_PERCENT / 4.0)
        peak_s, dispersion_s = rng.normal(6.0, 0.4), rng.normal(1.0, 0.06)
        self.haemodynamics = (  # early cortex leads a little
            Haemodynamics(peak_s - 0.15, dispersion_s=dispersion_s),
            Haemodynamics(peak_s + 0.15, dispersion_s=dispersion_s),
        )

    def _patches(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Two quantiles for each voxel, alike among neighbours: (2, n_voxels), inside 0 to 1."""
        own = rng.standard_normal((2, len(self.voxels[0])), np.float32)
        fields = smoothed(own, self.anatomy.mni_mm[self.voxels]) + own
        ranks = stats.rankdata(fields, axis=1)
        return ((ranks - 0.5) / own.shape[1]).astype(np.float32)

    def responses(self, shown: Sequence[Shown], images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Percent signal change at the peak of a 6 s presentation: (n, n_voxels).

        `images`: uint8 (n, s, s, 3), the pictures as drawn. Early voxels see these alone,
        ventral ones what is shown alone.
        """
        specific = np.concatenate([self._early(images), self._ventral(shown)], axis=1)
        common = np.repeat(self._common[None], len(shown), axis=0)
        patterns = [picture.kind == NOISE for picture in shown]
        common[patterns, self.n_early :] *= 0.3  # there is no thing to respond to
        return (self.effect * (common + self._specific * specific)).astype(np.float32)

    def evoked(
        self,
        responses: NDArray[np.float32],
        onsets_s: Sequence[float] | NDArray[np.floating],
        duration_s: float,
        tr_s: float,
        n_volumes: int,
    ) -> NDArray[np.float32]:
        """Percent signal change in each volume of a run: (n_volumes, n_voxels).

        `responses`: (n, n_voxels), a row a trial. Each slice is taken at its own time.
        """
        start_s = np.arange(n_volumes) * tr_s
        within_s = slice_times_s(self.anatomy.early.shape[2], tr_s)[self.voxels[2]]
        change = np.empty((n_volumes, len(within_s)), np.float32)
        for region, response in zip(self._region_columns(), self.haemodynamics, strict=True):
            for time_s in np.unique(within_s[region]):
                columns = region[within_s[region] == time_s]
                since_s = (start_s + time_s)[:, None] - np.asarray(onsets_s)
                change[:, columns] = response(since_s, duration_s) @ responses[:, columns]
        return change

    def spontaneous(
        self, tr_s: float, n_volumes: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Percent signal change without any cause outside: (n_volumes, n_voxels).

        Spontaneous activity resembles evoked activity (Kenet et al. 2003, Nature 425:954), and
        that is what limits decoding: noise along the very patterns that carry the pictures does
        not average out over voxels. Here cortex muses about pictures of its own, one after the
        other, whatever is shown.
        """
        n_musings = int((n_volumes * tr_s + _LEAD_S) / _MUSING_S)
        onsets_s = np.arange(n_musings) * _MUSING_S - _LEAD_S
        chosen = rng.integers(len(self._standard), size=n_musings)
        gain = self.ongoing * _MUSING_GAIN * rng.standard_normal((n_musings, 1))
        patterns = (gain * self._specific * self._standard[chosen]).astype(np.float32)
        return self.evoked(patterns, onsets_s, _MUSING_S, tr_s, n_volumes)

    def _region_columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        columns = np.arange(len(self.voxels[0]))
        return columns[: self.n_early], columns[self.n_early :]


def slice_times_s(n_slices: int, tr_s: float) -> NDArray[np.float64]:
    """When in a volume each slice is excited: interleaved, even slices first."""
    order = np.concatenate([np.arange(0, n_slices, 2), np.arange(1, n_slices, 2)])
    times_s = np.empty(n_slices)
    times_s[order] = (np.arange(n_slices) + 0.5) * tr_s / n_slices
    return times_s
