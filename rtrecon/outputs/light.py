"""Light that follows what is told, slowly enough for people's eyes.

WCAG 2.3.1 allows three flashes in any second, a flash being two opposing changes of a tenth of the
full luminance. Here a light goes to each goal in a straight line (in its channels' values) that takes
half a second at least, and has a new goal only when it has come to the last one. So any second meets
three of these lines at most. Along a line luminance changes its direction once at most, whether a
fixture's light follows its channels' values or a power of them above 1. That makes six opposing
changes in a second, which are three flashes.
"""

import re
from collections.abc import Sequence
from math import inf, isnan

import numpy as np
from numpy.typing import NDArray

from rtrecon.errors import BadConfig
from rtrecon.outputs.held import Held
from rtrecon.types import Person, Score

SHORTEST_FADE_S = 0.5
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
Levels = NDArray[np.float64]


class Glide:
    """From goal to goal in straight lines that each take `fade_s`; begins in the dark.

    Parameters
    ----------
    size : int
        Of the vector that goes.
    fade_s : float
        `SHORTEST_FADE_S` or more.
    """

    def __init__(self, size: int, fade_s: float) -> None:
        self._fade_s = fade_s
        self._start = self._goal = np.zeros(size)
        self._began, self._takes_s = -inf, fade_s

    def at(self, now: float, wanted: Levels) -> Levels:
        """Where it is, having heard what is wanted (size,). `now` in s never goes back."""
        done = (now - self._began) / self._takes_s
        if done >= 1 and not np.array_equal(wanted, self._goal):
            self._set_out(self._goal, wanted, now, self._fade_s)
            done = 0.0
        return self._start + min(1.0, done) * (self._goal - self._start)

    def moves(self, now: float) -> bool:
        """Whether it is on its way."""
        return now - self._began < self._takes_s

    def go_dark(self, now: float) -> None:
        """From where it is into the dark, without delay: for the end."""
        here = self.at(now, self._goal)
        self._set_out(here, np.zeros_like(here), now, SHORTEST_FADE_S)

    def _set_out(self, start: Levels, goal: Levels, now: float, takes_s: float) -> None:
        self._start, self._goal, self._began, self._takes_s = start, goal, now, takes_s


class Fixture:
    """The light of some people: between two colours with what each is told, mixed of them all.

    Parameters
    ----------
    people : sequence of Person
    low, high : str
        Colours at 0 and at 1, "#rrggbb"; an empty `high` is each person's own.
    fade_s, hold_s : float
        How long it takes to a goal; after how long without anything told it is dark.
    """

    def __init__(
        self, people: Sequence[Person], low: str, high: str, fade_s: float, hold_s: float
    ) -> None:
        self._low = _levels(low, 0.0)
        self._high = {person.name: _levels(high or person.colour, 1.0) for person in people}
        self._held = Held(hold_s)
        self._glide = Glide(4, fade_s)

    def tell(self, score: Score, now: float) -> None:
        """Take what a person is told; what is nothing changes nothing until `hold_s` is over."""
        if score.person in self._high and not isnan(score.told):
            self._held.tell(score.person, score.told, now)

    def at(self, now: float) -> Levels:
        """Red, green, blue and intensity, each 0 to 1."""
        told = self._held.at(now)
        wanted = [self._low + value * (self._high[who] - self._low) for who, value in told.items()]
        return self._glide.at(now, np.mean(wanted, axis=0) if wanted else np.zeros(4))

    def moves(self, now: float) -> bool:
        """Whether it changes by itself at the moment."""
        return self._glide.moves(now)

    def go_dark(self, now: float) -> None:
        """For the end."""
        self._glide.go_dark(now)


def check_colour(key: str, colour: str) -> None:
    """Refuse what is no colour.

    Raises
    ------
    BadConfig
    """
    if not _COLOUR.fullmatch(colour):
        raise BadConfig(f"{key} = '{colour}': must be a colour, such as \"#ff8800\"")


def _levels(colour: str, intensity: float) -> Levels:
    return np.array([*(byte / 255 for byte in bytes.fromhex(colour[1:])), intensity])
