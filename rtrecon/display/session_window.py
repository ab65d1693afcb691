"""What every operator's window does: look often, start once, and stay until its session has ended."""
# ruff: noqa: N802  (Qt names what it calls)

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut

from rtrecon.display import theme
from rtrecon.display.faults import Faults
from rtrecon.display.presented import WITHDRAW_KEY
from rtrecon.display.question import Question
from rtrecon.display.screenshots import Screenshots
from rtrecon.display.shown import Leaves
from rtrecon.types import Phase, Status

log = logging.getLogger(__name__)

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


class SessionWindow(Leaves):
    """Everything here happens in Qt's thread. Nothing is sent to the window: it looks.

    Closing it while a session is on asks first: a careless click must not end a scan. Once that is
    answered, or `leave` was called, the session is asked to stop, and the window stays open until it
    has; closing once more leaves at once.

    Parameters
    ----------
    run : Session
    screenshots : Screenshots or None
        Takes the window at the end, at least.
    close_when_ended : bool
        Whether to close soon after the session ended.
    asks : bool
        Whether closing asks first; False where no scan ends with the window.

    Attributes
    ----------
    tick_gaps_ms : deque of float
        Times between ticks, newest last.
    """

    closed = Signal()

    def __init__(
        self,
        run: Session,
        screenshots: Screenshots | None,
        close_when_ended: bool,
        asks: bool = True,
    ) -> None:
        super().__init__()
        self.tick_gaps_ms: deque[float] = deque(maxlen=10_000)
        self._run = run
        self._screenshots, self._close_when_ended = screenshots, close_when_ended
        self._started = self._asked_to_stop = self._leaving = self._over = False
        self._asks = asks
        self.question: Question | None = None
        self.faults = Faults()
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
        for part in self._parts():
            self.faults.guarded(part)
        self._follow_end()

    def _parts(self) -> Iterable[Callable[[], None]]:
        """What to do at each look; where one of it fails, the rest is done all the same."""
        raise NotImplementedError

    def _follow_end(self) -> None:
        if self._over or not self._run.ended:
            return
        self._over = True
        if self.question is not None:
            self.question.close()
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
            self.faults.guarded(self._last_look)
            event.accept()
            self.closed.emit()
            return
        event.ignore()
        if self._asks and not self._asked_to_stop:
            self._ask()
        else:
            self.leave()

    @property
    def leaving(self) -> bool:
        """Whether it closes as soon as its session has ended."""
        return self._leaving

    def leave(self) -> None:
        """Ask the session to stop and close when it has; called once more, close at once."""
        if self._leaving or self._run.ended or self._startable:
            self.close()
        else:
            self._leaving = True
            self.stop()

    def _ask(self) -> None:
        if self.question is not None:
            return
        log.info("the window was closed while the session is on: asked whether to end it")
        self.question = Question(
            "The session is on. End it?", "Its folder is completed then, and the window closes. Escape goes on.",
            "Go on", "End the session", self,
        )  # fmt: skip
        self.question.answered.connect(lambda yes: self.leave() if yes else None)
        self.question.destroyed.connect(self._forget_question)

    def _forget_question(self) -> None:
        self.question = None

    def _last_look(self) -> None:
        """What has to be done before it is gone."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let letters grow with the window."""
        if self.question is not None:
            self.question.setGeometry(self.rect())
        letter = theme.letter_px(self.width(), self.height())
        if letter != self._letter:
            self._letter = letter
            self._restyle(letter)

    def _restyle(self, letter: int) -> None:
        """Draw with letters of so many pixels."""
        self.setStyleSheet(theme.style_sheet(letter))
