"""Rigid head motion against one reference, volume by volume, and the decoder's voxels realigned.

Inverse-compositional Gauss-Newton (Baker & Matthews 2004) on smoothed volumes: what depends on the
reference is worked out once; a volume costs its smoothing and a few thousand interpolated values an
iteration. Choices and figures: docs/motion.md.
"""

from dataclasses import dataclass, replace
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from rtrecon.landmarks import Landmarks, Smooth, Smoothed, draw, places_mm
from rtrecon.resample import CUBIC, LINEAR, Filter, sample
from rtrecon.types import read_only

POINTS = (3000, 12000)  # of the coarse and of the fine stage
ENOUGH_MM = (0.5, 0.05)  # a stage ends with a step that moves the head by less; the next is a tenth
STEPS = (16, 8)  # a stage without such a step by then has failed
RADIUS_MM = 50.0  # at which a rotation is told in mm (Power et al. 2012)
OVERLAP = 0.6  # share of the points that must lie in the measured part of the volume
LIKENESS = 0.95  # correlation with the reference below which it is no fit


@dataclass(frozen=True)
class Motion:
    """Where the head lies against the reference, in SPM's convention.

    Attributes
    ----------
    translation_mm : float64 (3,)
        x, y, z in scanner space.
    rotation_rad : float64 (3,)
        Pitch, roll, yaw: with the translation, spm_imatrix of the inverse of the rigid map from
        a place in the reference to the same tissue's place in the volume.
    displacement_mm : float
        How far the head lies from its position in the reference: root mean square over the head.
    framewise_mm : float
        Framewise displacement (Power et al. 2012) since the last trusted volume of the run; nan
        where there is none, or where this volume is not trusted.
    likeness : float
        Correlation of volume and reference at the fitted points, both smoothed; nan: no fit.
    trusted : bool
        If not, position and displacement repeat those of the last trusted volume.
    reason : str
        Why it is not trusted.
    """

    translation_mm: NDArray[np.float64]
    rotation_rad: NDArray[np.float64]
    displacement_mm: float = 0.0
    framewise_mm: float = nan
    likeness: float = nan
    trusted: bool = True
    reason: str = ""

    def since(self, before: "Motion") -> float:
        """Framewise displacement from `before` to here, in mm."""
        moved = np.abs(self.translation_mm - before.translation_mm).sum()
        turned = np.abs(self.rotation_rad - before.rotation_rad).sum()
        return float(moved + RADIUS_MM * turned)


STILL = Motion(read_only(np.zeros(3)), read_only(np.zeros(3)))


@dataclass(frozen=True)
class _Fit:
    """A rigid map from the reference's mm to the volume's, and the factor to its intensities."""

    pose: NDArray[np.float64]
    scale: float = 1.0
    likeness: float = nan
    displacement_mm: float = 0.0
    fault: str = ""


_START = _Fit(read_only(np.eye(4)))


