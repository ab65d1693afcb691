"""Volumes at positions between their voxels: linear, or a cubic B-spline by matrix products.

Arrays are (i, j, k) to the caller; inside, k comes first, since a volume has i fastest and is then
walked through in the order of its memory.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

LINEAR, CUBIC = 1, 3


class Filter:
    """Smoothing and the spline's own filter along all three axes, folded into a matrix an axis.

    The recursive spline filter alone takes eight times as long on 64 x 64 x 34 voxels, and
    smoothing costs nothing on top of the three products (docs/motion.md).

    Parameters
    ----------
    shape : (int, int, int)
        Voxels along i, j, k.
    order : LINEAR or CUBIC
    smoothing : (float, float, float)
        Standard deviation of a Gaussian along i, j, k, in voxels; 0: none.
    beyond : "mirror" or "constant"
        What the smoothing finds outside of the volume: its mirror image, or zeros.
    """

    def __init__(
        self,
        shape: Sequence[int],
        order: int,
        smoothing: Sequence[float] = (0.0, 0.0, 0.0),
        beyond: Literal["mirror", "constant"] = "mirror",
    ) -> None:
        self._nothing_to_do = order == LINEAR and not any(smoothing)
        lines = zip(shape, smoothing, strict=True)
        i, self._j, self._k = (_matrix(n, order, sd, beyond) for n, sd in lines)
        self._i = np.ascontiguousarray(i.T)

    def __call__(self, volume: NDArray[np.generic]) -> NDArray[np.float32]:
        """The coefficients (i, j, k) that `sample` takes, of a volume (i, j, k)."""
        data = volume.T.astype(np.float32, order="C")  # (k, j, i)
        if self._nothing_to_do:
            return data.T
        shape = data.shape
        data = (data.reshape(-1, shape[2]) @ self._i).reshape(shape)
        data = np.matmul(self._j, data)
        return (self._k @ data.reshape(shape[0], -1)).reshape(shape).T


def _matrix(n: int, order: int, sd: float, beyond: str) -> NDArray[np.float32]:
    """What the filters do to a line of n voxels: (n, n)."""
    line = np.eye(n)
    if sd:
        line = ndimage.gaussian_filter1d(line, sd, axis=0, mode=beyond)
    if order > LINEAR:
        line = ndimage.spline_filter1d(line, order, axis=0, mode="mirror")
    line[np.abs(line) < 1e-9] = 0  # the spline's far tails: denormal numbers make products slow
    return line.astype(np.float32)


def sample(
    coefficients: NDArray[np.float32], positions: NDArray[np.float64], order: int
) -> NDArray[np.float32]:
    """Values (n,) at voxel positions (3, n); outside of the volume, the values at its edge."""
    last = np.array(coefficients.shape, float)[:, None] - 1
    inside = np.clip(positions, 0, last)
    return ndimage.map_coordinates(
        coefficients, inside, np.float32, order, mode="mirror", prefilter=False
    )
