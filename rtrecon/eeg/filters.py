"""Causal filters whose output does not depend on how the samples were cut into chunks."""

import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

Sections = NDArray[np.float64]  # (n_sections, 6)
Samples = NDArray[np.float64]  # (n_samples, n_channels)

ORDER = 2  # of the Butterworth prototype: about 0.11 s of delay in a band 4 Hz wide
NOTCH_Q = 30.0
SLOW_HZ = 1.0  # below lies the drift of electrodes


def band_pass(low_hz: float, high_hz: float, rate_hz: float) -> Sections:
    """Butterworth band-pass as second-order sections."""
    return dsp.butter(ORDER, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")


def high_pass(rate_hz: float) -> Sections:
    """What takes out the drift, Butterworth."""
    return dsp.butter(ORDER, SLOW_HZ, "highpass", fs=rate_hz, output="sos")


def notch(mains_hz: float, rate_hz: float) -> Sections:
    """What takes out the mains."""
    return dsp.tf2sos(*dsp.iirnotch(mains_hz, NOTCH_Q, fs=rate_hz))


class Filter:
    """Second-order sections, one after the other, with the state carried from chunk to chunk.

    It begins as if the first sample had been there for ever: an electrode's offset of millivolts
    is no step then. Owned by one thread.
    """

    def __init__(self, sections: Sections) -> None:
        self._sections = sections
        self._settled = dsp.sosfilt_zi(sections)[:, :, np.newaxis]  # (n_sections, 2, 1)
        self._condition: NDArray[np.float64] | None = None  # (n_sections, 2, n_channels)

    def __call__(self, samples: Samples) -> Samples:
        """Filter the next samples (n_samples, n_channels)."""
        if not len(samples):
            return samples
        if self._condition is None:
            self._condition = self._settled * samples[0]
        filtered, self._condition = dsp.sosfilt(self._sections, samples, axis=0, zi=self._condition)
        # In one order in memory always: means would differ in their last bit.
        return np.ascontiguousarray(filtered)

    def reset(self) -> None:
        """Begin anew with the next sample."""
        self._condition = None


class Tail:
    """The newest `length` samples. Owned by one thread."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._kept: Samples | None = None

    def extended(self, samples: Samples) -> Samples:
        """What is kept, followed by `samples`; the newest `length` of both are kept then."""
        both = samples if self._kept is None else np.concatenate([self._kept, samples])
        self._kept = both[max(0, len(both) - self.length) :].copy()
        return both

    def reset(self) -> None:
        """Forget all."""
        self._kept = None
