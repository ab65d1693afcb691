"""The window from start to end: closing, Ctrl-C, screenshots, nothing left behind."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QEvent, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon.display import OperatorWindow, Screenshots
from rtrecon.types import Trial
from tests.windows import run_operator

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

pytestmark = [pytest.mark.timeout(60)]

NewTrial = Callable[..., Trial]


def test_closing_waits_for_the_end_without_freezing(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    window.start()
    window.tick()
    assert not window.close()
    assert session.stopped == 1
    assert window.isVisible()
    ticks = len(window.tick_gaps_ms)
    qtbot.waitUntil(lambda: len(window.tick_gaps_ms) > ticks + 3)
    with qtbot.waitSignal(window.closed):
        session.end()
    assert not window.isVisible()
    assert not any(timer.isActive() for timer in window.findChildren(QTimer))


def test_closing_twice_does_not_wait(session: HandFed, window: OperatorWindow) -> None:
    window.start()
    assert not window.close()
    assert window.close()
    assert session.stopped == 1


def live_widgets() -> set[int]:
    gc.collect()
    return {id(widget) for widget in QApplication.topLevelWidgets()}


@pytest.fixture
def no_leaks(qapp: QApplication) -> Iterator[None]:
    """A window left open, or a timer left running, fails the test."""
    before = live_widgets()
    yield
    gc.collect()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left = [w for w in QApplication.topLevelWidgets() if id(w) not in before]
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
