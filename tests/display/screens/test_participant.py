"""The participant's screen: only what is allowed, faults that do not show, and what was painted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from math import nan

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rtrecon.display.screens.patch import SHARE, Corner
from rtrecon.types import Block, Person, Phase, Presentation
from tests.display.screens.conftest import ALL, HandPresented, Turned, make_frame

MakeTurned = Callable[..., Turned]
Image = NDArray[np.uint8]

GREEN = np.broadcast_to(np.array([0, 160, 0], np.uint8), (16, 16, 3)).copy()
BACKGROUND = (0x20, 0x20, 0x20)


def parts(picture: Image) -> set[str]:
    """What stands where each thing would stand on a screen of 480 x 360."""
    other = (picture.astype(int) != BACKGROUND).any(-1)
    found = set()
    if (picture[80, 140] == GREEN[0, 0]).all():
        found.add("reconstruction")
    if other[60:300, 378:389].any() or ("reconstruction" not in found and other[104:116].any()):
        found.add("score")
    if other[305:360, 40:440].any():
        found.add("instruction")
    if (picture[175:185, 235:245] > 180).any():
        found.add("fixation")
    return found


@pytest.mark.parametrize(
    "shows",
    [{"reconstruction"}, {"score"}, {"instruction"}, {"fixation"}, set(ALL), set(),
     {"reconstruction", "score"}, {"score", "fixation"}],
    ids=lambda shows: "+".join(sorted(shows)) or "nothing",
)  # fmt: skip
def test_only_what_is_allowed(turned: MakeTurned, shows: set[str]) -> None:
    screen = turned(480, 360)
    screen.presented.become(shows=frozenset(shows), instruction="rest now")
    screen.presented.picture(GREEN)
    screen.presented.score(0.9)
    assert parts(screen.go(4)) == (shows or {"fixation"})


def test_blank_is_fixation_alone(turned: MakeTurned) -> None:
    screen = turned(480, 360)
    screen.presented.become(shows=ALL, instruction="rest now", blank=True)
    screen.presented.picture(GREEN)
    screen.presented.score(0.9)
    assert parts(screen.go(4)) == {"fixation"}


def test_nothing_told_leaves_an_empty_gauge(turned: MakeTurned) -> None:
    screen = turned(480, 360)
    screen.presented.become(shows=frozenset({"score"}))
    screen.presented.score(1.0)
    full = screen.go(4)
    screen.presented.score(nan)
    empty = screen.go(4)
    screen.presented.score(0.0)
    assert full.sum() > 1.02 * empty.sum()
    assert parts(empty) == {"score"}


def test_whose_score(turned: MakeTurned) -> None:
    screen = turned(480, 360, person="B")
    screen.presented.become(shows=frozenset({"score"}), people=(Person("A"), Person("B")))
    screen.presented.score(1.0, "A")
    before = screen.go(4)
    screen.presented.score(0.3, "A")
    assert (screen.go(4) == before).all()
    screen.presented.score(0.3, "B")
    assert (screen.go(4) != before).any()


def test_the_picture_is_painted_as_it_is_in_the_end(turned: MakeTurned) -> None:
    screen = turned(480, 360, picture=320 / 360)
    image = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    screen.presented.picture(image)
    painted = screen.go(6)
    assert np.abs(painted[20:340, 80:400].astype(int) - image).max() <= 1


def test_mirrored(turned: MakeTurned) -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    straight, mirrored = turned(480, 360), turned(480, 360, mirrored=True)
    straight.presented.become(shows=ALL, instruction="left to right")
    straight.presented.picture(image)
    straight.presented.score(0.5)
    one, other = straight.go(6), mirrored.go(6)
    assert (one != one[:, ::-1]).any()
    assert np.abs(one[:, ::-1].astype(int) - other).mean() < 1.0  # letters' edges are hinted


def test_text_is_plain_and_never_larger_than_its_place(turned: MakeTurned) -> None:
    screen = turned(480, 360)
    screen.presented.become(
        shows=frozenset({"instruction"}), instruction="<b>rest</b>\x1b[31m\u202e" + "long " * 1000
    )
    assert parts(screen.go(4)) == {"instruction"}


# --- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Phase.FAILED, Phase.SILENT])
def test_a_fault_holds_the_picture_then_fades_to_fixation(turned: MakeTurned, fault: Phase) -> None:
    screen = turned(480, 360, hold_s=3.0)
    screen.presented.picture(GREEN)
    before = screen.go(4)
    assert parts(before) == {"reconstruction"}
    screen.presented.become(phase=fault, blank=fault is Phase.FAILED)
    assert (screen.go(2.9) == before).all()
    after = screen.go(0.5)
    assert (after != before).any()
    assert parts(screen.go(3)) == {"fixation"}


def test_it_recovers(turned: MakeTurned) -> None:
    screen = turned(480, 360, hold_s=1.0)
    screen.presented.become(phase=Phase.SILENT)
    screen.presented.picture(GREEN)
    assert parts(screen.go(4)) == {"fixation"}
    screen.presented.become(phase=Phase.RUNNING)
    assert parts(screen.go(4)) == {"reconstruction"}


def test_a_session_that_says_nothing_new_is_stale(turned: MakeTurned) -> None:
    screen = turned(480, 360, hold_s=1.0, stale_s=20.0)
    screen.presented.picture(GREEN)
    assert parts(screen.go(20.5, gap_s=0.05)) == {"reconstruction"}
    assert parts(screen.go(4, gap_s=0.05)) == {"fixation"}
    screen.presented.picture(GREEN)
    assert parts(screen.go(4, gap_s=0.05)) == {"reconstruction"}


def test_a_picture_that_cannot_be_drawn(
    turned: MakeTurned, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Hold, then fixation; the traceback goes to the log, once, and nowhere else."""
    screen = turned(480, 360, hold_s=1.0)
    screen.presented.picture(GREEN)
    before = screen.go(4)
    screen.presented.picture(np.zeros((4, 4), np.uint8))  # no colours
    assert (screen.go(0.9) == before).all()
    assert parts(screen.go(4)) == {"fixation"}
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == 1
    assert capfd.readouterr() == ("", "")
    screen.presented.picture(GREEN)
    assert parts(screen.go(4)) == {"reconstruction"}


