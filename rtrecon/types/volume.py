"""What comes from the scanner: volumes, and markers of what was on screen.

Run time is in seconds from the start of the run's first volume: volume n is acquired from
n x TR to (n + 1) x TR. Stamps are on the local LSL clock in seconds.
"""

from dataclasses import dataclass, field
from enum import Enum
from math import nan

import numpy as np
from numpy.typing import NDArray


def read_only(array: np.ndarray) -> np.ndarray:
    """The same memory, seen so that nobody further down the line can change it."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class Geometry:
    """What a scanner says about its volumes before the first one.

    Attributes
    ----------
    shape : (int, int, int)
        Voxels along i, j, k.
    affine : float64 (4, 4)
        Voxel indices to scanner millimetres (RAS+, as NIfTI has it).
    tr_s : float
        Repetition time of the scanner.
    dtype : "int16" or "float32"
        What a voxel is sent as.
    speed : float
        1 for a scanner; a replay at ten times the speed says 10.
    slice_times_s : tuple of float
        When each slice k is acquired after the volume's start; empty where unknown.
    echo_times_s : tuple of float
        Of the echo sent, or of all that were combined; empty where unknown.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    tr_s: float
    dtype: str = "int16"
    speed: float = 1.0
    slice_times_s: tuple[float, ...] = ()
    echo_times_s: tuple[float, ...] = ()

    @property
    def n_voxels(self) -> int:
        """Voxels of the whole volume."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Times:
    """When one item passed each room (LSL clock, s; nan: not there yet)."""

    acquired: float = nan  # the newest volume was complete in the scanner
    received: float = nan
    decoded: float = nan
    drawn: float = nan  # the generator had finished the picture
    painted: float = nan  # it was on screen


@dataclass(frozen=True)
class Volume:
    """One volume as it came. `data`: int16 or float32 (i, j, k); `number` counts from 0 in a run.

    `fault`: why it is recorded and not used; empty for all that are.
    """

    number: int
    data: NDArray[np.generic]
    times: Times = field(default_factory=Times)
    fault: str = ""

    def end_s(self, tr_s: float) -> float:
        """Run time at which its acquisition ended."""
        return (self.number + 1) * tr_s


class Event(Enum):
    """What a marker announces."""

    RUN_START = "run_start"
    TRIAL = "trial"
    TRIGGER = "trigger"  # the scanner's pulse at the start of a volume; recorded, nothing more
    WITHDRAW = "withdraw"  # the participant stops: nothing is shown, told or recorded any more
    RUN_END = "run_end"


@dataclass(frozen=True)
class Marker:
    """One line of the marker stream, understood.

    Attributes
    ----------
    event : Event
    trial_type : str
        The condition's name, as in BIDS; empty for run markers.
    onset_s : float
        Run time of the stimulus onset (nan until the receiver has worked it out of the stamp).
    duration_s : float
        nan where the sender did not say.
    stim_file, caption : str
        What was shown, where known. Shown to people and looked up, never used as a path.
    volumes : int or None
        In RUN_END: how many volumes the run had, so that losses at its end are counted too.
    stamp : float
        LSL clock.
    """

    event: Event
    trial_type: str = ""
    onset_s: float = nan
    duration_s: float = nan
    stim_file: str = ""
    caption: str = ""
    volumes: int | None = None
    stamp: float = nan


UNMARKED = 0
"""Number of a trial that no marker announced: a slot of free viewing."""


@dataclass(frozen=True)
class Trial:
    """One stimulus on screen. `number` counts from 1 in a session; times in run time."""

    number: int
    trial_type: str
    onset_s: float
    duration_s: float
    stim_file: str = ""
    caption: str = ""
