"""Closing the window of a visit while a run is on: asked first, then in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon.config import Session
from rtrecon.display.visit import VisitWindow

if TYPE_CHECKING:
    from tests.display.conftest import HandFed


@pytest.fixture
def visit_window(session: HandFed, qtbot: QtBot) -> Iterator[VisitWindow]:
    visit: Any = SimpleNamespace(stop=threading.Event(), end_run=lambda: None)
    run: Any = session
    window = VisitWindow(visit, Session(Path()), run)
    with qtbot.waitExposed(window):
        window.show()
    qtbot.waitUntil(lambda: session.started == 1)
    yield window
    session.ended = True
    window.leave()
    window.leave()
    window.worker.close(timeout_s=5)
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)


def test_closing_asks_and_a_yes_ends_run_and_visit(
    session: HandFed, visit_window: VisitWindow, qtbot: QtBot
) -> None:
    live = visit_window.live
    assert live is not None
    assert not visit_window.close()
    assert session.stopped == 0
    assert live.question is not None
    qtbot.mouseClick(live.question.no, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: live.question is None)
    qtbot.keyClick(visit_window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert live.question is not None
    assert session.stopped == 0
    qtbot.mouseClick(live.question.yes, Qt.MouseButton.LeftButton)
    assert session.stopped == 1
    with qtbot.waitSignal(visit_window.closed):  # and not the page that tells what became of it
        session.end()


def test_a_signal_asks_nothing(session: HandFed, visit_window: VisitWindow, qtbot: QtBot) -> None:
    visit_window.leave()
    assert session.stopped == 1
    assert visit_window.live is not None
    assert visit_window.live.question is None
    with qtbot.waitSignal(visit_window.closed):
        session.end()


def test_closing_once_more_leaves_at_once(
    session: HandFed, visit_window: VisitWindow, qtbot: QtBot
) -> None:
    visit_window.close()
    live = visit_window.live
    assert live is not None
    assert live.question is not None
    qtbot.mouseClick(live.question.yes, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(visit_window.closed):
        visit_window.close()
    assert not session.ended
