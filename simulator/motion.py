"""A head that does not keep still, and what the scanner's fixed grid sees of it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, map_coordinates, spline_filter
from scipy.spatial.transform import Rotation

from simulator.anatomy import MARGIN, Anatomy

_WANDER_MM, _WANDER_DEG = 0.15, 0.12  # standard deviation of the slow drift
_WANDER_S = 300.0  # over which it forgets where it was
_JUMP_EVERY_S = 420.0
_JUMP_MM = (0.15, 0.45)
_BREATH_MM = 0.02
_ORDER = 2  # of the splines: half the time of cubic ones, 2-3 units (of 1000) from them
_IN_HEAD = 30.0  # signal that makes a voxel worth resampling


def session_poses(
    volumes: Sequence[int], tr_s: float, scale: float, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Where the head is in every volume of a session, from where it was in the first.

    Parameters
    ----------
    volumes : sequence of int
        How many each run has; between runs the head settles anew.
    tr_s : float
    scale : float
        1 for a quiet person, 0 for a head in a vice.
    rng : numpy.random.Generator

    Returns
    -------
    list of float64 (n_volumes, 6)
        Translations along x, y, z in mm, then rotations about them in radians, around the
        centre of the field of view.
    """
    total = sum(volumes)
    jumps = rng.random(total) < tr_s / _JUMP_EVERY_S
    jumps[np.cumsum(volumes)[:-1]] = True
    steps = jumps[:, None] * _jumps(total, rng)
    path = _wander(steps, tr_s, rng)
    path[:, 1:3] += _BREATH_MM * rng.standard_normal((total, 2))  # aliased, so as good as white
    path = scale * (path - path[0])
    return np.split(path, np.cumsum(volumes)[:-1])


def rigid(pose: NDArray[np.float64], centre_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (4, 4) matrix that moves a point of the head, in scanner mm, to where `pose` has it."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", pose[3:]).as_matrix()
    matrix[:3, 3] = pose[:3] + centre_mm - matrix[:3, :3] @ centre_mm
    return matrix


class MovingHead:
    """The head's signal, resampled to the scanner's grid wherever the head is.

    Parameters
    ----------
    anatomy : Anatomy
    voxels : tuple of int64 (n_voxels,)
        i, j, k of the voxels whose signal changes with what is seen.
    """

    def __init__(self, anatomy: Anatomy, voxels: tuple[NDArray[np.int64], ...]) -> None:
        self._affine = anatomy.affine
        self._head = anatomy.baseline
        self._shape = anatomy.early.shape
        self._changing = (*voxels[:2], voxels[2] + MARGIN)
        inside = binary_dilation(anatomy.in_view > _IN_HEAD, iterations=2)
        self._inside = np.nonzero(inside)
        self._homogeneous = np.stack([*self._inside, np.ones_like(self._inside[0])]).astype(float)
        middle = (np.array(self._shape) - 1) / 2
        self.centre_mm = (self._affine @ [*middle, 1])[:3]

    def seen(self, percent: NDArray[np.float32], pose: NDArray[np.float64]) -> NDArray[np.float32]:
        """The volume (i, j, k) with the voxels changed by `percent` (n_voxels,), moved to `pose`."""
        head = self._head.copy()
        head[self._changing] *= 1 + percent / 100
        if not pose.any():
            return head[..., MARGIN:-MARGIN]
        volume = np.zeros(self._shape, np.float32)
        coefficients = spline_filter(head, order=_ORDER, output=np.float32)
        points = self._sources(pose)
        volume[self._inside] = map_coordinates(
            coefficients, points, order=_ORDER, prefilter=False, mode="nearest", output=np.float32
        )
        return volume

    def _sources(self, pose: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where in the unmoved head's grid each voxel's signal comes from: (3, n)."""
        back = (
            np.linalg.inv(self._affine) @ np.linalg.inv(rigid(pose, self.centre_mm)) @ self._affine
        )
        points = (back @ self._homogeneous)[:3]
        points[2] += MARGIN
        return points


def _wander(
    steps: NDArray[np.float64], tr_s: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """A slow drift that tends back to where it came from, with steps thrown in."""
    keep = np.exp(-tr_s / _WANDER_S)
    spread = np.repeat([_WANDER_MM, np.deg2rad(_WANDER_DEG)], 3) * np.sqrt(1 - keep**2)
    steps = steps + spread * rng.standard_normal(steps.shape)
    path = np.zeros_like(steps)
    for now in range(1, len(path)):
        path[now] = keep * path[now - 1] + steps[now]
    return path


def _jumps(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Moves in random directions; a millimetre goes with about half a degree: (n, 6)."""
    direction = rng.standard_normal((n, 6))
    direction[:, :3] /= np.linalg.norm(direction[:, :3], axis=1, keepdims=True)
    direction[:, 3:] *= np.deg2rad(0.5) / np.linalg.norm(direction[:, 3:], axis=1, keepdims=True)
    return direction * rng.uniform(*_JUMP_MM, (n, 1))
