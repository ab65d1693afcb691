"""Stages of a volume's way to the screen are subtractions of its times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isnan, nan
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from rtrecon.display import OperatorWindow, theme
from rtrecon.display.latency import KEPT, Latency, stages
from rtrecon.types import Frame, Times, Trial

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

pytestmark = [pytest.mark.timeout(60)]


@pytest.fixture
def frame(session: HandFed, new_trial: Callable[..., Trial]) -> Frame:
    return session.draw(session.decode(new_trial(), 10))


def test_each_stage_is_a_subtraction() -> None:
    one = stages(Times(acquired=10.0, received=10.5, decoded=10.51, drawn=10.71, painted=10.72))
    assert one == pytest.approx((500.0, 10.0, 200.0, 10.0))
    assert one.total == pytest.approx(720.0)
    assert isnan(stages(Times(received=1.0, decoded=1.1)).receive)


def test_the_median_of_the_last_pictures_and_the_last_one(frame: Frame, qtbot: QtBot) -> None:
    view = Latency(2000.0)
    qtbot.addWidget(view)
    rng = np.random.default_rng(0)
    told = []
    for _ in range(KEPT + 20):
        passed = np.cumsum(rng.uniform(0.01, 0.4, 5))
        told.append(1e3 * np.diff(passed))
        view.add_painted(replace(frame, times=Times(*passed.tolist())))
        view.add_painted(replace(frame, step=1, times=Times(0.0, 9.0, 9.0, 9.0, 9.0)))  # a preview
    np.testing.assert_allclose(view.last, told[-1])
    np.testing.assert_allclose(view.median, np.median(told[-KEPT:], axis=0))


def test_what_is_not_known_is_left_out(frame: Frame, qtbot: QtBot) -> None:
    view = Latency(2000.0)
    qtbot.addWidget(view)
    view.resize(340, 110)
    view.show()
    assert not view.grab().isNull()  # nothing yet
    view.add_painted(replace(frame, times=Times(nan, 1.0, 1.1, 1.2, 1.3)))
    assert isnan(view.median.receive)
    assert view.last.total == pytest.approx(300.0)
    assert not view.grab().isNull()


def test_bars_are_as_long_as_they_say(frame: Frame, qtbot: QtBot) -> None:
    """Half of the time between volumes: as wide as half of the way to the dashed line."""
    view = Latency(2000.0)
    qtbot.addWidget(view)
    view.resize(600, 160)
    view.add_painted(replace(frame, times=Times(0.0, 0.25, 0.5, 0.75, 1.0)))
    view.show()
    seen = view.grab().toImage()
    width = {
        name: sum(seen.pixelColor(x, 12) == QColor(colour) for x in range(seen.width()))
        for name, colour in (("receive", theme.SKY), ("draw", theme.GREEN), ("paint", theme.ORANGE))
    }
    assert max(width.values()) - min(width.values()) <= 2
    bars = seen.width() - seen.width() / 8
    assert width["receive"] == pytest.approx(bars / 8, rel=0.1)


def test_the_window_adds_what_it_paints(
    session: HandFed, window: OperatorWindow, frame: Frame, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: bool(session.reported))
    window.tick()
    assert len(window.latency.kept) == 1
    painted = session.reported[0].times
    assert window.latency.last.paint == pytest.approx(1e3 * (painted.painted - painted.drawn))
    assert window.latency.budget_ms == 2000.0
