"""What the window asks of a session, and nothing more."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.display.presented import Presented
from rtrecon.mailbox import Mailbox
from rtrecon.types import Brain, Comparison, Decoded, Frame, Presentation, Status, Trial


class Watched(Presented, Protocol):
    """A live session as the operator's window sees it; everything is cheap and never blocks.

    Whoever derives from it need not offer what has a value here.

    Attributes
    ----------
    frames : Mailbox[Frame]
        The newest picture, for the window to take.
    stream_text, decoder_text, generator_text : str
        One line each on where pictures come from; untrusted.
    takes : frozenset of str
        Which settings change the pictures.
    tr_s, speed : float
        Repetition time of the scanner, and how many times faster volumes are replayed.
    """

    frames: Mailbox[Frame]
    stream_text: str
    decoder_text: str
    generator_text: str
    takes: frozenset[str]
    tr_s: float
    speed: float

    @property
    def status(self) -> Status:
        """A frozen snapshot, swapped whole."""
        ...

    @property
    def decoded(self) -> Decoded | None:
        """The newest decoded."""
        ...

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names aligned with `Decoded.scores` and `Decoded.probabilities`."""
        ...

    @property
    def settings(self) -> Settings:
        """How pictures are made; assigning swaps it whole."""
        ...

    @settings.setter
    def settings(self, settings: Settings) -> None: ...

    @property
    def ended(self) -> bool:
        """Whether all threads are done (phase ENDED or FAILED)."""
        ...

    @property
    def comparison(self) -> Comparison | None:
        """The newest of what is drawn beside pictures."""
        return None

    @property
    def uncompared(self) -> str:
        """Why there is none; empty where there is one, or may be soon."""
        return ""

    @property
    def brain(self) -> Brain | None:
        """Where decoders read; the same value until it changes."""
        return None

    @property
    def presentation(self) -> Presentation:
        """What participant and spectators may see, and the scores of a protocol."""
        return Presentation()

    def start(self) -> None:
        """Start the threads."""
        ...

    def stop(self) -> None:
        """Ask for the end and return at once."""
        ...

    @property
    def pausable(self) -> bool:
        """Whether it can be paused from here."""
        return False

    def pause(self, on: bool) -> None:
        """Make and show no new pictures for a while, or go on; returns at once."""
        return

    def shown(self, frame: Frame) -> None:
        """Take note of a frame that is on screen, `times.painted` filled in."""
        ...

    def stimulus(self, trial: Trial) -> NDArray[np.uint8] | None:
        """The picture presented, uint8 (height, width, 3); None: not known, or not readable."""
        ...
