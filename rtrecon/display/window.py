"""The operator's window: one timer that takes what is newest, and widgets that show it."""
# ruff: noqa: N802  (Qt names what it calls)

import time
from collections import deque
from dataclasses import replace

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from rtrecon.display import theme, wording
from rtrecon.display.candidates import Candidates
from rtrecon.display.controls import Controls
from rtrecon.display.counts import Counts
from rtrecon.display.header import Header
from rtrecon.display.screenshots import Screenshots
from rtrecon.display.stage import Stage
from rtrecon.display.strip import Strip
from rtrecon.display.theme import Text
from rtrecon.display.traces import Traces
from rtrecon.display.watched import Watched
from rtrecon.types import Decoded, Frame, Phase, Status, Trial

TICK_MS = 16
LINGER_MS = 400  # between a session's end and closing by itself


class OperatorWindow(QWidget):
    """What scientists at the scanner console look at.

    Everything here happens in Qt's thread. Nothing is sent to the window: it looks, sixty times a
    second, and touches only what has changed; a picture is therefore never older than a tick.

    Closing asks the session to stop and stays open until it has; closing once more leaves at once.

    Parameters
    ----------
    session : Watched
    screenshots : Screenshots or None
        Takes the window at the end of each trial.
    close_when_ended : bool
        Whether to close soon after the session ended.

    Attributes
    ----------
    tick_gaps_ms : deque of float
        Times between ticks, newest last.
    """

    closed = Signal()

    def __init__(
        self,
        session: Watched,
        screenshots: Screenshots | None = None,
        close_when_ended: bool = False,
    ) -> None:
        super().__init__()
        self.session = session
        self.tick_gaps_ms: deque[float] = deque(maxlen=10_000)
        self._screenshots = screenshots
        self._close_when_ended = close_when_ended
        self._status: Status | None = None
        self._decoded: Decoded | None = None
        self._trial: int | None = None
        self._frame: Frame | None = None  # shown, and not reported as painted yet
        self._started = self._asked_to_stop = self._leaving = self._over = False
        self._letter = 0
        self._last_tick = time.perf_counter()
        self._build()
        self._bind_keys()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._timer.start(TICK_MS)

    def _build(self) -> None:
        self.setWindowTitle("rtrecon")
        self.setMinimumSize(1024, 640)
        self.header = Header(self.session)
        self.stage = Stage()
        self.strip = Strip()
        self.strip.n_candidates = len(self.session.candidates)
        self.candidates = Candidates()
        self.candidates_title = Text("Candidates", "title")
        self.traces = Traces(self.session.tr_s, self.session.speed)
        self.counts = Counts()
        self.controls = Controls(self.session)
        self.controls.start.clicked.connect(self.start)
        self.controls.stop.clicked.connect(self.stop)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(18, 12, 18, 12)
        rows.setSpacing(12)
        rows.addWidget(self.header)
        rows.addLayout(self._body(), stretch=1)
        rows.addLayout(self._footer())
        self.resize(1280, 720)

    def _body(self) -> QHBoxLayout:
        pictures = QVBoxLayout()
        pictures.setSpacing(10)
        pictures.addWidget(self.stage, stretch=6)
        pictures.addWidget(self.strip, stretch=1)
        numbers = QVBoxLayout()
        numbers.setSpacing(12)
        numbers.addWidget(_panel(self.candidates_title, self.candidates), stretch=2)
        numbers.addWidget(_panel(self.traces), stretch=3)
        body = QHBoxLayout()
        body.setSpacing(20)
        body.addLayout(pictures, stretch=68)
        body.addLayout(numbers, stretch=32)
        return body

    def _footer(self) -> QHBoxLayout:
        footer = QHBoxLayout()
        footer.setSpacing(24)
        footer.addWidget(self.counts)
        hint = Text("F11 full screen  ·  Ctrl+Q quit", "small")
        hint.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        footer.addWidget(hint, stretch=1)
        footer.addWidget(self.controls)
        return footer

    def _bind_keys(self) -> None:
        for keys, action in (("F11", self.toggle_full_screen), ("Ctrl+Q", self.close)):
            QShortcut(QKeySequence(keys), self).activated.connect(action)

    def start(self) -> None:
        """Start the session, if it was not."""
        if self._startable:
            self._started = True
            self.session.start()

    @property
    def _startable(self) -> bool:
        return not self._started and self.session.status.phase is Phase.READY

    def stop(self) -> None:
        """Ask the session for its end; the window stays."""
        self._asked_to_stop = self.header.stopping = True
        self.session.stop()
        self._show_status(self.session.status)

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back to a window."""
        window = self.window()  # another one's page, in a visit
        window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen)

    def tick(self) -> None:
        """Look at the session once and show what is new."""
        now = time.perf_counter()
        self.tick_gaps_ms.append((now - self._last_tick) * 1000)
        self._last_tick = now
        self._report_painted()
        self._follow_status()
        self._follow_frames()
        self._follow_decoded()
        self.controls.follow_settings()
        self._follow_end()

    def _report_painted(self) -> None:
        painted = self.stage.reconstruction.picture.take_painted()
        if self._frame is not None and painted is not None:
            times = replace(self._frame.times, painted=painted)
            frame, self._frame = replace(self._frame, times=times), None
            self.session.shown(frame)
            self.traces.add_painted(frame)

    def _follow_frames(self) -> None:
        frame = self.session.frames.take() if self.session.frames.peek() else None
        if frame is None:
            return
        trial = frame.decoded.trial
        if self.strip.trial not in (None, trial.number) and self._screenshots:
            self._screenshots.take(self)  # the last trial is complete, and still on screen
        if self.stage.trial is None or self.stage.trial.number != trial.number:
            self.stage.show_stimulus(trial, self.session.stimulus(trial))
        self._frame = frame
        self.stage.show_frame(frame, self.session.candidates)
        self.strip.add(frame)

    def _follow_status(self) -> None:
        status = self.session.status
        if status != self._status:
            self._show_status(status)
        self.header.tick()

    def _show_status(self, status: Status) -> None:
        before, self._status = self._status, status
        self.header.show_status(status)
        self.counts.show_status(status)
        self.controls.show_status(status, self._asked_to_stop)
        self.setWindowTitle(f"{status.stream} - rtrecon" if status.stream else "rtrecon")
        if status.trial and status.trial.number != self._trial:
            self._begin_trial(status.trial)
        if status.arrival and (before is None or status.arrival != before.arrival):
            self.traces.add(status.arrival)

    def _begin_trial(self, trial: Trial) -> None:
        self._trial = trial.number
        self.traces.add_trial(trial)
        if self.stage.reconstruction.picture.empty:
            self.stage.show_stimulus(trial, self.session.stimulus(trial))
        self.stage.show_now(trial)

    def _follow_decoded(self) -> None:
        decoded = self.session.decoded
        if decoded is None or decoded is self._decoded:
            return
        self._decoded = decoded
        self.candidates.show_decoded(decoded, self.session.candidates)
        self.candidates_title.say(f"Candidates  ·  {wording.about(decoded)}")

    def _follow_end(self) -> None:
        if self._over or not self.session.ended:
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
        if self._leaving or self.session.ended or self._startable:
            self._timer.stop()
            self._report_painted()
            event.accept()
            self.closed.emit()
        else:
            self._leaving = True
            self.stop()
            event.ignore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let letters grow with the window."""
        letter = theme.letter_px(self.width(), self.height())
        if letter != self._letter:
            self._letter = letter
            self.setStyleSheet(theme.style_sheet(letter))
            self.traces.set_letter(letter)


def _panel(*widgets: QWidget) -> QFrame:
    panel = QFrame()
    panel.setProperty("role", "panel")
    rows = QVBoxLayout(panel)
    rows.setContentsMargins(12, 8, 12, 8)
    rows.setSpacing(4)
    for widget in widgets:
        rows.addWidget(widget, stretch=int(widget is widgets[-1]))
    return panel
