"""The slices of one volume made one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtrecon.bridge.piece import Piece
from rtrecon.errors import BadInput

_APART_MM, _ALIKE = 0.01, 1e-4


def volume_of(pieces: Sequence[Piece]) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Voxels (i, j, k) and affine (4, 4) of one volume of one echo, in dcm2niix's order.

    Slices come by their position along the normal, whatever their order and numbers.

    Raises
    ------
    BadInput
        The pieces do not make one volume: too few, of other shapes or orientations, or two in
        one place.
    """
    first = pieces[0]
    if len(pieces) != first.slices:
        raise BadInput(f"volume {first.volume} has {len(pieces)} of {first.slices} slices")
    if len(pieces) == 1:
        return first.data, first.affine
    ordered = in_place(pieces)
    places = np.array([piece.affine[:3, 3] for piece in ordered])
    _require_one_grid(ordered, places)
    affine = ordered[0].affine.copy()
    normal = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    affine[:3, 2] = normal * np.linalg.norm(places[1] - places[0])  # as dcm2niix has it
    return np.concatenate([piece.data for piece in ordered], axis=2), affine


def slice_times_s(pieces: Sequence[Piece]) -> tuple[float, ...]:
    """When each slice k of `volume_of(pieces)` is acquired; empty where unknown."""
    if len(pieces) == 1:
        return pieces[0].slice_times_s
    times = [time for piece in in_place(pieces) for time in piece.slice_times_s]
    return tuple(times) if len(times) == len(pieces) else ()


def in_place(pieces: Sequence[Piece]) -> list[Piece]:
    """Slices by their position along the normal."""
    normal = pieces[0].affine[:3, 2]
    return sorted(pieces, key=lambda piece: float(piece.affine[:3, 3] @ normal))


def _require_one_grid(ordered: Sequence[Piece], places: NDArray[np.float64]) -> None:
    first = ordered[0]
    for piece in ordered:
        if piece.data.shape != first.data.shape or not np.allclose(
            piece.affine[:3, :3], first.affine[:3, :3], atol=_ALIKE
        ):
            raise BadInput(f"volume {first.volume}: its slices differ in size or orientation")
    gaps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    if gaps.min() < _APART_MM or np.ptp(gaps) > 0.05 * gaps.mean():
        raise BadInput(f"volume {first.volume}: its slices are not evenly apart")