def test_a_session_that_cannot_be_read(
    turned: MakeTurned, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(HandPresented):
        @property
        def presentation(self) -> Presentation:
            raise OSError("gone")

        @presentation.setter
        def presentation(self, value: Presentation) -> None:
            pass

    screen = turned(480, 360, hold_s=1.0)
    screen.presented.picture(GREEN)
    before = screen.go(4)
    screen.canvas._calm._presented = Broken()
    assert (screen.go(0.9) == before).all()
    assert parts(screen.go(4)) == {"fixation"}
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_a_fault_while_painting_leaves_what_was_painted(
    turned: MakeTurned, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    screen = turned(480, 360)
    screen.presented.picture(GREEN)
    screen.go(4)
    fades = screen.canvas._fades
    monkeypatch.setattr(fades, "step", lambda now: 1 / 0)
    screen.presented.picture(255 - GREEN)
    screen.go(0.5)
    assert caplog.records[-1].levelno == logging.ERROR
    assert capfd.readouterr().err == ""


def test_a_log_that_cannot_be_told_does_not_stop_the_painting(turned: MakeTurned) -> None:
    screen = turned(480, 360)
    screen.presented.presented = lambda painted: 1 / 0  # type: ignore[method-assign,assignment]
    screen.canvas._log._told = screen.presented.presented
    screen.presented.picture(GREEN)
    assert parts(screen.go(4)) == {"reconstruction"}


# --- what was painted --------------------------------------------------------------------------


def test_paints_are_told(turned: MakeTurned) -> None:
    screen = turned(480, 360, photodiode=Corner.TOP_LEFT)
    screen.go(3)
    screen.presented.become(shows=frozenset({"reconstruction", "score"}))
    screen.presented.score(0.5)
    screen.presented.picture(GREEN)
    asked = screen.now
    screen.go(4)
    screen.presented.become(blank=True)
    screen.go(4)
    told = screen.presented.painted
    assert [(p.event, p.shows, p.frame, p.score, p.patch) for p in told] == [
        ("begins", ("fixation",), -1, -1, False),
        ("whole", ("fixation",), -1, -1, False),
        ("begins", ("reconstruction", "score"), 1, 1, True),
        ("whole", ("reconstruction", "score"), 1, 1, True),
        ("begins", ("fixation",), -1, -1, True),
        ("whole", ("fixation",), -1, -1, True),
    ]
    assert told[2].block is Block.REGULATE
    assert 0 < told[2].time - asked <= 0.07
    before = screen.times.index(told[2].time) - 1
    assert (screen.pictures[before][80, 140] == BACKGROUND).all()
    assert (screen.pictures[before + 1][80, 140] != BACKGROUND).any()
    whole = screen.times.index(told[3].time)
    assert (screen.pictures[whole][80, 140] == GREEN[0, 0]).all()
    assert (screen.pictures[whole] == screen.pictures[whole + 5]).all()
    assert (screen.pictures[whole] != screen.pictures[whole - 2]).any()


def test_pictures_that_overtake_each_other_are_told_once(turned: MakeTurned) -> None:
    screen = turned(480, 360)
    for n in range(5):
        screen.presented.picture(GREEN + n)
        screen.go(0.1)
    screen.go(4)
    told = [(p.event, p.frame) for p in screen.presented.painted if p.frame > 0]
    assert told == [*(("begins", n) for n in range(1, 6)), ("whole", 5)]


def test_the_patch_turns_with_each_picture(turned: MakeTurned) -> None:
    screen = turned(480, 360, photodiode=Corner.BOTTOM_RIGHT, mirrored=True)
    side = round(SHARE * 360)
    seen = []
    for n in range(6):
        screen.presented.picture(GREEN + n)
        patch = screen.go(0.6)[-side:, -side:]
        assert (patch == patch[0, 0]).all()
        seen.append(int(patch[0, 0, 0]))
    assert seen == [255, 0] * 3


# --- the window --------------------------------------------------------------------------------


def test_no_title_cursor_or_dangerous_key(turned: MakeTurned, qtbot: QtBot) -> None:
    screen = turned()
    canvas = screen.canvas
    pressed: list[int] = []
    canvas.pressed.connect(pressed.append)
    assert canvas.windowTitle() == ""
    assert canvas.windowFlags() & Qt.WindowType.FramelessWindowHint
    assert canvas.cursor().shape() is Qt.CursorShape.BlankCursor
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Q, Qt.Key.Key_Space, Qt.Key.Key_Return):
        qtbot.keyClick(canvas, key)
    assert canvas.isVisible()
    assert pressed[0] == Qt.Key.Key_Escape


def test_a_partial_paint_does_not_move_what_it_cannot_paint(turned: MakeTurned) -> None:
    """Else what moved unseen would jump with the next whole paint."""
    from PySide6.QtCore import QPoint
    from PySide6.QtGui import QImage, QRegion

    screen = turned(480, 360)
    screen.go(3)
    screen.presented.picture(GREEN)
    screen.canvas.tick()
    picture = screen.canvas._fades.picture.copy()  # type: ignore[union-attr]
    for _ in range(50):
        screen.now += 0.1
        screen.canvas.render(
            QImage(4, 4, QImage.Format.Format_RGB32), QPoint(), QRegion(0, 0, 4, 4)
        )
    assert (screen.canvas._fades.picture == picture).all()  # type: ignore[union-attr]


def test_frames_are_frozen_values(turned: MakeTurned) -> None:
    """A screen keeps no picture longer than it shows it."""
    screen = turned()
    frame = make_frame(7, GREEN)
    screen.presented.become(frame=replace(frame))
    screen.go(1)
    assert screen.presented.painted[-1].frame == 7
