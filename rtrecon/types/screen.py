"""What is put before a participant or spectators."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan

from rtrecon.types.feedback import Block, Person, Score
from rtrecon.types.picture import Frame
from rtrecon.types.status import Phase


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
