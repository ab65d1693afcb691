"""The real window over a real stream: waits, shows, says when nothing is heard, is found again."""

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from rtrecon.config import Settings
from rtrecon.display import OperatorWindow
from rtrecon.display.screens import Canvas, Participant, Screens, participant_screen
from rtrecon.display.screens.calm import Calm
from rtrecon.display.view import OperatorView, discard, screens_of
from rtrecon.display.waiting import Waiting
from rtrecon.errors import BadConfig
from rtrecon.remote import Follower, Publisher, follower, publisher
from rtrecon.types import Block, Frame, Phase, Presentation, Status
from tests.display.conftest import HandFed, make_trial


class Published(HandFed):
    """The window's hand-fed session, as its views are told of it."""

    def draw(self, *what: Any, **how: Any) -> Frame:
        frame = super().draw(*what, **how)
        self.presentation = Presentation(Phase.RUNNING, frame)
        return frame


@pytest.fixture
def view(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, stream_name: str) -> Iterator[OperatorView]:
    monkeypatch.setattr(publisher, "REPEAT_S", 0.33)
    monkeypatch.setattr(follower, "UNHEARD_S", 1.0)
    with closing(Follower(stream_name)) as followed:
        view = OperatorView(followed, threading.Event())
        yield view
        view.discard()
    assert not windows()


def windows() -> list[QWidget]:
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, OperatorWindow | Waiting)]


def window(view: OperatorView) -> OperatorWindow:
    assert isinstance(view.shown, OperatorWindow)
    return view.shown


def test_a_view_waits_shows_and_outlives_its_session(
    view: OperatorView, stream_name: str, qtbot: QtBot
) -> None:
    assert isinstance(view.shown, Waiting)
    assert stream_name in view.shown.line.text()
    view.shown.setGeometry(QRect(40, 30, 1300, 800))
    session = Published()
    session.become(phase=Phase.RUNNING)
    session.pictures[1] = np.full((32, 32, 3), 50, np.uint8)
    with closing(Publisher(stream_name, session)):
        qtbot.waitUntil(lambda: isinstance(view.shown, OperatorWindow), timeout=20_000)
        assert window(view).geometry() == QRect(40, 30, 1300, 800)
        session.arrive(4)
        session.draw(session.decode(make_trial(), 4), image=np.full((32, 32, 3), 200, np.uint8))
        stage = window(view).stage
        qtbot.waitUntil(lambda: not stage.reconstruction.picture.empty, timeout=5_000)
        assert not stage.stimulus.picture.empty
        assert "dog 46 %" in stage.reconstruction.headline.text()
        received = window(view).counts.numbers["received"]
        qtbot.waitUntil(lambda: received.text() == "1", timeout=5_000)
    pill = window(view).header.pill
    qtbot.waitUntil(lambda: pill.text() == "Session not heard", timeout=5_000)
    assert not window(view).stage.reconstruction.picture.empty  # it stays
    first, other = view.shown, Published()
    other.candidates = ("sea", "sky")
    with closing(Publisher(stream_name, other)):
        qtbot.waitUntil(lambda: view.shown is not first, timeout=5_000)
        assert window(view).stage.reconstruction.picture.empty
        assert window(view).geometry() == QRect(40, 30, 1300, 800)
        other.end()
        qtbot.waitUntil(lambda: window(view).header.pill.text() == "Ended", timeout=5_000)


def test_a_session_without_decoder_is_seen_by_its_scores_alone(
    view: OperatorView, stream_name: str, qtbot: QtBot
) -> None:
    class Eeg:
        status, ended = Status(Phase.RUNNING), False
        presentation = Presentation(Phase.RUNNING, block=Block.REGULATE, instruction="let it come")

    with closing(Publisher(stream_name, Eeg())):
        qtbot.waitUntil(lambda: isinstance(view.shown, OperatorWindow), timeout=20_000)
        shown = window(view)
        qtbot.waitUntil(lambda: shown.score.instruction.text() == "let it come", timeout=5_000)
        assert shown.score.isVisible()
        assert not shown.stage.isVisible()
        assert not shown.candidates.isVisible()


def test_no_key_of_a_view_reaches_its_session_and_closing_leaves_it_alone(
    view: OperatorView, stream_name: str, qtbot: QtBot
) -> None:
    session = Published()
    session.become(phase=Phase.RUNNING)
    with closing(Publisher(stream_name, session)):
        qtbot.waitUntil(lambda: isinstance(view.shown, OperatorWindow), timeout=20_000)
        shown = window(view)
        qtbot.waitUntil(shown.isActiveWindow, timeout=5_000)
        assert not shown.controls.isVisible()
        assert "read only" in shown.session.stream_text
        for key in (Qt.Key.Key_1, Qt.Key.Key_S, Qt.Key.Key_P, Qt.Key.Key_BracketLeft):
            qtbot.keyClick(shown, key)
        qtbot.keyClick(shown, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
        assert not shown.session.ended
        with qtbot.waitSignal(view.closed, timeout=5_000):
            qtbot.keyClick(shown, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
        assert session.settings == Settings()
        assert (session.swapped, session.started, session.stopped) == ([], 0, 0)


def test_a_view_that_waits_closes_when_told_to(qtbot: QtBot, stream_name: str) -> None:
    stop = threading.Event()
    with closing(Follower(stream_name)) as followed:
        view = OperatorView(followed, stop)
        with qtbot.waitSignal(view.closed, timeout=5_000):
            stop.set()
        view.discard()
    assert not windows()


def test_a_participants_view_shows_what_is_allowed_and_rests_when_nothing_is_heard(
    qtbot: QtBot, stream_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "REPEAT_S", 0.33)
    monkeypatch.setattr(follower, "UNHEARD_S", 1.0)
    session = Published()
    session.become(phase=Phase.RUNNING)
    with closing(Follower(stream_name, "participant")) as followed:
        canvas = participant_screen(followed, Participant(hold_s=0.1))
        canvas.resize(320, 240)
        canvas.show()
        dark = middle(canvas)
        with closing(Publisher(stream_name, session)):
            session.draw(session.decode(make_trial(), 4), image=np.full((32, 32, 3), 255, np.uint8))
            qtbot.waitUntil(lambda: middle(canvas) > dark + 150, timeout=20_000)
        qtbot.waitUntil(lambda: middle(canvas) < dark + 60, timeout=20_000)
        canvas.close()
        discard(canvas)


def middle(canvas: Canvas) -> int:
    """Brightness beside the cross."""
    return canvas.grab().toImage().pixelColor(130, 90).green()


def test_a_machines_only_monitor_is_the_views(qtbot: QtBot) -> None:
    """Whatever the session's configuration says of its own."""
    tables = {"participant": {"screen": "HDMI-9", "hold_s": 7.0}, "spectators": {"title": 3}}
    screens = screens_of("participant", tables)
    assert screens.participant == Participant(screen="1", hold_s=7.0)
    assert screens.spectators is None
    assert screens_of("operator", tables) == Screens()
    with pytest.raises(BadConfig, match="title"):
        screens_of("spectator", tables)
    with pytest.raises(BadConfig, match="no monitor 'DP-7'"):
        screens_of("participant", {}, monitor="DP-7")


def test_what_is_not_heard_holds_the_last_picture_before_it_rests() -> None:
    class Unheard:
        presentation, ended = Presentation(Phase.UNHEARD, blank=True), False

    calm = Calm(Unheard(), hold_s=3.0, stale_s=0.0)  # type: ignore[arg-type]
    assert calm.look(10.0) is None
    assert not calm.over(12.9)
    assert calm.over(13.1)
