"""Runs of one person brought to one reference volume, offline and plainly, for the benchmarks.

Gauss-Newton on smoothed volumes, six parameters and an intensity scale. Slow (about 0.1 s a
volume), so the result is kept in the system's temporary folder.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter, map_coordinates, spline_filter
from scipy.spatial.transform import Rotation

from rtrecon.bids import Run
from rtrecon.types import read_only

_SMOOTH_MM = 5.0  # full width at half maximum
_FWHM_PER_SD = 2.3548
_POINTS = 12_000
_STEADY = slice(4, 14)  # volumes of the first run whose mean is the reference


def realign(runs: Sequence[Run]) -> list[Run]:
    """The same runs, float32, every volume where the first run's first steady ones lie."""
    steady = np.asarray(runs[0].data[..., _STEADY], np.float64).mean(axis=-1)
    spacing_mm = np.linalg.norm(runs[0].geometry.affine[:3, :3], axis=0)
    aligner = _Aligner(steady, spacing_mm)
    return [replace(run, data=read_only(_cached(run, aligner))) for run in runs]


def _cached(run: Run, aligner: "_Aligner") -> NDArray[np.float32]:
    key = hashlib.sha256(aligner.reference.tobytes())
    key.update(np.ascontiguousarray(run.data[..., -1]).tobytes())
    key.update(run.name.encode())
    file = Path(tempfile.gettempdir()) / "rtrecon-realigned" / f"{key.hexdigest()[:16]}.npy"
    if not file.is_file():
        file.parent.mkdir(exist_ok=True)
        out = np.empty(run.data.shape, np.float32, order="F")
        for n in range(run.n_volumes):
            out[..., n] = aligner(run.data[..., n])
        np.save(file, out)
    return np.load(file, mmap_mode="r")


class _Aligner:
    """Moves volumes onto a reference; starts each search at the last volume's pose."""

    def __init__(self, reference: NDArray[np.float64], spacing_mm: NDArray[np.float64]) -> None:
        self.reference = reference
        self._spacing = spacing_mm
        self._sigma = _SMOOTH_MM / _FWHM_PER_SD / spacing_mm
        self._centre = (np.array(reference.shape) - 1) / 2
        smooth = gaussian_filter(reference, self._sigma)
        # Where voxels outside the head were zeroed, and at the border, edges do not move along.
        inside = binary_erosion(reference > 0.15 * np.percentile(reference, 98), iterations=2)
        inside &= smooth > 0.15 * np.percentile(smooth, 98)
        for axis in range(3):
            inside = np.moveaxis(inside, axis, 0)
            inside[:2] = inside[-2:] = False
            inside = np.moveaxis(inside, 0, axis)
        points = np.argwhere(inside)
        rng = np.random.default_rng(0)
        points = points[rng.choice(len(points), min(_POINTS, len(points)), replace=False)]
        self._points_mm = (points - self._centre) * spacing_mm
        self._target = smooth[tuple(points.T)]
        slopes = np.stack(np.gradient(smooth, *spacing_mm), axis=-1)[tuple(points.T)]
        turns = np.cross(self._points_mm, slopes)
        self._design = np.column_stack([slopes, turns, self._target])
        self._solve = np.linalg.pinv(self._design)
        self._pose = np.eye(4)
        grid = np.indices(reference.shape).reshape(3, -1).T
        self._grid_mm = (grid - self._centre) * spacing_mm

    def __call__(self, volume: NDArray[np.generic]) -> NDArray[np.float32]:
        """The volume, float32 (i, j, k), resampled at the reference's voxels."""
        sharp = np.asarray(volume, np.float64)
        smooth = spline_filter(gaussian_filter(sharp, self._sigma), mode="mirror")
        for _ in range(20):
            seen = self._sample(smooth, self._points_mm)
            *step, _ = self._solve @ (seen - self._target)
            # Inverse compositional: the step moves the reference, so its inverse moves the volume.
            self._pose = self._pose @ np.linalg.inv(_rigid(np.array(step)))
            if np.abs(step[:3]).max() < 2e-3 and np.abs(step[3:]).max() < 4e-5:
                break
        out = self._sample(spline_filter(sharp, mode="mirror"), self._grid_mm)
        return np.maximum(out, 0).reshape(self.reference.shape).astype(np.float32)

    def _sample(
        self, coefficients: NDArray[np.float64], points_mm: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        moved = points_mm @ self._pose[:3, :3].T + self._pose[:3, 3]
        at = (moved / self._spacing + self._centre).T
        return map_coordinates(coefficients, at, order=3, mode="mirror", prefilter=False)


def _rigid(step: NDArray[np.float64]) -> NDArray[np.float64]:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(step[3:]).as_matrix()
    pose[:3, 3] = step[:3]
    return pose
