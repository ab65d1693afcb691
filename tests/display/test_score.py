"""The panel of a feedback protocol."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

import pytest
from pylsl import local_clock
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rtrecon.display import OperatorWindow
from rtrecon.display.score import EVERY_S, ScoreView
from rtrecon.types import Block, Person, Presentation, Score

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

pytestmark = [pytest.mark.timeout(60)]


def score(number: int, value: float, person: str = "", fault: str = "") -> Score:
    return Score(
        number, 100.0 + 2 * number, 99.0, person, "power", value, value, value, fault=fault
    )


@pytest.fixture
def view(qtbot: QtBot) -> ScoreView:
    view = ScoreView()
    qtbot.addWidget(view)
    view.resize(340, 120)
    view.show()
    return view


def drawn(view: ScoreView, name: str = "") -> tuple[list[float], list[float]]:
    curve, _ = view.plot._series[name]
    xs, ys = curve.getData()
    return list(xs), list(ys)


def test_block_instruction_and_what_is_left(view: ScoreView) -> None:
    view.show_presentation(
        Presentation(
            block=Block.REGULATE, instruction="<b>Think</b> of the dog",
            until=local_clock() + 12.3, fires={"": 2},
        )
    )  # fmt: skip
    assert view.block.text() == "Regulate"
    assert view.left.text() == "12 s left"
    assert view.instruction.text() == "<b>Think</b> of the dog"
    assert view.instruction.textFormat() is Qt.TextFormat.PlainText
    assert view.fired.text() == "fired 2 x"
    view.show_presentation(Presentation(block=Block.REST))
    assert (view.block.text(), view.left.text(), view.fired.text()) == ("Rest", "", "")


def test_the_trace_has_each_score_once_and_gaps_where_there_is_none(
    view: ScoreView, qtbot: QtBot
) -> None:
    values = [0.2, 0.4, nan, 0.8]
    for number, value in enumerate(values, 1):
        for _ in range(3):  # looked at more often than it changes
            told = Presentation(block=Block.REGULATE, scores={"": score(number, value)})
            view.show_presentation(told)

    def seen() -> bool:
        view.show_presentation(told)
        return view.plot._series[""][1].text() == "0.80"

    qtbot.waitUntil(seen, timeout=round(20_000 * EVERY_S))
    assert drawn(view) == ([0.0, 2.0, 6.0], [0.2, 0.4, 0.8])
    told = Presentation(block=Block.REGULATE, scores={"": score(9, nan, fault="artefact")})
    qtbot.waitUntil(lambda: (view.show_presentation(told), view._stale)[1] is False)
    assert view.plot._series[""][1].text() == "artefact"


def test_people_have_their_own_traces(view: ScoreView, qtbot: QtBot) -> None:
    people = (Person("Ada", "#56b4e9"), Person("Bo", "#e69f00"))
    scores = {"Ada": score(1, 0.1, "Ada"), "Bo": score(2, 0.9, "Bo")}
    told = Presentation(block=Block.REGULATE, scores=scores, people=people)
    qtbot.waitUntil(lambda: (view.show_presentation(told), view._stale)[1] is False)
    assert drawn(view, "Ada")[1] == [0.1]
    assert drawn(view, "Bo")[1] == [0.9]
    assert view.plot._series["Bo"][1].text() == "Bo 0.90"


def test_the_threshold_is_a_line(view: ScoreView) -> None:
    view.show_presentation(Presentation(block=Block.REGULATE))
    assert not view._threshold.isVisible()
    view.show_presentation(Presentation(block=Block.REGULATE, threshold=0.7))
    assert view._threshold.isVisible()
    assert view._threshold.value() == 0.7


def test_the_window_shows_it(session: HandFed, window: OperatorWindow) -> None:
    session.presentation = Presentation(block=Block.TRANSFER, scores={"": score(1, 0.5)})
    window.tick()
    assert window.score.block.text() == "Transfer"
    assert len(window.score.scores[""]) == 1
