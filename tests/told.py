"""Scores and firings for the tests of outputs, and what was said to have been sent of them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from math import nan
from time import monotonic

import pylsl

from rtrecon.types import Firing, Score, Sent


def a_score(told: float, number: int = 1, person: str = "", time: float = nan) -> Score:
    """Whose raw value is ten times what is told, and whose time is now where none is given."""
    now = pylsl.local_clock() if time != time else time
    return Score(number, now, now, person, "test", 10 * told, told, told)


def a_firing(number: int = 1, person: str = "", value: float = 0.5, time: float = nan) -> Firing:
    """Of a score with that value."""
    score = a_score(value, person=person, time=time)
    return Firing(number, score.time, person, score)


@dataclass
class SentLog:
    """Hears what was sent, from any thread, so that a test can wait for it."""

    all: list[Sent] = field(default_factory=list)
    _heard: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, sent: Sent) -> None:
        with self._heard:
            self.all.append(sent)
            self._heard.notify_all()

    def wait(self, holds: Callable[[list[Sent]], bool], timeout_s: float = 10.0) -> list[Sent]:
        """What was sent until now, once that holds of it."""
        with self._heard:
            assert self._heard.wait_for(lambda: holds(self.all), timeout_s), self.all
            return list(self.all)


def eventually(holds: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait until it holds."""
    deadline, pause = monotonic() + timeout_s, threading.Event()
    while not holds():
        assert monotonic() < deadline, "waited in vain"
        pause.wait(0.005)
