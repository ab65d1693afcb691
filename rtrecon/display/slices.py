"""A brain -> the three slices through it that show most of what decoders read."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from rtrecon.types import Brain

_MARGIN = 2  # voxels of air that are kept around the head
_HEAD = 0.15  # of the bright voxels' brightness: more is head, less is air
_VIEWS = (
    # name, axis it is cut along, axes to the right and up, letters left, right, up, down
    ("sagittal", 0, (1, 2), "PASI"),
    ("coronal", 1, (0, 2), "LRSI"),
    ("axial", 2, (0, 1), "LRAP"),
)


@dataclass(frozen=True)
class Slice:
    """One slice as it is looked at: the first row is the uppermost.

    Attributes
    ----------
    name : str
    at : str
        Where it lies in scanner millimetres, such as "z -8".
    letters : str
        What lies to the left, right, top and bottom: of L, R, A, P, S and I.
    grey : uint8 (height, width)
    voxel : int64 (height, width)
        Which voxel of a pattern it is; -1: none.
    size_mm : (float, float)
        Of one voxel, across and up.
    """

    name: str
    at: str
    letters: str
    grey: NDArray[np.uint8]
    voxel: NDArray[np.int64]
    size_mm: tuple[float, float]


def slices_of(brain: Brain) -> list[Slice]:
    """Sagittal, coronal and axial, left is left; along the volume's axes next to the scanner's."""
    shape = brain.volume.shape
    which = np.full(int(np.prod(shape)), -1, np.int64)
    which[brain.voxels] = np.arange(len(brain.voxels))
    turn = nib.orientations.io_orientation(brain.affine)
    # Axes to the right, the front and the top.
    volume = nib.orientations.apply_orientation(brain.volume.astype(np.float32), turn)
    which = nib.orientations.apply_orientation(which.reshape(shape, order="F"), turn)
    affine = brain.affine @ nib.orientations.inv_ornt_aff(turn, shape)
    box = _head(volume)
    return [_slice(volume, which, affine, box, *view) for view in _VIEWS]


def _head(volume: NDArray[np.float32]) -> tuple[slice, ...]:
    """Where the head is: the rest is air."""
    bright = volume > _HEAD * np.percentile(volume, 98)
    box = []
    for axis in range(3):
        # More than a few voxels: noise alone is no head.
        filled = bright.mean(axis=tuple({0, 1, 2} - {axis})) > 0.02
        inside = np.flatnonzero(filled) if filled.any() else np.arange(len(filled))
        box.append(slice(max(0, inside[0] - _MARGIN), inside[-1] + 1 + _MARGIN))
    return tuple(box)


def _slice(
    volume: NDArray[np.float32],
    which: NDArray[np.int64],
    affine: NDArray[np.float64],
    box: tuple[slice, ...],
    name: str,
    axis: int,
    across_up: tuple[int, int],
    letters: str,
) -> Slice:
    others = tuple({0, 1, 2} - {axis})
    at = int(np.argmax((which >= 0).sum(axis=others)))
    cut = tuple(box[n] if n in across_up else at for n in range(3))
    # What is left are two axes in order, so across is the first: turned, and up turned over.
    seen, mask = volume[cut].T[::-1], which[cut].T[::-1]
    middle = (np.array(volume.shape) - 1) / 2
    middle[axis] = at
    mm = (affine @ [*middle, 1])[axis]
    sizes = nib.affines.voxel_sizes(affine)
    white = max(1e-6, float(np.percentile(volume, 99.5)))
    grey = np.clip(seen / white, 0, 1) * 255
    return Slice(
        name, f"{'xyz'[axis]} {mm:+.0f}", letters, grey.astype(np.uint8), mask,
        (float(sizes[across_up[0]]), float(sizes[across_up[1]])),
    )  # fmt: skip
