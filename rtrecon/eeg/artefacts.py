"""Samples that are no EEG: too large, flat, too steep, or no numbers at all."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from rtrecon.eeg.filters import Filter, Samples, Tail, high_pass
from rtrecon.eeg.settings import Artefacts

LARGEST_UV = 1e7  # whatever is larger is cut to this, so that no filter is full of it for ever

KINDS = ("not a number", "flat", "too large", "too steep")


def cleaned(
    samples: Samples, last: NDArray[np.float64] | None
) -> tuple[Samples, NDArray[np.bool_]]:
    """Samples that filters can take, and which of them were no numbers.

    Parameters
    ----------
    samples : float64 (n, n_channels), microvolts
    last : float64 (n_channels,) or None
        What came out for the sample before; stands in where there is no number.
    """
    missing = ~np.isfinite(samples)
    clean = np.clip(samples, -LARGEST_UV, LARGEST_UV)
    if missing.any():
        before = np.zeros(samples.shape[1]) if last is None else last
        for row in np.flatnonzero(missing.any(axis=1)):
            held = clean[row - 1] if row else before
            clean[row] = np.where(missing[row], held, clean[row])
    return clean, missing


class Detector:
    """Which samples of which channels are artefacts, each by what came up to it. One thread.

    Parameters
    ----------
    artefacts : Artefacts
    rate_hz : float

    Attributes
    ----------
    spread_uv : float64 (n_channels,)
        Standard deviation of each channel over the newest chunk and `flat_s` before: its quality.
    """

    def __init__(self, artefacts: Artefacts, rate_hz: float) -> None:
        self._limits = artefacts
        self._steepest_uv = artefacts.steep_uv_per_ms * 1e3 / rate_hz
        self._slow = Filter(high_pass(rate_hz))
        self._flat_length = max(2, round(artefacts.flat_s * rate_hz))
        self._before, self._recent, self._last = (
            Tail(self._flat_length - 1),
            Tail(self._flat_length),
            Tail(1),
        )
        self.spread_uv: NDArray[np.float64] = np.zeros(0)

    def __call__(self, samples: Samples, missing: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """What is wrong with each: uint8 (n, n_channels), 0 for nothing, else 1 + place in `KINDS`.

        Parameters
        ----------
        samples : float64 (n, n_channels)
            Microvolts, as `cleaned` gives them, mains taken out.
        missing : bool (n, n_channels)
            Which were no numbers.
        """
        course = self._slow(samples)
        found = np.zeros(samples.shape, np.uint8)
        found[self._steep(samples)] = 4
        found[np.abs(course) > self._limits.amplitude_uv] = 3
        found[self._flat(samples)] = 2
        found[missing] = 1
        self.spread_uv = self._recent.extended(course).std(axis=0)
        return found

    def reset(self) -> None:
        """Begin anew after a gap."""
        for part in (self._slow, self._before, self._recent, self._last):
            part.reset()

    def _steep(self, samples: Samples) -> NDArray[np.bool_]:
        steep = np.zeros(samples.shape, bool)
        both = self._last.extended(samples)
        if self._steepest_uv:
            steps = np.abs(np.diff(both, axis=0)) > self._steepest_uv
            steep[len(samples) - len(steps) :] = steps
        return steep

    def _flat(self, samples: Samples) -> NDArray[np.bool_]:
        """Where the newest `flat_s` of a channel keep within `flat_uv`."""
        both = self._before.extended(samples)
        length, n = self._flat_length, len(samples)
        flat = np.zeros(samples.shape, bool)
        if self._limits.flat_uv and len(both) >= length:
            ends = {"axis": 0, "origin": (length - 1) // 2, "mode": "nearest"}
            spread = maximum_filter1d(both, length, **ends) - minimum_filter1d(both, length, **ends)
            whole = min(n, len(both) - length + 1)  # the others know too little yet
            flat[n - whole :] = spread[len(both) - whole :] < self._limits.flat_uv
        return flat
