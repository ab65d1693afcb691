"""The simulated person's head: tissue, regions and what an echo-planar scanner makes of them.

Everything comes from the MNI152 templates that nilearn carries inside its package.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter
from scipy.spatial.transform import Rotation

SHAPE = (64, 64, 34)
VOXEL_MM = (-3.0, 3.0, 3.5)  # i runs from right to left, as scanners of that make have it
MARGIN = 3  # slices of head kept beyond either end of the field of view, to move into it
_CENTRE_MM = (0.0, -17.0, 6.0)  # of the field of view, in the template's space
_TILT_DEG = (-6.0, 1.5, -1.0)  # of the slices against the template's axes
_LYING_DEG = (2.0, -1.0, 2.5)  # how the head lies in the scanner
_LYING_MM = (1.5, 6.0, -11.0)
_GREY, _WHITE, _FLUID = 950.0, 760.0, 1350.0  # T2*-weighted brightness
_IN_GREY = 0.3  # least share of grey matter that makes a voxel part of a region


@dataclass(frozen=True)
class Anatomy:
    """A head in the scanner.

    Attributes
    ----------
    affine : float64 (4, 4)
        Voxel indices to scanner millimetres.
    baseline : float32 (i, j, k + 2 MARGIN)
        Brightness without noise, with MARGIN more slices at either end.
    grey, fluid : float32 (i, j, k)
        Share of each voxel that is grey matter, or neither grey nor white.
    early, ventral : bool (i, j, k)
        Early visual cortex around the calcarine sulcus; ventral temporal-occipital cortex.
    mni_mm : float32 (i, j, k, 3)
        Where in the template a voxel is.
    """

    affine: NDArray[np.float64]
    baseline: NDArray[np.float32]
    grey: NDArray[np.float32]
    fluid: NDArray[np.float32]
    early: NDArray[np.bool_]
    ventral: NDArray[np.bool_]
    mni_mm: NDArray[np.float32]

    @property
    def regions(self) -> NDArray[np.bool_]:
        """Voxels that respond to pictures."""
        return self.early | self.ventral

    @property
    def in_view(self) -> NDArray[np.float32]:
        """The baseline without its margin: (i, j, k)."""
        return self.baseline[..., MARGIN:-MARGIN]


@lru_cache(maxsize=1)
def load_anatomy() -> Anatomy:
    """The head, resampled to the scanner's grid (takes two seconds, then is remembered)."""
    grid = np.stack(np.meshgrid(*map(np.arange, _padded()), indexing="ij"), axis=-1)
    mni_mm = apply_affine(_slices_to_mni(), grid - (0, 0, MARGIN))
    grey, white, brain = (_sampled(image, mni_mm) for image in _templates())
    fluid = np.clip(brain - grey - white, 0, 1)
    baseline = _GREY * grey + _WHITE * white + _FLUID * fluid
    baseline = gaussian_filter(baseline * _sensitivity(mni_mm), (0.5, 0.7, 0.3))
    view = (..., slice(MARGIN, -MARGIN))
    mni_mm = mni_mm[:, :, MARGIN:-MARGIN].astype(np.float32)
    early, ventral = _regions(mni_mm, grey[view] > _IN_GREY)
    lying = _rigid(_LYING_DEG, _LYING_MM)
    return Anatomy(
        lying @ _slices_to_mni(),
        baseline.astype(np.float32),
        grey[view].astype(np.float32),
        fluid[view].astype(np.float32),
        early,
        ventral,
        mni_mm,
    )


def _regions(
    mni_mm: NDArray[np.float32], grey: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Early and ventral visual cortex: a few solids in template space, where it is grey."""
    x, y, z = np.moveaxis(mni_mm, -1, 0)
    x = np.abs(x)
    calcarine_z = 4 + 0.15 * (y + 85)  # the sulcus rises towards the front
    early = (x / 29) ** 2 + ((y + 87) / 28) ** 2 + ((z - calcarine_z) / 25) ** 2 < 1
    ventral = ((x - 36) / 21) ** 2 + ((y + 58) / 35) ** 2 + ((z + 13) / 14.5) ** 2 < 1
    cerebellum = z < -21 - 0.25 * (y + 60)
    early &= grey & ~cerebellum
    return early, ventral & grey & ~early & ~cerebellum


def _sensitivity(mni_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The coil's brightness, nearest at the back, and the dropout above the air of the sinuses."""
    x, y, z = np.moveaxis(mni_mm, -1, 0)
    coil = 1 - 0.0012 * (y + 20) + 0.002 * np.hypot(x, z - 15) / 2
    sinus = np.exp(-(x**2 + (y - 38) ** 2 + (z + 20) ** 2) / (2 * 14**2))
    ears = np.exp(-((np.abs(x) - 52) ** 2 + (y + 22) ** 2 + (z + 32) ** 2) / (2 * 9**2))
    return coil * (1 - 0.75 * sinus) * (1 - 0.5 * ears)


def _templates() -> tuple[tuple[NDArray[np.float32], NDArray[np.float64]], ...]:
    """Grey matter, white matter and the whole brain at 1 mm, each with its affine."""
    from nilearn import datasets  # slow to import, and the workers have no need of it

    images = (
        datasets.load_mni152_gm_template(resolution=1),
        datasets.load_mni152_wm_template(resolution=1),
        datasets.load_mni152_brain_mask(resolution=1),
    )
    return tuple((np.asarray(image.dataobj, np.float32), image.affine) for image in images)


def _sampled(
    template: tuple[NDArray[np.float32], NDArray[np.float64]], mni_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A template's share in each scanner voxel, which is three template voxels wide."""
    data, affine = template
    voxels = apply_affine(np.linalg.inv(affine), mni_mm)
    return map_coordinates(uniform_filter(data, 3), np.moveaxis(voxels, -1, 0), order=1)


def _slices_to_mni() -> NDArray[np.float64]:
    """Voxel indices of the scanner to template millimetres."""
    voxels = np.diag((*VOXEL_MM, 1.0))
    voxels[:3, 3] = -voxels[:3, :3] @ (np.array(SHAPE) - 1) / 2
    return _rigid(_TILT_DEG, _CENTRE_MM) @ voxels


def _rigid(degrees: tuple[float, ...], shift_mm: tuple[float, ...]) -> NDArray[np.float64]:
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    moved[:3, 3] = shift_mm
    return moved


def _padded() -> tuple[int, int, int]:
    return SHAPE[0], SHAPE[1], SHAPE[2] + 2 * MARGIN
