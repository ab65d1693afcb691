"""The haemodynamic response: what a stimulus does to the BOLD signal, and when."""

from dataclasses import dataclass
from math import isnan

import numpy as np


@dataclass(frozen=True)
class Response:
    """The haemodynamic response to a stimulus: SPM's double gamma, later or slower.

    Attributes
    ----------
    delay_s : float
        By which everything comes later than in the canonical response, which peaks at 5 s.
    stretch : float
        How many times as long everything takes after the delay.
    duration_s : float
        Of the stimulus, where a marker does not say.
    """

    delay_s: float = 0.0
    stretch: float = 1.0
    duration_s: float = 6.0

    def at(self, age_s: float, duration_s: float) -> float:
        """Expected response `age_s` after the onset of a block, as a share of a long block's."""
        duration = self.duration_s if isnan(duration_s) else duration_s
        start = age_s - self.delay_s
        stop = start - max(duration, 0.1)
        return float(_step(start / self.stretch) - _step(stop / self.stretch))


_SETTLED_S = 1000.0  # nothing changes any more; far later, powers of the age are no numbers


def _step(age_s: float) -> float:
    """The response to a stimulus that goes on: the integral of gamma(6) - gamma(16) / 6."""
    t = min(max(age_s, 0.0), _SETTLED_S)
    return (_gamma_share(t, 6) - _gamma_share(t, 16) / 6) / (1 - 1 / 6)


def _gamma_share(t: float, shape: int) -> float:
    """The gamma distribution function for a whole-numbered shape and scale 1 s."""
    term, total = 1.0, 1.0
    for n in range(1, shape):
        term *= t / n
        total += term
    return float(1.0 - np.exp(-t) * total)
