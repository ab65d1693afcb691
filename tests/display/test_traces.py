"""Plots of the last minute: every volume once, chance beside confidence, one plot a tick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pytestqt.qtbot import QtBot

from rtrecon.display import OperatorWindow
from rtrecon.display.panels import in_front
from rtrecon.display.plot import Plot
from rtrecon.display.traces import VOLUMES
from rtrecon.types import Trial

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

pytestmark = [pytest.mark.timeout(60)]

NewTrial = Callable[..., Trial]


def drawn(plot: Plot, name: str) -> tuple[list[float], list[float], str]:
    curve, label = plot._series[name]
    xs, ys = curve.getData()
    return ([] if xs is None else list(xs)), ([] if ys is None else list(ys)), label.text()


def see(window: OperatorWindow, qtbot: QtBot, name: str) -> None:
    """Bring a panel to the front and have its plots drawn."""
    window.panels.panels[name].raise_()
    plots = [plot for plot in window.traces.plots if window.panels.panels[name].isAncestorOf(plot)]
    qtbot.waitUntil(lambda: all(in_front(p) and p not in window.traces._stale for p in plots))


def test_change_and_weight_of_each_volume(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    for number, (dvars, weight) in enumerate([(float("nan"), 0.0), (1.0, 1.0), (3.2, 0.4)]):
        session.arrive(number)
        arrival = session.status.arrival
        assert arrival is not None
        session.become(arrival=replace(arrival, dvars=dvars, weight=weight))
        window.tick()
    see(window, qtbot, "motion")
    quality = window.traces.quality
    assert drawn(quality, "dvars") == ([4.0, 6.0], [1.0, 3.2], "DVARS 3.20 x usual")
    assert drawn(quality, "weight") == ([2.0, 4.0, 6.0], [0.0, 1.0, 0.4], "weight 0.40")


def test_confidence_over_time_beside_chance(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, qtbot: QtBot
) -> None:
    for volume, confidence in ((9, 0.2), (10, 0.46)):
        session.decode(new_trial(), volume, confidence)
        window.tick()
        window.tick()
    see(window, qtbot, "confidence")
    xs, ys, words = drawn(window.traces.confidence, "confidence")
    assert xs == [20.0, 22.0]
    assert ys == pytest.approx([20.0, 46.0])
    assert words == "46 %"
    levels = [line.value() for line in window.traces.confidence.levels]
    assert levels == pytest.approx([100 / 12])
    for volume in range(11, 11 + 2 * VOLUMES):
        session.decode(new_trial(), volume)
        window.tick()
    assert len(window.traces.confidences) == VOLUMES
    session.decode(new_trial(), 3)  # the next run
    window.tick()
    assert [x for x, _ in window.traces.confidences] == [8.0]


def test_one_plot_a_tick_and_none_that_nobody_sees(
    session: HandFed, window: OperatorWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    see(window, qtbot, "motion")
    window._timer.stop()
    redrawn: list[Plot] = []
    monkeypatch.setattr(window.traces, "_redraw", redrawn.append)
    session.arrive(0)
    counts = []
    for _ in range(6):
        window.tick()
        counts.append(len(redrawn))
    assert counts == [1, 2, 2, 2, 2, 2]
    assert set(redrawn) == {window.traces.motion, window.traces.quality}
    window.panels.panels["timing"].raise_()
    qtbot.waitUntil(lambda: in_front(window.traces.timing))
    for _ in range(4):
        window.tick()
    assert set(redrawn[2:]) == {window.traces.timing, window.traces.latency}
