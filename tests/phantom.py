"""A head as a formula: its volume at any position is exact, with no interpolation in it."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

CENTRE_MM = np.array([4.0, -9.0, 6.0])
RADII_MM = np.array([62.0, 74.0, 46.0])
BRIGHT = 900.0  # the head's mean, about
EDGE, TEXTURE = 40.0, 0.05


def head(at_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intensity (n,) at places (3, n): an ellipsoid with an edge, and waves of 9 to 40 mm.

    Its slopes are no steeper than those of real echo-planar volumes: per mm, as a share of the
    brightness, .09 root mean square (two real heads: .12 and .17), the median .07 (.07, .07).
    """
    random = np.random.default_rng(7)
    x = at_mm - CENTRE_MM[:, None]
    inside = 1 / (1 + np.exp(EDGE * (np.linalg.norm(x / RADII_MM[:, None], axis=0) - 1)))
    texture = np.ones(x.shape[1])
    for _ in range(24):
        wave = random.normal(size=3)
        wave *= 2 * np.pi / random.uniform(9, 40) / np.linalg.norm(wave)  # rad per mm
        texture += TEXTURE * np.sin(wave @ x + random.uniform(0, 2 * np.pi))
    return BRIGHT * inside * np.maximum(texture, 0.1)


def volume(
    shape: tuple[int, ...], affine: NDArray[np.float64], pose: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The head as scanned (i, j, k), moved by a rigid `pose` (4, 4) in mm."""
    at_mm = np.linalg.inv(np.eye(4) if pose is None else pose) @ affine @ grid(shape)
    return head(at_mm[:3]).reshape(shape)


def grid(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """All voxels' indices, homogeneous (4, n)."""
    at = np.indices(shape).reshape(3, -1)
    return np.concatenate([at, np.ones((1, at.shape[1]))])


def pose(move_mm: NDArray[np.float64], turn_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rotation (vector) about the head's centre, then a translation: (4, 4) in mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(turn_rad).as_matrix()
    matrix[:3, 3] = move_mm + CENTRE_MM - matrix[:3, :3] @ CENTRE_MM
    return matrix


def poses(count: int, seed: int, most_mm: float = 3.0, most_deg: float = 3.0) -> list[np.ndarray]:
    """Random ones: each of the six numbers evenly up to its limit."""
    random = np.random.default_rng(seed)
    return [
        pose(random.uniform(-most_mm, most_mm, 3), np.radians(random.uniform(-most_deg, most_deg, 3)))
        for _ in range(count)
    ]  # fmt: skip


def centred(
    shape: tuple[int, ...], size_mm: tuple[float, ...], tilt_deg: float = 0.0
) -> np.ndarray:
    """An affine with the head in the middle of the volume, tilted about x as slices often are."""
    affine = np.eye(4)
    tilt = Rotation.from_euler("xz", [tilt_deg, tilt_deg / 3], degrees=True).as_matrix()
    affine[:3, :3] = tilt @ np.diag([-size_mm[0], size_mm[1], size_mm[2]])
    affine[:3, 3] = CENTRE_MM - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def spm_matrix(
    translation_mm: NDArray[np.float64], rotation_rad: NDArray[np.float64]
) -> np.ndarray:
    """SPM's parameters as a (4, 4), written out as in its manual: T @ pitch @ roll @ yaw."""
    (cp, cr, cy), (sp, sr, sy) = np.cos(rotation_rad), np.sin(rotation_rad)
    matrix = np.eye(4)
    pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    roll = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    yaw = np.array([[cy, sy, 0], [-sy, cy, 0], [0, 0, 1]])
    matrix[:3, :3] = pitch @ roll @ yaw
    matrix[:3, 3] = translation_mm
    return matrix


def error_mm(motion, truth: NDArray[np.float64], places_mm: NDArray[np.float64]) -> float:
    """Root mean square over places (4, n) of how far the found pose is from the true one."""
    found = np.linalg.inv(spm_matrix(motion.translation_mm, motion.rotation_rad))
    return float(np.sqrt((((found - truth) @ places_mm) ** 2).sum(axis=0).mean()))
