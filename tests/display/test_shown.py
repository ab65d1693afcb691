"""The window from start to end: closing, Ctrl-C, screenshots, nothing left behind."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from rtrecon.display import OperatorWindow, Screenshots
from rtrecon.display.question import Question
from rtrecon.types import Trial
from tests.windows import run_operator

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

pytestmark = [pytest.mark.timeout(60)]

NewTrial = Callable[..., Trial]


def test_a_careless_click_ends_no_scan(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, qtbot: QtBot
) -> None:
    window.start()
    for _ in range(3):  # nor do several
        assert not window.close()
    assert window.question is not None
    assert len(window.findChildren(Question)) == 1
    qtbot.keyClick(window.question, Qt.Key.Key_Space)
    qtbot.mouseClick(window.question, Qt.MouseButton.LeftButton)
    frame = session.draw(session.decode(new_trial(), 10))  # pictures go on behind it
    qtbot.waitUntil(lambda: [f.serial for f in session.reported] == [frame.serial])
    qtbot.keyClick(window.question, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.question is None)
    assert session.stopped == 0
    assert not window.close()
    assert window.question is not None
    qtbot.mouseClick(window.question.no, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.question is None)
    assert session.stopped == 0
    assert window.isVisible()


def test_a_question_answered_with_yes_ends_the_session_and_then_the_window(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    window.start()
    assert not window.close()
    assert window.question is not None
    qtbot.mouseClick(window.question.yes, Qt.MouseButton.LeftButton)
    assert session.stopped == 1
    assert window.isVisible()
    with qtbot.waitSignal(window.closed):
        session.end()
    assert not window.isVisible()


def test_no_question_outlives_its_session(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    window.start()
    assert not window.close()
    session.end()
    qtbot.waitUntil(lambda: window.question is None)
    assert window.isVisible()
    assert window.close()


def test_nobody_is_asked_twice(session: HandFed, window: OperatorWindow) -> None:
    """Whoever has pressed Stop has said it."""
    window.start()
    window.stop()
    assert not window.close()
    assert window.question is None


def test_leaving_waits_for_the_end_without_freezing(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    window.start()
    window.tick()
    window.leave()
    assert session.stopped == 1
    assert window.isVisible()
    ticks = len(window.tick_gaps_ms)
    qtbot.waitUntil(lambda: len(window.tick_gaps_ms) > ticks + 3)
    with qtbot.waitSignal(window.closed):
        session.end()
    assert not window.isVisible()
    assert not any(timer.isActive() for timer in window.findChildren(QTimer))


def test_leaving_twice_does_not_wait(session: HandFed, window: OperatorWindow) -> None:
    window.start()
    window.leave()
    assert window.close()
    assert session.stopped == 1


def live_widgets() -> list[QWidget]:
    """Themselves: an address may be another's later."""
    gc.collect()
    return QApplication.topLevelWidgets()


@pytest.fixture
def no_leaks(qapp: QApplication) -> Iterator[None]:
    """A window left open, or a timer left running, fails the test."""
    before = live_widgets()
    yield
    gc.collect()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left = [w for w in QApplication.topLevelWidgets() if w not in before]
    assert left == []
    timers = [o for o in gc.get_objects() if issubclass(type(o), QTimer) and _running(o)]
    assert timers == []


def _running(timer: QTimer) -> bool:
    try:
        return timer.isActive()
    except RuntimeError:  # its C++ side is gone
        return False


@pytest.mark.usefixtures("no_leaks")
def test_run_window_to_the_end_with_screenshots(
    session: HandFed, new_trial: NewTrial, tmp_path: Path
) -> None:
    trials = [new_trial(n) for n in range(1, 10)]
    acts: Iterator[Callable[[], object]] = iter(
        [lambda t=t: session.draw(session.decode(t, 8 * t.number + 2)) for t in trials]
        + [session.end]
    )

    def act() -> None:
        if not session.frames.peek() and (step := next(acts, None)):
            step()

    source = QTimer()
    source.timeout.connect(act)
    source.start(5)
    run_operator(session, Screenshots(tmp_path / "pictures"), close_when_ended=True)
    source.stop()
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == [f"window-0{n}.png" for n in range(1, 7)] + ["window-latest.png"]
    assert session.started == 1
    assert session.reported[-1].decoded.trial.number == 9


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_window(session: HandFed, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = session.stop

    def stop_and_end() -> None:
        stop()
        session.end()

    session.stop = stop_and_end  # type: ignore[method-assign]
    QTimer.singleShot(100, lambda: os.kill(os.getpid(), number))
    run_operator(session)
    assert session.stopped == 1
    assert signal.getsignal(number) is before


def test_the_screenshot_of_a_trial_has_its_last_picture(
    session: HandFed, new_trial: NewTrial, tmp_path: Path, qtbot: QtBot
) -> None:
    shots = Screenshots(tmp_path)
    window = OperatorWindow(session, shots)
    taken: list[str] = []
    shots.take = lambda w: taken.append(  # type: ignore[method-assign,assignment,misc]
        window.stage.reconstruction.caption.text()
    )
    with qtbot.waitExposed(window):
        window.show()
    for n in (1, 2):
        session.draw(session.decode(new_trial(n), 8 * n + 2))
        qtbot.waitUntil(lambda n=n: len(session.reported) == n)
    assert [words.split(" ·")[0] for words in taken] == ["trial 1"]
    session.end()
    window.tick()
    assert [words.split(" ·")[0] for words in taken] == ["trial 1", "trial 2"]
    window.close()
    window.deleteLater()


def test_a_screenshot_that_cannot_be_written_is_said_and_survived(
    window: OperatorWindow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    Screenshots(tmp_path / "file").take(window)
    assert "window-01.png" in caplog.text


@pytest.mark.usefixtures("no_leaks")
def test_what_fails_in_a_slot_or_in_painting_is_told_once_and_the_session_goes_on(
    session: HandFed, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(QWidget):
        painted = 0

        def paintEvent(self, event: QPaintEvent) -> None:
            Broken.painted += 1
            raise ValueError("paint is out")

    def fail() -> None:
        failed.append(1)
        raise ValueError("a slot is broken")

    def act() -> None:
        for window in QApplication.topLevelWidgets():
            if isinstance(window, OperatorWindow):
                patch = window.findChild(Broken) or Broken(window)
                patch.show()
                patch.update()
        if len(failed) > 5 and Broken.painted > 5:
            session.end()

    failed: list[int] = []
    hook, source = sys.excepthook, QTimer()
    source.timeout.connect(act)
    source.timeout.connect(fail)
    source.start(5)
    run_operator(session, close_when_ended=True)
    source.stop()
    for told in ("ValueError: paint is out", "ValueError: a slot is broken"):
        assert caplog.text.count(f"the session goes on: {told}") == 1
    assert sys.excepthook is hook
