"""When a score that is held makes the triggers fire. Times are passed in."""

from dataclasses import dataclass
from enum import Enum
from math import inf, isfinite, isnan

from rtrecon.errors import BadConfig


class Direction(Enum):
    """On which side of the level a value has to stay; the level itself belongs to both."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True)
class Crossing:
    """Table `[protocol.threshold]`.

    Attributes
    ----------
    level : float
        Of what is told, 0 to 1.
    hold_s : float
        How long it has to stay there; 0: the first value there fires.
    refractory_s : float
        How long after a firing there is no other one.
    direction : Direction
    """

    level: float
    hold_s: float = 0.0
    refractory_s: float = 0.0
    direction: Direction = Direction.ABOVE

    def __post_init__(self) -> None:
        if not isfinite(self.level):
            raise BadConfig(f"threshold level = {self.level}: must be a number")
        for key, value in (("hold_s", self.hold_s), ("refractory_s", self.refractory_s)):
            if not 0 <= value < inf:
                raise BadConfig(f"threshold {key} = {value}: must be 0 or more seconds")


class Threshold:
    """One person's values, one after the other, each answered by whether it fires. One thread.

    It fires when the value has stayed at or above the level for `hold_s`. Then not again before it
    was seen below the level and `refractory_s` has passed: both, in any order. A value that is no
    number (an artefact, nothing told) breaks the hold, and is not below the level. Between two
    values nothing is assumed: whoever has none for a while passes nan.

    With "below" everything is the other way round.

    Parameters
    ----------
    crossing : Crossing
    """

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._sign = 1.0 if crossing.direction is Direction.ABOVE else -1.0
        self._since: float | None = None  # when the value came to where it has stayed
        self._fired = -inf
        self._armed = True

    def __call__(self, value: float, time: float) -> bool:
        """Whether `value` at `time` (s, on any clock that does not go back) fires."""
        there = self._sign * (value - self._crossing.level) >= 0  # nan is nowhere
        if not there:
            self._since = None
            self._armed |= not isnan(value)
            return False
        self._since = time if self._since is None else self._since
        held = time - self._since >= self._crossing.hold_s
        rested = time - self._fired >= self._crossing.refractory_s
        if not (self._armed and held and rested):
            return False
        self._fired, self._armed = time, False
        return True
