"""Several echoes of one volume as one: weighted by what each can tell of the BOLD signal."""

from collections.abc import Sequence
from math import exp, isfinite

import numpy as np
from numpy.typing import NDArray

# Grey matter, by field in tesla: Wansapura et al. 1999 (3 T), Peters et al. 2007 (1.5 T and 7 T,
# where what they give for 3 T, 66 ms, is higher than most since).
T2STAR_S = {1.5: 0.084, 3.0: 0.045, 7.0: 0.033}


def usual_t2star_s(field_t: float) -> float:
    """T2* of grey matter at a field strength (nan: unknown, taken as 3 T), in seconds."""
    if not isfinite(field_t):
        return T2STAR_S[3.0]
    return T2STAR_S[min(T2STAR_S, key=lambda known: abs(known - field_t))]


def weights(echo_times_s: Sequence[float], t2star_s: float) -> NDArray[np.float64]:
    """How much each echo counts (n_echoes,), in all 1: TE x exp(-TE / T2*).

    Posse et al. 1999, Magnetic Resonance in Medicine 42: the contrast that a change of T2* makes in
    each echo. Equal shares where an echo time is not known.
    """
    if not all(isfinite(te) and te > 0 for te in echo_times_s):
        return np.full(len(echo_times_s), 1 / len(echo_times_s))
    raw = np.array([te * exp(-te / t2star_s) for te in echo_times_s])
    return raw / raw.sum()


def combine(
    volumes: Sequence[NDArray[np.generic]], echo_times_s: Sequence[float], t2star_s: float
) -> NDArray[np.float32]:
    """Volumes (i, j, k), one an echo, as their weighted mean."""
    total = np.zeros(volumes[0].shape, np.float32)
    for volume, weight in zip(volumes, weights(echo_times_s, t2star_s), strict=True):
        total += np.float32(weight) * volume.astype(np.float32)
    return total
