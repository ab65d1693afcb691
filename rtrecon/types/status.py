"""How a session stands."""

from dataclasses import dataclass, field
from enum import Enum
from math import nan

from rtrecon.types.volume import Trial


class Phase(Enum):
    """Where a session stands."""

    READY = "ready"
    WAITING = "waiting for the first volume"
    RUNNING = "running"
    SILENT = "stream silent"
    ENDED = "ended"
    FAILED = "failed"
    WITHDRAWN = "stopped by the participant"  # nothing is shown, told or recorded from then on
    UNHEARD = "session not heard"  # only a view elsewhere says so: its session may be well

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self in (Phase.ENDED, Phase.FAILED, Phase.WITHDRAWN)


@dataclass(frozen=True)
class VolumeCounts:
    """What became of the volumes."""

    received: int = 0
    lost: int = 0
    duplicate: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class Arrival:
    """What is known of the newest volume; the operator sees it, and quality.tsv keeps it.

    Attributes
    ----------
    received : float
        LSL clock, s.
    motion : (float, float, float, float, float, float)
        x, y, z in mm, pitch, roll, yaw in rad against the calibration's reference, in SPM's
        convention; nan where volumes are not realigned.
    displacement_mm : float
        How far the head lies from its position in the reference.
    framewise_mm : float
        How far it moved since the volume before.
    dvars : float
        Change of the voxels since the volume before, as a multiple of the usual.
    weight : float
        How much the volume counts, 0 to 1.
    reason : str
        Why it does not count in full.
    decoded_ms : float
        Arrival to decoded (nan: nothing to decode yet).
    """

    number: int
    received: float
    motion: tuple[float, ...] = (nan,) * 6
    displacement_mm: float = nan
    framewise_mm: float = nan
    dvars: float = nan
    weight: float = 1.0
    reason: str = ""
    decoded_ms: float = nan


@dataclass(frozen=True)
class Trouble:
    """One stage of a session does not do what it should; gone when it does again.

    Attributes
    ----------
    stage : str
        "receive", "decode", "draw", "record", "display", "outputs", "views" or "keeper".
    what : str
        One line for the operator: what is wrong, and after a colon what happens now.
    since : float
        LSL clock, s.
    """

    stage: str
    what: str
    since: float

    @property
    def wrong(self) -> str:
        """What is wrong; as long as it is the same, so is the trouble."""
        return self.what.partition(": ")[0]


@dataclass(frozen=True)
class Status:
    """A snapshot of the session for whoever watches; swapped whole, never changed.

    `recording`: what is wrong with the record on disk; empty where nothing is. `paused`: no new
    pictures are made or shown, and nothing is told; volumes are recorded and decoded all the same.
    `troubles`: the stages that do not do what they should at this moment, at most one line each.
    """

    phase: Phase = Phase.READY
    message: str = ""
    traceback: str = ""
    stream: str = ""
    volumes: VolumeCounts = field(default_factory=VolumeCounts)
    arrival: Arrival | None = None
    trial: Trial | None = None
    superseded: int = 0
    shown: int = 0
    first_frame_ms: float = nan  # arrival of the volume to its first picture on screen
    final_frame_ms: float = nan
    recording: str = ""
    paused: bool = False
    troubles: tuple[Trouble, ...] = ()
