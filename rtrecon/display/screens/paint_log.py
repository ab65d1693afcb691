"""When what was painted, told to the session."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from rtrecon.display.screens.layers import Layer
from rtrecon.types import Painted, Presentation


class PaintLog:
    """Tells of each change twice: when its fade begins, and when all of it is there.

    A change that is overtaken by the next one before all of it was there is told of once.

    Parameters
    ----------
    told : callable
        Takes each `Painted`.
    """

    def __init__(self, told: Callable[[Painted], None]) -> None:
        self._told = told
        self._wanted: Painted | None = None  # nothing of it is painted
        self._begun: Painted | None = None  # not all of it is painted
        self.frame = -1
        """Serial of the picture that is wanted or shown."""

    def want(self, layers: Sequence[Layer], presentation: Presentation | None) -> None:
        """Take note of what is to be painted from now on; no presentation: the screen rests."""
        shows = tuple(dict.fromkeys(layer.what for layer in layers if layer.what))
        frame, score, block = -1, -1, None
        if presentation is not None:
            block = presentation.block
            if "reconstruction" in shows and presentation.frame is not None:
                frame = presentation.frame.serial
            if "score" in shows:
                numbers = (score.number for score in presentation.scores.values())
                score = max(numbers, default=-1)
        self.frame = frame
        self._wanted = Painted(0.0, "", shows, frame, score, block)

    def painted(self, time: float, settled: bool, patch: bool | None) -> None:
        """Something was painted; `settled`: all that is wanted is there."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._begun = wanted
            self._told(replace(wanted, time=time, event="begins", patch=patch))
        if settled and self._begun is not None:
            begun, self._begun = self._begun, None
            self._told(replace(begun, time=time, event="whole", patch=patch))
