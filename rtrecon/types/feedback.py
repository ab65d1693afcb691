"""What a person is told of the own brain, and when."""

from dataclasses import dataclass
from enum import Enum
from math import nan


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
