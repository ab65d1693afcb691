"""What the window asks of an EEG session, and nothing more."""

from collections import deque
from typing import Protocol

from rtrecon.eeg.seat import Quality
from rtrecon.protocol.blocks import Blocks, Moment
from rtrecon.protocol.threshold import Crossing
from rtrecon.types import Painted, Person, Presentation, Score, Status


class WatchedEeg(Protocol):
    """A live EEG session; everything is cheap and never blocks.

    Attributes
    ----------
    people : tuple of Person
    threshold : Crossing or None
    blocks : Blocks
    recent : deque of Score
        All scores, to be taken from the left.
    measure_text : str
        What is measured, in a line.
    """

    people: tuple[Person, ...]
    threshold: Crossing | None
    blocks: Blocks
    recent: deque[Score]
    measure_text: str

    @property
    def status(self) -> Status:
        """A frozen snapshot, swapped whole."""
        ...

    @property
    def presentation(self) -> Presentation:
        """What may be put before people now."""
        ...

    @property
    def moment(self) -> Moment:
        """Where the schedule stands."""
        ...

    @property
    def elapsed(self) -> float:
        """Seconds of the schedule; nan before the start."""
        ...

    @property
    def qualities(self) -> tuple[Quality, ...]:
        """How each person's signal is, in their order."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the thread is done (phase ENDED or FAILED)."""
        ...

    def start(self) -> None:
        """Start it."""
        ...

    def pause(self, on: bool) -> None:
        """Stand still, or go on."""
        ...

    def stop(self) -> None:
        """Ask for the end and return at once."""
        ...

    def withdraw(self) -> None:
        """A participant stops: everything is blank, and nothing is recorded any more."""
        ...

    def presented(self, painted: Painted) -> None:
        """Take note of what the participant was shown."""
        ...
