"""What every operator's window does: look often, start once, and stay until its session has ended."""
# ruff: noqa: N802  (Qt names what it calls)

import time
from collections import deque
from typing import Protocol

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QWidget

from rtrecon.display import theme
from rtrecon.display.presented import WITHDRAW_KEY
from rtrecon.display.screenshots import Screenshots
from rtrecon.types import Phase, Status

LINGER_MS = 400  # between a session's end and closing by itself


class Session(Protocol):
    """What starts and ends."""

    @property
    def status(self) -> Status:
        """A frozen snapshot, swapped whole."""
        ...

    @property
    def ended(self) -> bool:
        """Whether all threads are done."""
        ...

    def start(self) -> None:
        """Start the threads."""
        ...

    def stop(self) -> None:
        """Ask for the end and return at once."""
        ...

    def withdraw(self) -> None:
        """The participant stops."""
        ...


class SessionWindow(QWidget):
    """Everything here happens in Qt's thread. Nothing is sent to the window: it looks.

    Closing asks the session to stop and stays open until it has; closing once more leaves at once.

    Parameters
    ----------
    run : Session
    screenshots : Screenshots or None
        Takes the window at the end, at least.
    close_when_ended : bool
        Whether to close soon after the session ended.

    Attributes
    ----------
    tick_gaps_ms : deque of float
        Times between ticks, newest last.
    """

    closed = Signal()

    def __init__(
        self, run: Session, screenshots: Screenshots | None, close_when_ended: bool
    ) -> None:
        super().__init__()
        self.tick_gaps_ms: deque[float] = deque(maxlen=10_000)
        self._run = run
        self._screenshots, self._close_when_ended = screenshots, close_when_ended
        self._started = self._asked_to_stop = self._leaving = self._over = False
        self._letter = 0
        self._last_tick = time.perf_counter()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        stopped = QShortcut(QKeySequence(WITHDRAW_KEY), self)
        stopped.setContext(Qt.ShortcutContext.ApplicationShortcut)
        stopped.activated.connect(run.withdraw)

    def start(self) -> None:
        """Start the session, if it was not."""
        if self._startable:
            self._started = True
            self._run.start()

    @property
    def _startable(self) -> bool:
        return not self._started and self._run.status.phase is Phase.READY

    def stop(self) -> None:
        """Ask the session for its end; the window stays."""
        self._asked_to_stop = True
        self._run.stop()

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back to a window."""
        window = self.window()
        window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen)

    def tick(self) -> None:
        """Look at the session once and show what is new."""
        now = time.perf_counter()
        self.tick_gaps_ms.append((now - self._last_tick) * 1000)
        self._last_tick = now
        self._look()
        self._follow_end()

    def _look(self) -> None:
        """Show what is new."""
        raise NotImplementedError

    def _follow_end(self) -> None:
        if self._over or not self._run.ended:
            return
        self._over = True
        if self._screenshots:
            self._screenshots.take(self)
        if self._leaving:
            self.close()
        elif self._close_when_ended:
            QTimer.singleShot(LINGER_MS, self, self.close)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close once the session has ended, or the second time it is asked for."""
        if self._leaving or self._run.ended or self._startable:
            self._timer.stop()
            self._last_look()
            event.accept()
            self.closed.emit()
        else:
            self._leaving = True
            self.stop()
            event.ignore()

    def _last_look(self) -> None:
        """What has to be done before it is gone."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let letters grow with the window."""
        letter = theme.letter_px(self.width(), self.height())
        if letter != self._letter:
            self._letter = letter
            self._restyle(letter)

    def _restyle(self, letter: int) -> None:
        """Draw with letters of so many pixels."""
        self.setStyleSheet(theme.style_sheet(letter))
