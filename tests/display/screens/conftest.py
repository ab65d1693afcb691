"""A session that presents what a test says, and a screen whose clock the test turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import nan
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon.display.screens import Canvas, Participant
from rtrecon.display.screens.calm import Calm
from rtrecon.display.screens.participant import ParticipantScene
from rtrecon.display.screens.patch import Corner, Patch
from rtrecon.types import Block, Decoded, Frame, Painted, Phase, Presentation, Score, Trial

ALL = frozenset({"reconstruction", "score", "instruction", "fixation"})


class HandPresented:
    """What a test puts into it is presented."""

    def __init__(self) -> None:
        self.presentation = Presentation(Phase.RUNNING)
        self.ended = False
        self.painted: list[Painted] = []

    def presented(self, painted: Painted) -> None:
        self.painted.append(painted)

    def withdraw(self) -> None:
        self.become(phase=Phase.WITHDRAWN, blank=True)

    def become(self, **changes: Any) -> None:
        self.presentation = replace(self.presentation, **changes)

    def picture(self, image: NDArray[np.uint8]) -> None:
        """One more reconstruction (height, width, 3)."""
        frame = self.presentation.frame
        self.become(frame=make_frame(1 if frame is None else frame.serial + 1, image))

    def score(self, told: float, person: str = "") -> None:
        """One more score of a person."""
        number = 1 + max((s.number for s in self.presentation.scores.values()), default=0)
        value = 0.0 if np.isnan(told) else told
        new = Score(number, 0.0, 0.0, person, "probability of dog", value, value, told)
        self.become(scores={**self.presentation.scores, person: new}, block=Block.REGULATE)


def make_frame(serial: int, image: NDArray[np.uint8]) -> Frame:
    nothing = np.zeros(1, np.float32)
    decoded = Decoded(
        Trial(1, "dog", 0.0, 4.0), 1, 4.0, None, nothing[None], nothing, nothing, "dog", nan
    )
    return Frame(serial, image[None], decoded, 4, 4)


class Turned:
    """A screen with the hands of its clock: each `grab` is a painted picture."""

    def __init__(self, presented: HandPresented, settings: Participant) -> None:
        self.now = 100.0
        corner = settings.photodiode
        self.presented = presented
        self.canvas = Canvas(
            presented,
            ParticipantScene(settings),
            Calm(presented, settings.hold_s, settings.stale_s),
            fade_s=settings.fade_s,
            mirrored=settings.mirrored,
            patch=None if corner is Corner.NONE else Patch(corner),
            logged=True,
            clock=lambda: self.now,
        )
        self.canvas._timer.stop()  # the test ticks
        self.times: list[float] = []
        self.pictures: list[NDArray[np.uint8]] = []

    def grab(self) -> NDArray[np.uint8]:
        """The painted pixels (height, width, 3), kept with their time."""
        picture = grabbed(self.canvas)
        self.times.append(self.now)
        self.pictures.append(picture)
        return picture

    def go(self, seconds: float, gap_s: float = 0.032) -> NDArray[np.uint8]:
        """Tick and paint for a while."""
        for _ in range(max(1, round(seconds / gap_s))):
            self.now += gap_s
            self.canvas.tick()
            self.grab()
        return self.pictures[-1]


def grabbed(canvas: Canvas) -> NDArray[np.uint8]:
    image = canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


@pytest.fixture
def presented() -> HandPresented:
    return HandPresented()


@pytest.fixture
def turned(presented: HandPresented, qtbot: QtBot) -> Iterator[Callable[..., Turned]]:
    """Makes a screen of so many pixels; what of it survives the test fails it."""
    made: list[Turned] = []

    def make(width: int = 96, height: int = 72, **settings: Any) -> Turned:
        screen = Turned(presented, Participant(**settings))
        made.append(screen)
        screen.canvas.resize(width, height)
        with qtbot.waitExposed(screen.canvas):
            screen.canvas.show()
        return screen

    yield make
    for screen in made:
        screen.canvas.close()
        screen.canvas.deleteLater()
        QApplication.sendPostedEvents(screen.canvas, QEvent.Type.DeferredDelete)