class Realign:
    """Volumes in, the decoder's voxels at the reference's position out.

    Causal, with the same work whatever came before; deterministic; owned by one thread.

    Parameters
    ----------
    reference : float (i, j, k)
        What every volume is realigned to: a volume, or better the mean of some.
    affine : float64 (4, 4)
        Voxels of the reference to scanner mm.
    voxels : int64 (n_voxels,)
        Those to resample, counted with i fastest.
    moving : float64 (4, 4), optional
        Voxels of the volumes to scanner mm, where their slices lie otherwise than the reference's.
    fast : bool
        Linear interpolation in place of cubic.
    limit_mm : float
        A head further from the reference than this is not trusted.

    Raises
    ------
    BadInput
        Nothing in the reference to hold on to.
    """

    def __init__(
        self,
        reference: NDArray[np.generic],
        affine: NDArray[np.float64],
        voxels: NDArray[np.int64],
        *,
        moving: NDArray[np.float64] | None = None,
        fast: bool = False,
        limit_mm: float = 10.0,
    ) -> None:
        shape, order = reference.shape, LINEAR if fast else CUBIC
        self._order = order
        self._limit_mm = limit_mm
        self._to_voxels = np.linalg.inv(affine if moving is None else moving)
        self._smooth = Smooth(shape, np.linalg.norm(affine[:3, :3], axis=0), order)
        self._raw = Filter(shape, order)
        self._stages = draw(reference, affine, self._smooth, POINTS)
        wanted = np.array(np.unravel_index(voxels, shape, order="F"))
        self._wanted_mm = places_mm(affine, wanted)
        self.restart()

    def restart(self) -> None:
        """A new run: neither a position to start from nor one to compare with."""
        self._last = _START
        self._before: Motion | None = None

    def __call__(self, volume: NDArray[np.generic]) -> tuple[NDArray[np.float32], Motion]:
        """One volume (i, j, k) -> its voxels (n_voxels,) where the reference has them, and how.

        The voxels are interpolated once, from the raw volume. If `trusted` is False, they are
        taken at the last trusted position (before there is one: the reference's own), so that
        whoever uses them does so knowingly; of a volume that has a voxel which is not a number,
        all are nan.
        """
        if not isfinite(float(volume.sum(dtype=np.float64))):
            nothing = np.full(self._wanted_mm.shape[1], np.nan, np.float32)
            return nothing, self._untrusted(nan, "it has voxels that are not numbers")
        fit = self._fit(volume)
        if fit.fault:
            motion = self._untrusted(fit.likeness, fit.fault)
        else:
            self._last = fit
            motion = self._before = self._trusted(fit)
        positions = (self._to_voxels @ self._last.pose)[:3] @ self._wanted_mm
        return sample(self._raw(volume), positions, self._order), motion

    def _fit(self, volume: NDArray[np.generic]) -> _Fit:
        """From the last position, then, if that fails, from the reference's."""
        moving = self._smooth(volume)
        fit = self._from(self._last, moving)
        return self._from(_START, moving) if fit.fault and self._last is not _START else fit

    def _from(self, fit: _Fit, moving: Smoothed) -> _Fit:
        """The coarse stage, the fine one, and what is to be said against the result."""
        for points, enough_mm, steps in zip(self._stages, ENOUGH_MM, STEPS, strict=True):
            fit = self._stage(fit, moving, points, enough_mm, steps)
            if fit.fault:
                return fit
        if fit.likeness < LIKENESS:
            return replace(fit, fault=f"it is unlike the reference (r = {fit.likeness:.2f})")
        if fit.displacement_mm > self._limit_mm:
            return replace(fit, fault=f"the head lies {fit.displacement_mm:.1f} mm away")
        return fit

    def _stage(
        self, fit: _Fit, moving: Smoothed, points: Landmarks, enough_mm: float, steps: int
    ) -> _Fit:
        """Gauss-Newton until a step moves the head by less than `enough_mm`."""
        pose, scale = fit.pose, fit.scale
        for _ in range(steps):
            at = (self._to_voxels @ pose)[:3] @ points.places_mm
            counts = moving.counts(at)
            if counts.mean() < OVERLAP:
                return replace(fit, fault=f"only {counts.mean():.0%} of the head is in the volume")
            values = moving.at(at)
            move, brighter = points.step(scale * values, counts)
            pose = pose @ np.linalg.inv(_rigid(move, points.centre_mm))
            scale /= max(1 + brighter, 0.1)
            if np.linalg.norm(move[:3]) + RADIUS_MM * np.linalg.norm(move[3:]) < enough_mm:
                likeness = _correlation(values[counts], points.values[counts])
                return _Fit(pose, scale, likeness, points.displacement_mm(pose))
        return replace(fit, fault=f"no fit within {steps} steps")

    def _trusted(self, fit: _Fit) -> Motion:
        here = np.linalg.inv(fit.pose)
        translation, rotation = read_only(here[:3, 3].copy()), read_only(spm_angles(here))
        motion = Motion(translation, rotation, fit.displacement_mm, nan, fit.likeness)
        return replace(motion, framewise_mm=motion.since(self._before)) if self._before else motion

    def _untrusted(self, likeness: float, reason: str) -> Motion:
        return replace(
            self._before or STILL,
            framewise_mm=nan,
            likeness=likeness,
            trusted=False,
            reason=reason,
        )


def spm_angles(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pitch, roll and yaw of a rigid (4, 4), as spm_imatrix has them."""
    pitch = np.arctan2(matrix[1, 2], matrix[2, 2])
    roll = np.arcsin(np.clip(matrix[0, 2], -1, 1))
    yaw = np.arctan2(matrix[0, 1], matrix[0, 0])
    return np.array([pitch, roll, yaw])


def _rigid(move: NDArray[np.float64], centre_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rotation (vector, rad) about a centre, then a translation: `move` has it last and first."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(move[3:]).as_matrix()
    matrix[:3, 3] = move[:3] + centre_mm - matrix[:3, :3] @ centre_mm
    return matrix


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(dtype=np.float64), b - b.mean(dtype=np.float64)
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size else 0.0
