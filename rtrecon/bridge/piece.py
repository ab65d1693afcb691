"""What one exported file holds: a whole volume, several, or a slice of one."""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from rtrecon.errors import BadInput


class Foreign(BadInput):
    """A file that is no part of a series of volumes (a localiser, a phase image, a text file)."""


class Unfinished(BadInput):
    """A file that ends too early: it is still being written, or was cut off."""


@dataclass(frozen=True)
class Piece:
    """One volume of one echo, or one slice of it, as a file holds it.

    Attributes
    ----------
    series : str
        Tells series apart; untrusted, never used as a path.
    description : str
        What the operator calls the series; untrusted.
    volume : int
        Place in the series, from 0.
    slice : int
        Tells the slices of a volume apart, from 0, in the order of the scanner's own count, which may
        run along the normal or against it (`stack.volume_of` sorts by position); 0 where the piece
        is a whole volume.
    slices : int
        How many pieces make one volume of one echo; 1 where the piece is a whole volume.
    data : int16 or float32 (i, j, k)
        Voxels in NIfTI's order, k = 1 for a slice.
    affine : float64 (4, 4)
        Of the piece's own voxels, to scanner millimetres (RAS+); `stack.volume_of` makes a volume's
        of its slices'.
    tr_s : float
        nan where the header does not say.
    echo : int
        From 1.
    echo_s : float
        Echo time; nan where the header does not say.
    slice_times_s : tuple of float
        When each slice k is acquired after the volume's start; empty where unknown. A slice's own
        has one (`stack.slice_times_s` collects them).
    acquired_s : float
        Start of the volume's acquisition by the scanner's clock, in seconds since midnight; nan where
        the header does not say.
    acquired_date : str
        YYYYMMDD by the scanner's clock; empty where unknown.
    volumes : int or None
        How many the series is planned to have, where the header says so.
    echoes : int or None
        How many echoes a volume has, where the header says so.
    field_t : float
        The scanner's field in tesla; nan where unknown.
    """

    series: str
    description: str
    volume: int
    slice: int
    slices: int
    data: NDArray[np.generic]
    affine: NDArray[np.float64]
    tr_s: float
    echo: int = 1
    echo_s: float = nan
    slice_times_s: tuple[float, ...] = ()
    acquired_s: float = nan
    acquired_date: str = ""
    volumes: int | None = None
    echoes: int | None = None
    field_t: float = nan
