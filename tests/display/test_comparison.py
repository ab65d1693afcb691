"""What stands beside the reconstruction: it belongs to the same trial, and says what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from rtrecon.display import OperatorWindow
from rtrecon.display.stage import LATER, NO_LAYOUT, Comparand
from rtrecon.pipeline import CODED
from rtrecon.types import Comparison, Trial

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

pytestmark = [pytest.mark.timeout(60)]

NewTrial = Callable[..., Trial]
RED, BLUE = (200, 20, 20), (20, 20, 200)


def plain(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.full((16, 16, 3), colour, np.uint8)


def colour_of(comparand: Comparand) -> tuple[int, ...]:
    picture = comparand.picture
    middle: QColor = picture.grab().toImage().pixelColor(picture.rect().center())
    return middle.getRgb()[:3]


@pytest.fixture
def compared(session: HandFed, window: OperatorWindow) -> Callable[..., None]:
    """One volume drawn, and what was drawn beside it."""

    def compared(trial: Trial, volume: int, **made: NDArray[np.uint8]) -> None:
        decoded = session.decode(trial, volume)
        session.draw(decoded)
        window.tick()
        session.comparison = Comparison(decoded, **made)
        window.tick()

    return compared


def test_both_stand_beside_the_picture_and_say_what_they_are(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, compared: Callable[..., None]
) -> None:
    compared(new_trial(), 10, z_only=plain(RED), control=plain(BLUE))
    layout, nothing = window.stage.z_only, window.stage.control
    assert (colour_of(layout), colour_of(nothing)) == (RED, BLUE)
    assert layout.title.text() == "Layout · 6.0 s"
    assert layout.caption.text() == "decoded layout, no diffusion"
    assert nothing.title.text() == "No brain · 6.0 s"
    assert nothing.caption.text() == (
        "decoder fitted on exchanged pictures; what the model makes of nothing"
    )
    room = nothing.caption.fontMetrics().boundingRect(
        nothing.caption.contentsRect(), 0x1000, nothing.caption.text()
    )  # wrapped, all of it can be read
    assert room.height() <= nothing.caption.height()
    picture = window.stage.reconstruction.picture
    assert 0.3 < nothing.picture.height() / picture.height() < 0.7


def test_without_time_for_a_new_control_the_trials_last_one_stays_with_its_age(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, compared: Callable[..., None]
) -> None:
    compared(new_trial(), 10, z_only=plain(RED), control=plain(BLUE))
    compared(new_trial(), 11, z_only=plain(BLUE))
    assert colour_of(window.stage.z_only) == BLUE
    assert window.stage.z_only.title.text() == "Layout · 8.0 s"
    assert colour_of(window.stage.control) == BLUE
    assert window.stage.control.title.text() == "No brain · 6.0 s"


def test_nothing_of_another_trial_stands_beside_a_picture(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, compared: Callable[..., None]
) -> None:
    compared(new_trial(1), 10, z_only=plain(RED), control=plain(BLUE))
    first = session.comparison
    session.draw(session.decode(new_trial(2, "cat"), 18))
    window.tick()
    assert window.stage.z_only.picture.empty
    assert window.stage.control.picture.empty
    assert window.stage.control.title.text() == "No brain"
    assert first is not None
    session.comparison = replace(first)  # it came late
    window.tick()
    assert window.stage.control.picture.empty
    compared(new_trial(2, "cat"), 19, z_only=plain(RED))
    assert not window.stage.z_only.picture.empty
    assert window.stage.control.picture.empty


def test_what_comes_before_its_picture_is_shown_with_it(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial
) -> None:
    decoded = session.decode(new_trial(), 10)
    session.comparison = Comparison(decoded, plain(RED), plain(BLUE))
    window.tick()
    assert window.stage.control.picture.empty
    session.draw(decoded)
    window.tick()
    window.tick()
    assert not window.stage.control.picture.empty


def test_why_there_is_none_is_said(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, compared: Callable[..., None]
) -> None:
    assert window.stage.control.picture.placeholder == LATER
    session.uncompared = CODED
    session.draw(session.decode(new_trial(), 10))
    window.tick()
    for comparand in (window.stage.z_only, window.stage.control):
        assert comparand.picture.empty
        assert comparand.picture.placeholder == CODED
    session.uncompared = ""
    compared(new_trial(), 11, control=plain(BLUE))  # a generator whose code alone is no picture
    assert window.stage.z_only.picture.placeholder == NO_LAYOUT
    assert window.stage.z_only.picture.empty
    assert colour_of(window.stage.control) == BLUE


def test_four_pictures_fit_at_every_size(window: OperatorWindow, qtbot: QtBot) -> None:
    stage = window.stage
    shown = (stage.stimulus, stage.reconstruction, stage.z_only, stage.control)
    for width, height in ((1024, 640), (1280, 720), (1920, 1080), (2560, 1080), (1200, 1600)):
        window.resize(width, height)
        qtbot.waitUntil(lambda: window.panels.size() == window.panels._sized)
        places = [exhibit.geometry() for exhibit in shown]
        for n, place in enumerate(places):
            assert stage.rect().contains(place), (width, height)
            assert not any(place.intersects(other) for other in places[n + 1 :])
        assert places[0].size() == places[1].size()
        assert stage.reconstruction.picture.width() == stage.stimulus.picture.width()
