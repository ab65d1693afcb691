"""Heads that can be moved exactly, or nearly, for the benchmark of motion."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rtrecon import landmarks
from tests import phantom, scans

TSNR = 80
WANTED = 10_000  # voxels a decoder reads
_SMALL = (0.05, 0.001)  # mm and rad, over which slopes are taken


@dataclass
class Head:
    """Something to move: `moved(pose)` is free of noise and exact, or nearly.

    `empty` (i, j, k): voxels that the scanner sets to zero, wherever the head is.
    """

    name: str
    affine: NDArray[np.float64]
    moved: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    empty: NDArray[np.bool_] | None = None
    still: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.still = self.moved(np.eye(4))
        self.level = float(np.median(self.still[self.still > self.still.mean()]))
        inside = np.flatnonzero(self.still.ravel(order="F") > self.level / 2)
        self.voxels = np.random.default_rng(0).choice(inside, WANTED, replace=False)
        at = np.array(np.unravel_index(self.voxels, self.still.shape, order="F"))
        self.places_mm = landmarks.places_mm(self.affine, at)

    def scan(self, pose: NDArray[np.float64], seed: int) -> NDArray[np.int16]:
        """A volume as the scanner sends it, at the tSNR."""
        noise = np.random.default_rng(seed).normal(0, self.level / TSNR, self.still.shape)
        volume = np.clip(self.moved(pose) + noise, 1, 32767).round()
        volume = volume if self.empty is None else np.where(self.empty, 0, volume)
        return np.asfortranarray(volume.astype(np.int16))

    def poses(self, count: int) -> list[NDArray[np.float64]]:
        """Random motions about this head's centre."""
        shift = np.eye(4)
        shift[:3, 3] = self.places_mm[:3].mean(axis=1) - phantom.CENTRE_MM
        return [shift @ pose @ np.linalg.inv(shift) for pose in phantom.poses(count, seed=1)]

    def error_mm(self, found, true) -> float:
        """Root mean square over the wanted voxels."""
        return float(np.sqrt((((found - true) @ self.places_mm) ** 2).sum(axis=0).mean()))

    def least_mm(self) -> float:
        """The least error that the noise of both volumes leaves (Cramer and Rao), as `error_mm`."""
        noise = np.sqrt(2) * self.level / TSNR
        seen = slice(None) if self.empty is None else ~self.empty.ravel()
        slopes = np.stack([s.ravel()[seen] for s in (*self._slopes(), self.still)], axis=1)
        covariance = noise**2 * np.linalg.inv(slopes.T @ slopes)[:6, :6]
        x, y, z = (self.places_mm[:3].T - self._centre_mm).T
        o, e = np.zeros_like(x), np.ones_like(x)
        moves = np.array([[e, o, o, o, z, -y], [o, e, o, -z, o, x], [o, o, e, y, -x, o]])
        return float(np.sqrt(np.einsum("dpn,pq,dqn->n", moves, covariance, moves).mean()))

    def _slopes(self) -> list[NDArray[np.float64]]:
        """The volume's change per mm along x, y, z and per rad about them."""
        steps = np.repeat(_SMALL, 3) * np.eye(6)
        pairs = [(self._moved_by(step), self._moved_by(-step)) for step in steps]
        return [(a - b) / (2 * step.sum()) for (a, b), step in zip(pairs, steps, strict=True)]

    def _moved_by(self, step: NDArray[np.float64]) -> NDArray[np.float64]:
        shift = np.eye(4)
        shift[:3, 3] = self._centre_mm - phantom.CENTRE_MM
        return self.moved(shift @ phantom.pose(step[:3], step[3:]) @ np.linalg.inv(shift))

    @property
    def _centre_mm(self) -> NDArray[np.float64]:
        return self.places_mm[:3].mean(axis=1)


def phantom_head(shape, size_mm, zeroed: bool = False) -> Head:
    """The formula; nothing in it is interpolated."""
    affine = phantom.centred(shape, size_mm, tilt_deg=12)
    empty = phantom.volume(shape, affine) < 0.15 * phantom.BRIGHT if zeroed else None
    name = "phantom" + ", background zeroed" * zeroed
    return Head(name, affine, lambda pose: phantom.volume(shape, affine, pose), empty)


def real_head(name: str, mean, affine, zeroed: bool = False) -> Head:
    """A mean of real volumes, moved by a spline of 5th degree."""
    spline = ndimage.spline_filter(mean, 5)
    to_voxels, at = np.linalg.inv(affine), phantom.grid(mean.shape)

    def moved(pose) -> NDArray[np.float64]:
        come_from = (to_voxels @ np.linalg.inv(pose) @ affine @ at)[:3]
        values = ndimage.map_coordinates(
            spline, come_from, order=5, prefilter=False, mode="nearest"
        )
        return values.reshape(mean.shape)

    empty = mean < 0.15 * np.median(mean[mean > mean.mean()]) if zeroed else None
    return Head(name + ", background zeroed" * zeroed, affine, moved, empty)


def heads() -> list[Head]:
    """All that can be moved on this machine."""
    size = (64, 64, 34), (3.0, 3.0, 3.5)
    found = [phantom_head(*size), phantom_head(*size, zeroed=True)]
    if scans.RECORDED.is_dir():
        data, affine = scans.recorded_run(2)
        mean = data[..., 10:40].mean(axis=-1)
        found += [real_head("recorded session", mean, affine)]
        found += [real_head("recorded session", mean, affine, zeroed=True)]
    if have_siemens_b():
        data, affine, _ = scans.siemens_b()
        mean = data[..., 2:].mean(axis=-1)
        found += [real_head("siemens-b", mean, affine)]
        found += [real_head("siemens-b", mean, affine, zeroed=True)]
    return found


def have_siemens_b() -> bool:
    """Whether the folder is here and can be read."""
    return scans.SIEMENS_B.is_dir() and find_spec("pydicom") is not None
