"""The window of a whole visit: set-up, live, what became of the run, and again."""
# ruff: noqa: N802  (Qt names what it calls)

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QProgressBar, QStackedWidget, QVBoxLayout, QWidget

from rtrecon.check.findings import Finding, red
from rtrecon.config import Session
from rtrecon.display import theme
from rtrecon.display.panels import remembered
from rtrecon.display.screens import Screens, application
from rtrecon.display.screenshots import Screenshots
from rtrecon.display.session_window import LINGER_MS
from rtrecon.display.shown import Leaves, show_until_closed
from rtrecon.display.theme import Words
from rtrecon.display.visit.current import CurrentRun
from rtrecon.display.visit.ended import RunEnded
from rtrecon.display.visit.remembered import recalled, remember
from rtrecon.display.visit.set_up import SetUp
from rtrecon.display.visit.style import page_style
from rtrecon.display.window import TICK_MS, OperatorWindow
from rtrecon.errors import BadInput
from rtrecon.memory import give_back
from rtrecon.pipeline import Pipeline
from rtrecon.streams import Sources
from rtrecon.visit import Ended, Visit, free_folder
from rtrecon.worker import Worker

log = logging.getLogger(__name__)

LOOK_S = 3.0  # that the preflight waits for a stream: the list beside it is live
END_S = 90.0  # for the last run's folder to be completed


