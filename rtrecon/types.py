"""What walks through the rooms: frozen values whose arrays are read-only.

Run time is in seconds from the start of the run's first volume: volume n is acquired from
n x TR to (n + 1) x TR. Stamps are on the local LSL clock in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import nan

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings


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


@dataclass(frozen=True)
class Pattern:
    """Evidence about one trial from all volumes up to `volume`. `voxels`: float32 (n_voxels,)."""

    trial: Trial
    volume: int
    age_s: float  # stimulus onset to the end of the newest volume used
    voxels: NDArray[np.float32]
    variance: float  # of each voxel's evidence, in the same units
    times: Times = field(default_factory=Times)


@dataclass(frozen=True)
class Decoded:
    """What the decoders make of a pattern.

    Attributes
    ----------
    z : float32 (channels, height, width) or None
        Predicted diffusion latent; None where the decoder was fitted on captions alone.
    c : float32 (tokens, features)
        Predicted text conditioning.
    scores : float32 (n_candidates,)
        How much c, taken for a mixture of the candidates' conditionings, is each of them alone.
    probabilities : float32 (n_candidates,)
        The scores as probabilities, by what held-out calibration trials taught (`Confidence`).
    predicted : str
        Name of the likeliest candidate.
    confidence : float
        Its probability.
    reliability : float
        How much of a response the evidence can know by now, 0 to 1: what its noise leaves of the
        variance of responses.
    pattern : Pattern or None
        What it was decoded of, where that is at hand.
    """

    trial: Trial
    volume: int
    age_s: float
    z: NDArray[np.float32] | None
    c: NDArray[np.float32]
    scores: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    predicted: str
    confidence: float
    times: Times = field(default_factory=Times)
    reliability: float = 1.0
    pattern: Pattern | None = None


@dataclass(frozen=True)
class Frame:
    """What goes on screen. `images`: uint8 (samples, height, width, 3), sRGB.

    With `aims`, `settings` and what was decoded it can be drawn again to the bit. `aims`: the
    volume it was begun with, and each that it was aimed at later with the first step that was:
    "12,13@2".
    """

    serial: int  # counts the frames of a session from 1
    images: NDArray[np.uint8]
    decoded: Decoded
    step: int  # denoising steps done, of `steps`
    steps: int
    times: Times = field(default_factory=Times)
    aims: str = ""
    settings: Settings | None = None

    @property
    def image(self) -> NDArray[np.uint8]:
        """The first sample (height, width, 3)."""
        return self.images[0]

    @property
    def final(self) -> bool:
        """Whether it is the finished image and not a preview on the way."""
        return self.step == self.steps


@dataclass(frozen=True)
class Comparison:
    """What tells brain and prior apart, beside the picture of the same decoded volume.

    Attributes
    ----------
    decoded : Decoded
        Of the reconstruction that it stands beside.
    z_only : uint8 (height, width, 3) or None
        The predicted latent decoded as it is, without diffusion.
    control : uint8 (height, width, 3) or None
        Drawn in the same way by decoders that were fitted with the pictures exchanged: what the
        method makes of a brain that tells nothing.
    """

    decoded: Decoded
    z_only: NDArray[np.uint8] | None = None
    control: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Brain:
    """Where the decoders read.

    Attributes
    ----------
    volume : int16 or float32 (i, j, k)
        What is seen behind them.
    affine : float64 (4, 4)
        Its voxel indices to scanner millimetres (RAS+).
    voxels : int64 (n_voxels,)
        Those of a pattern, in its order, counted with i fastest.
    early, ventral : bool (n_voxels,)
        Which of them z is decoded of, and which c.
    """

    volume: NDArray[np.generic]
    affine: NDArray[np.float64]
    voxels: NDArray[np.int64]
    early: NDArray[np.bool_]
    ventral: NDArray[np.bool_]


class Block(Enum):
    """What a person is to do for a while, and what is told meanwhile."""

    REST = "rest"  # nothing is told; where a baseline is taken
    REGULATE = "regulate"  # feedback is told
    TRANSFER = "transfer"  # as regulate, but nothing is told
    SHAM = "sham"  # what is told comes from another recording


@dataclass(frozen=True)
class Score:
    """One moment of feedback.

    Attributes
    ----------
    number : int
        Counts the scores of a session from 1, all persons together.
    time : float
        LSL clock at which it was worked out, s.
    acquired : float
        LSL clock of the newest data in it, s.
    person : str
        Whose; empty where there is only one.
    measure : str
        What was measured, such as "probability of dog".
    raw : float
        As measured; nan where it could not be (artefact, no data).
    value : float
        Against baseline and scaling, 0 to 1; nan before the baseline is known.
    told : float
        What participant and devices are told, 0 to 1; nan: nothing (rest, transfer, artefact).
    block : Block
    trial, volume : int
        Of the decoded volume; -1 where there is none.
    fault : str
        Why there is no value; empty where there is one.
    run : int
        Counts from 1 in the session.
    elapsed : float
        Where the run's schedule of blocks stood for this score, s from its start.
    sample : int
        With EEG: how many samples of the person's recording were known; -1 where there are none.
    """

    number: int
    time: float
    acquired: float
    person: str
    measure: str
    raw: float
    value: float
    told: float
    block: Block = Block.REGULATE
    trial: int = -1
    volume: int = -1
    fault: str = ""
    run: int = 1
    elapsed: float = nan
    sample: int = -1


@dataclass(frozen=True)
class Firing:
    """A threshold was crossed and held: triggers fire once.

    `number` counts from 1 for each person; `time`: LSL clock, s.
    """

    number: int
    time: float
    person: str
    score: Score


@dataclass(frozen=True)
class Sent:
    """That a score or a firing went to an output, or why it did not.

    Attributes
    ----------
    output : str
        Such as "osc 127.0.0.1:9000".
    what : str
        "score" or "trigger".
    person : str
    number : int
        Of the score or the firing; 0 for the last word, that nothing is told any more.
    time : float
        LSL clock at which the output had taken it, s.
    error : str
        Why it did not go out; empty where it did.
    """

    output: str
    what: str
    person: str
    number: int
    time: float
    error: str = ""


@dataclass(frozen=True)
class Person:
    """One of those in a session. `colour`: "#rrggbb", by which screens tell them apart."""

    name: str = ""
    colour: str = "#56b4e9"


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


@dataclass(frozen=True)
class Presentation:
    """What may be put before a participant or spectators at one moment; swapped whole.

    Attributes
    ----------
    phase : Phase
    frame : Frame or None
        The newest picture.
    scores : mapping of str to Score
        The newest of each person.
    people : tuple of Person
    block : Block or None
        None: there is no protocol.
    instruction : str
        What the block asks of the person; untrusted text.
    until : float
        LSL clock at which the block ends, s; nan: not known.
    shows : frozenset of str
        What the protocol allows to be seen: "reconstruction", "score", "instruction", "fixation".
    fires : mapping of str to int
        How often each person's trigger has fired.
    blank : bool
        Nothing but the fixation cross may be seen: paused, failed or over.
    threshold : float
        Value from which a trigger fires, 0 to 1; nan: there is none.
    """

    phase: Phase = Phase.READY
    frame: Frame | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    people: tuple[Person, ...] = (Person(),)
    block: Block | None = None
    instruction: str = ""
    until: float = nan
    shows: frozenset[str] = frozenset({"reconstruction"})
    fires: Mapping[str, int] = field(default_factory=dict)
    blank: bool = False
    threshold: float = nan


@dataclass(frozen=True)
class Painted:
    """A change of what the participant sees, at the moment it was painted.

    Attributes
    ----------
    time : float
        LSL clock, s.
    event : str
        "begins": the first step towards it was painted; "whole": all of it is there.
    shows : tuple of str
        Of "reconstruction", "score", "instruction", "fixation", what is to be seen.
    frame, score : int
        Serial of the picture, number of the newest score; -1 where none is shown.
    block : Block or None
    patch : bool or None
        Whether the photodiode's patch is white; None: there is none.
    """

    time: float
    event: str
    shows: tuple[str, ...]
    frame: int = -1
    score: int = -1
    block: Block | None = None
    patch: bool | None = None
