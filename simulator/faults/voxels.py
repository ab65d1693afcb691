"""What faults do to the voxels of a volume."""

import numpy as np
from numpy.typing import NDArray

from simulator.faults.plan import Fault

_BRIGHT = 20
Voxels = NDArray[np.generic]


def altered(data: Voxels, fault: Fault, number: int) -> Voxels:
    """The volume (i, j, k) of this number as a fault leaves it; the same where it leaves it be."""
    if fault.kind == "nan":
        return np.full_like(data, np.nan)
    if fault.kind == "constant":
        return np.full_like(data, data.dtype.type(data.mean()))
    if fault.kind == "truncate":
        return _truncated(data, fault.size)
    if fault.kind == "spike":
        return _spiked(data, fault.size, number)
    if fault.kind in {"shift", "jump"}:
        # Round the edge, as the phase-encoded axis of an echo-planar image does.
        return np.roll(data, round(fault.size), axis=1)
    return data


def _truncated(data: Voxels, share: float) -> Voxels:
    sent = data.ravel(order="F").copy()
    sent[round(share * sent.size) :] = 0
    return sent.reshape(data.shape, order="F")


def _spiked(data: Voxels, share: float, number: int) -> Voxels:
    bright = np.random.default_rng(number).random(data.shape) < share
    top = np.iinfo(np.int16).max if data.dtype == np.int16 else np.inf
    values = np.where(bright, np.minimum(data.astype(np.float64) * _BRIGHT, top), data)
    return values.astype(data.dtype)