class VisitWindow(Leaves):
    """One page after another in one window; everything that takes time is done in a worker.

    Closing asks first while a run is on, ends it as its end marker would and waits for its folder;
    closing once more leaves at once.

    Parameters
    ----------
    visit : Visit
        Used in the worker alone; `run_visit` closes it.
    session : Session
        What is chosen already.
    pipeline : Pipeline or None
        A run that is open already: it is shown at once, and nothing has to be chosen.
    screenshots : Screenshots or None
    close_when_ended : bool
        Whether the window closes when the first run has ended.

    Attributes
    ----------
    live : OperatorWindow or None
        The live view, while there is a run.
    tick_gaps_ms : deque of float
        Times between ticks, newest last.
    ended : Ended or None
        What became of the last run.
    current : CurrentRun
        For the screens beside this window.
    """

    closed = Signal()

    def __init__(
        self,
        visit: Visit,
        session: Session,
        pipeline: Pipeline | None = None,
        screenshots: Screenshots | None = None,
        close_when_ended: bool = False,
    ) -> None:
        super().__init__()
        self._visit, self._session = visit, session
        self._choice = session  # that was looked at last
        self._screenshots, self._close_when_ended = screenshots, close_when_ended
        self.worker = Worker("rtrecon-visit")
        self._waits: deque[tuple[Future[Any], Callable[[Any], None]]] = deque()
        self.set_up: SetUp | None = None
        self.live: OperatorWindow | None = None
        self.ended: Ended | None = None
        self.current = CurrentRun()
        self._sources: Sources | None = None
        self._look = 0  # the preflight that counts: older ones are given up
        self._found: list[Finding] = []
        self._runs = 0
        self._ending = self._leaving = self._gone = self._then_next = False
        self.tick_gaps_ms: deque[float] = deque(maxlen=10_000)
        self._last_tick = time.perf_counter()
        self._build()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._timer.start(TICK_MS)
        if pipeline is None:
            self.choose()
        else:
            self._go_live(pipeline)

    def _build(self) -> None:
        self.setWindowTitle("rtrecon")
        self.setMinimumSize(1024, 640)
        self.pages = QStackedWidget()
        self.busy = Words("", "heading")
        self.busy.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._busy_page = QWidget()
        rows = QVBoxLayout(self._busy_page)
        bar = QProgressBar()
        bar.setRange(0, 0)
        bar.setTextVisible(False)
        rows.addStretch()
        rows.addWidget(self.busy)
        rows.addWidget(bar)
        rows.addStretch()
        self.run_ended = RunEnded()
        self.run_ended.next_run.clicked.connect(self.next_run)
        self.run_ended.change.clicked.connect(self.choose)
        self.run_ended.leave.clicked.connect(self.close)
        for page in (self._busy_page, self.run_ended):
            self._add(page)
            self._bind_keys(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)
        self.resize(1280, 720)

    def _add(self, page: QWidget) -> None:
        page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)  # else only windows have one
        self.pages.addWidget(page)

    def _bind_keys(self, page: QWidget) -> None:
        """Each page has its own, and the live view brings its: two of one kind would cancel out."""
        for keys, action in (("F11", self.toggle_full_screen), ("Ctrl+Q", self.close)):
            QShortcut(QKeySequence(keys), page).activated.connect(action)

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back to a window."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def choose(self) -> None:
        """Show the set-up page, with what was chosen the last time."""
        if self.set_up is None:
            self.set_up = SetUp(recalled(self._session))
            self.set_up.asked.connect(self.look)
            self.set_up.start_asked.connect(self.start)
            self._bind_keys(self.set_up)
            self._add(self.set_up)
            self._style()
        else:
            self.set_up.outdated()
        if self._sources is None:
            self._sources = Sources()
        self.pages.setCurrentWidget(self.set_up)
        self.set_up.streams.setFocus()

    def look(self) -> None:
        """Look at what is chosen; a look that is under way is given up."""
        assert self.set_up is not None
        self._look += 1
        self._visit.give_up()
        found: list[Finding] = []
        self._found = found
        self.set_up.begin_look()
        try:
            self._choice = self.set_up.chosen
        except BadInput as error:
            found.append(red("choice", error))
            self.set_up.show_failure(found[0])
            return
        number, choice = self._look, replace(self._choice, wait_s=LOOK_S)
        self._do(lambda: self._find(choice, number, found), lambda _: self._looked(number))

    def _find(self, choice: Session, number: int, found: list[Finding]) -> None:
        """In the worker."""
        if number != self._look:
            return
        for finding in self._visit.check(choice):
            if number != self._look:
                return
            found.append(finding)

    def _looked(self, number: int) -> None:
        if number == self._look and self.set_up is not None:
            self.set_up.show_found(self._found, whole=True)

    def start(self) -> None:
        """Open a run as it was looked at."""
        assert self.set_up is not None
        choice = replace(self._choice, output=free_folder(self._choice.output))
        remember(choice, self.set_up.output.path)
        self._open(lambda: self._visit.open_run(choice))

    def next_run(self) -> None:
        """Open another run like the last; one that is live is ended first."""
        if self.live is not None:
            self._then_next = True
            self.live.stop()
        else:
            self._open(self._visit.next_run)

    def _open(self, call: Callable[[], Pipeline]) -> None:
        self._wait_page("Opening the run")
        self._look += 1
        self._do(call, self._go_live, self._could_not_open)
        self._look_no_more()

    def _look_no_more(self) -> None:
        sources, self._sources = self._sources, None
        if sources is not None:
            self.worker.submit(sources.close)

    def _could_not_open(self, error: Exception) -> None:
        self.choose()
        assert self.set_up is not None
        self._found = [red("run", error)]
        self.set_up.show_failure(self._found[0])

    def _go_live(self, pipeline: Pipeline) -> None:
        self._runs += 1
        self._ending = False
        self.current.run = pipeline
        # Pictures of the window are taken of the layout that everybody knows.
        memory = None if self._screenshots else remembered()
        self.live = OperatorWindow(pipeline, self._screenshots, memory=memory)
        self.live.closed.connect(self._live_closed)
        self.live.controls.offer_next(self.next_run)
        self.live.windowTitleChanged.connect(self.setWindowTitle)
        self._add(self.live)
        self.pages.setCurrentWidget(self.live)
        self.live.setFocus()
        QTimer.singleShot(0, self.live, self.live.start)

    def _follow_run(self) -> None:
        live = self.live
        if live is None or self._ending or not live.session.ended or live.session.frames.peek():
            return
        self._ending = True  # the last picture gets the time to be painted
        QTimer.singleShot(LINGER_MS, live, live.close)

    def _live_closed(self) -> None:
        """The run is over: by itself, or since the window is to close."""
        live, self.live = self.live, None
        self.current.run = None
        if live is None or self._gone:
            return
        self._leaving |= live.leaving or not self._ending or self._close_when_ended
        self._wait_page("Completing the run's folder")
        self.pages.removeWidget(live)
        live.deleteLater()
        self._do(self._visit.end_run, self._run_ended)

    def _run_ended(self, ended: Ended | None) -> None:
        self.ended = ended
        give_back()  # in Qt's thread: of widgets that another one finds to be garbage some would stay
        self.setWindowTitle("rtrecon")
        if self._leaving:
            self._go()
        elif self._then_next:
            self._then_next = False
            self.next_run()
        else:
            assert ended is not None
            self.pages.setCurrentWidget(self.run_ended)
            self.run_ended.show_ended(ended, self._runs)

    def _wait_page(self, words: str) -> None:
        self.busy.say(f"{words}\N{HORIZONTAL ELLIPSIS}")
        self.pages.setCurrentWidget(self._busy_page)

    def _do(
        self,
        call: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Have it done in the worker; `then` or `failed` is called here."""

        def done(future: Future[Any]) -> None:
            error = future.exception()
            if error is None:
                then(future.result())
            elif isinstance(error, Exception):
                log.error("%s: %s", type(error).__name__, error)
                (failed or self._could_not_open)(error)

        self._waits.append((self.worker.submit(call), done))

    def tick(self) -> None:
        """Take what the worker has done, and follow what is on this page."""
        now = time.perf_counter()
        self.tick_gaps_ms.append(1e3 * (now - self._last_tick))
        self._last_tick = now
        while self._waits and self._waits[0][0].done():
            future, done = self._waits.popleft()
            done(future)
        if self.set_up is not None and self.pages.currentWidget() is self.set_up:
            if self._sources is not None:
                self.set_up.show_seen(self._sources.seen)
            self.set_up.show_found(self._found, whole=False)
        self._follow_run()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close at once where nothing runs, else when the run's folder is complete."""
        answered = self.live is not None and self.live.leaving
        if answered or self._leaving or self._gone or not self._busy:
            self._go()
            event.accept()
            return
        event.ignore()
        if self.live is not None:
            self.live.close()  # which asks
        else:
            self._leaving = True

    def leave(self) -> None:
        """Close without asking: at once where nothing runs, else when the folder is complete."""
        if self._leaving or not self._busy:
            self.close()
            return
        self._leaving = True
        if self.live is not None:
            self.live.leave()

    @property
    def _busy(self) -> bool:
        return self.live is not None or self.pages.currentWidget() is self._busy_page

    def _go(self) -> None:
        """Leave; what is still under way ends by itself."""
        if self._gone:
            return
        self._gone = True
        self._look += 1
        self._timer.stop()
        if self.live is not None:
            self.live.close()
        self._look_no_more()
        self.hide()
        self.closed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let letters grow with the window."""
        self._style()

    def _style(self) -> None:
        letter = theme.letter_px(self.width(), self.height())
        for page in (self._busy_page, self.run_ended, self.set_up):
            if page is not None:
                page.setStyleSheet(page_style(letter))


def run_visit(
    visit: Visit,
    session: Session,
    pipeline: Pipeline | None = None,
    *,
    screenshots: Path | None = None,
    close_when_ended: bool = False,
    screens: Screens | None = None,
) -> None:
    """Show a whole visit, in the main thread; returns when closed, all folders complete.

    Parameters
    ----------
    visit : Visit
        Is closed.
    session : Session
        What is chosen already.
    pipeline : Pipeline or None
        A run that is open already, not started; None: begin with the set-up page.
    screenshots : Path or None
        Folder for pictures of the live view: one at the end of each trial.
    close_when_ended : bool
        Whether the window closes by itself soon after the first run's end.
    screens : Screens or None
        Those beside the window, if any: from the first run to the last.
    """
    application()
    shots = Screenshots(screenshots) if screenshots else None
    window = VisitWindow(visit, session, pipeline, shots, close_when_ended)
    current, worker = window.current, window.worker
    show_until_closed(window, window.closed, current, screens, current.stimulus, visit.stop)
    if wait([worker.submit(visit.close)], END_S).not_done:
        log.error("the last run's folder is not complete after %g s: ended without", END_S)
    worker.close(timeout_s=1.0)
