"""What the participant's and the spectators' screens ask of a session, and nothing more."""

from typing import Protocol

from rtrecon.types import Painted, Presentation

WITHDRAW_KEY = "F8"
"""Of every window of a session: the participant has stopped."""


class Presented(Protocol):
    """A live session as it may be put before people; everything is cheap and never blocks."""

    @property
    def presentation(self) -> Presentation:
        """What may be shown now; frozen, swapped whole."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        ...

    def withdraw(self) -> None:
        """The participant stops: everything is blank, and nothing is recorded any more."""
        ...

    def presented(self, painted: Painted) -> None:
        """Take note of what the participant was shown, and when."""
        ...
