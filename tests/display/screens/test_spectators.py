"""The wall for spectators: what may be seen, in words that claim no more, and without flashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import nan
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSizeF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication

from rtrecon.display import wording
from rtrecon.display.screens import Spectators, spectators_screen
from rtrecon.display.screens.figures import GAP_S, SPAN_S, draw_curve
from rtrecon.display.screens.layers import Layer
from rtrecon.display.screens.spectators import SpectatorScene
from rtrecon.types import Block, Person, Phase, Trial
from tests.display.screens.conftest import HandPresented, grabbed
from tests.flash_rule import count

SIZE = QSizeF(640, 360)
PEOPLE = (Person("Ada", "#56b4e9"), Person("Bo", "#e69f00"))
PICTURE = np.full((16, 16, 3), (200, 10, 10), np.uint8)


@pytest.fixture
def scene() -> SpectatorScene:
    return SpectatorScene(Spectators())


def words(layers: list[Layer]) -> str:
    """All that is written."""
    return " | ".join(
        str(layer.content[0])
        for layer in layers
        if isinstance(layer.content, tuple) and isinstance(layer.content[0], str)
    )


def seen(presented: HandPresented, scene: SpectatorScene, now: float = 0.0) -> list[Layer]:
    return scene.layers(presented.presentation, SIZE, now)


def whats(layers: list[Layer]) -> set[str]:
    return {layer.what for layer in layers if layer.what}


def test_only_what_is_allowed(presented: HandPresented, scene: SpectatorScene) -> None:
    presented.picture(PICTURE)
    presented.score(0.5)
    presented.become(instruction="rest now")
    for shows in ({"reconstruction"}, {"score"}, {"instruction"}, {"score", "instruction"}, set()):
        presented.become(shows=frozenset(shows))
        assert whats(seen(presented, scene)) == shows


def test_what_was_presented_only_where_it_is_asked_for(presented: HandPresented) -> None:
    presented.picture(PICTURE)
    asked: list[Trial] = []

    def stimulus(trial: Trial) -> NDArray[np.uint8]:
        asked.append(trial)
        return PICTURE

    assert "stimulus" not in whats(seen(presented, SpectatorScene(Spectators(), stimulus)))
    assert asked == []
    shown = SpectatorScene(Spectators(stimulus=True), stimulus)
    for _ in range(3):
        assert "stimulus" in whats(seen(presented, shown))
    assert len(asked) == 1  # read once a trial


def test_a_picture_says_what_it_is(presented: HandPresented, scene: SpectatorScene) -> None:
    presented.picture(PICTURE)
    frame = presented.presentation.frame
    assert frame is not None
    twelve = np.full(12, 1 / 12, np.float32)
    for confidence, said in ((0.7, wording.PICTURE_IS), (0.09, wording.PICTURE_IS_NOT)):
        decoded = replace(frame.decoded, probabilities=twelve, confidence=confidence)
        presented.become(frame=replace(frame, decoded=decoded))
        assert said in words(seen(presented, scene))


def test_sham_looks_as_real(presented: HandPresented, scene: SpectatorScene) -> None:
    presented.become(block=Block.SHAM, instruction="go on")
    sham = seen(presented, scene)
    presented.become(block=Block.REGULATE)
    assert seen(presented, scene) == sham
    assert "sham" not in words(sham).lower()


def test_time_left(presented: HandPresented, scene: SpectatorScene) -> None:
    presented.become(block=Block.REST, until=200.0)
    assert "4 min left" in words(seen(presented, scene, now=0.0))
    assert "60 s left" in words(seen(presented, scene, now=141.0))
    assert "10 s left" in words(seen(presented, scene, now=199.0))
    assert "left" not in words(seen(presented, scene, now=201.0))
    presented.become(until=nan)
    assert "left" not in words(seen(presented, scene, now=0.0))


def test_people_with_names_firings_and_celebration(
    presented: HandPresented, scene: SpectatorScene
) -> None:
    presented.become(people=PEOPLE, shows=frozenset({"score"}))
    presented.score(0.25, "Ada")
    presented.score(nan, "Bo")
    (ada, bo) = _figures(seen(presented, scene))
    assert (ada.name, ada.colour, ada.level, ada.joy) == ("Ada", "#56b4e9", 0.25, 0)
    assert bo.level is None
    presented.become(fires={"Ada": 1})
    assert _figures(seen(presented, scene, 10.0))[0].joy == 1
    assert 0 < _figures(seen(presented, scene, 12.0))[0].joy < 1
    later = _figures(seen(presented, scene, 20.0))[0]
    assert (later.joy, later.fires) == (0, 1)


def _figures(layers: list[Layer]) -> list[Any]:
    return [layer.content for layer in layers if hasattr(layer.content, "joy")]


def test_names_are_plain_and_people_bounded(
    presented: HandPresented, scene: SpectatorScene
) -> None:
    many = tuple(Person(f"<b>P{n}\x07</b>" + "x" * 500, "no colour") for n in range(50))
    presented.become(people=many, shows=frozenset({"score"}))
    figures = _figures(seen(presented, scene))
    assert len(figures) == 8
    assert figures[0].name.startswith("<b>P0 </b>xxx")
    assert len(figures[0].name) <= 300


def test_the_curve_stays_where_it_is_written() -> None:
    """Written left to right and over again: it would never be seen if it scrolled and faded."""

    def drawn(points: list[tuple[float, float | None]], now: float) -> NDArray[np.bool_]:
        image = QImage(900, 100, QImage.Format.Format_RGB32)
        image.fill(0)
        painter = QPainter(image)
        draw_curve(painter, QRectF(0, 0, 900, 100), "#ffffff", points, now)
        painter.end()
        lit = np.frombuffer(image.constBits(), np.uint8).reshape(100, 900, 4)[..., 0] > 128
        return np.asarray(lit)

    points: list[tuple[float, float | None]] = [(float(t), 0.5) for t in range(31)]
    now_30 = drawn(points, 30.0)
    now_60 = drawn([*points, *((float(t), 0.5) for t in range(31, 61))], 60.0)
    assert (now_60[:, :300] == now_30[:, :300]).all()
    assert now_30[50, 5:295].all()
    assert not now_30[:, 310:].any()
    assert now_60[50, 305:595].all()
    wrapped = drawn([(float(t), 0.5) for t in range(101)], 100.0)
    gap = slice(10 * (10 + 1), int(10 * (10 + GAP_S - 1)))
    assert not wrapped[50, gap].any()
    assert wrapped[50, 5:95].all()
    assert SPAN_S == 90


# --- on screen ---------------------------------------------------------------------------------


@pytest.fixture
def wall(presented: HandPresented, qtbot: Any) -> Iterator[Any]:
    canvas = spectators_screen(presented, Spectators())
    canvas._timer.stop()
    canvas.resize(160, 90)
    with qtbot.waitExposed(canvas):
        canvas.show()
    yield canvas
    canvas.close()
    canvas.deleteLater()
    QApplication.sendPostedEvents(canvas, QEvent.Type.DeferredDelete)


def test_a_wild_session_does_not_flash(presented: HandPresented, wall: Any) -> None:
    rng = np.random.default_rng(0)
    times, pictures, now = [], [], 50.0
    wall._clock = lambda: now
    for n in range(70):
        presented.become(
            people=PEOPLE,
            fires={"Ada": n},
            block=list(Block)[n % 4],
            until=now + n % 3,
            instruction="WAIT" * (n % 2),
            phase=Phase.RUNNING if n % 11 else Phase.SILENT,
            blank=n % 7 == 0,
            shows=frozenset({"score", "instruction"} | ({"reconstruction"} if n % 5 else set())),
        )
        presented.score(float(n % 2), "Ada")
        presented.picture(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        now += float(rng.choice([0.016, 0.032, 0.05]))
        wall.tick()
        times.append(now)
        pictures.append(grabbed(wall))
    assert count(times, pictures).safe
    assert presented.painted == []  # what spectators see is not the participant's


def test_blank_shows_nothing_of_the_session(presented: HandPresented, wall: Any) -> None:
    now = 50.0
    wall._clock = lambda: now
    presented.picture(PICTURE)
    presented.become(blank=True)
    for _ in range(150):
        now += 0.032
        wall.tick()
        picture = grabbed(wall)
    red = picture[..., 0].astype(int) - picture[..., 1]
    assert red.max() < 40
