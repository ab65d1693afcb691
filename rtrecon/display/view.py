"""A remote screen from its start until it is closed, whatever becomes of its session."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from PySide6.QtCore import QEvent, QEventLoop, QObject, QSettings, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from rtrecon.display.faults import told_once
from rtrecon.display.panels import remembered
from rtrecon.display.presented import Presented
from rtrecon.display.screens import (
    Canvas,
    Screens,
    participant_screen,
    read_screens,
    run_screen,
    spectators_screen,
)
from rtrecon.display.screens.beside import (
    PARTICIPANT_KEYS,
    PARTICIPANTS,
    SPECTATOR_KEYS,
    SPECTATORS,
    StopKey,
    application,
)
from rtrecon.display.waiting import Waiting
from rtrecon.display.watched import Watched
from rtrecon.display.window import OperatorWindow

LOOK_MS = 50
NOT_TOLD = ("brain",)
OF_PICTURES = ("evolution", "candidates", "confidence", "motion", "timing", "latency")
"""Panels that stay empty where there is no decoder, as with EEG."""


class Followed(Watched, Presented, Protocol):
    """A session elsewhere, read only.

    Attributes
    ----------
    name : str
        Of its volume stream.
    role : str
        Whose screen it is followed for.
    session : str
        Which one is heard; empty before the first.
    """

    name: str
    role: str
    session: str


class OperatorView(QObject):
    """The operator's window, read only: one for each session that is heard, at the same place.

    Before the first it says what it waits for. A session that is not heard for a while keeps its
    window; a restarted one gets a new one, since its volumes count from 0 again.

    Parameters
    ----------
    followed : Followed
    stop : threading.Event
        Closes the view when set, from any thread or signal.
    close_when_ended : bool
        Whether to close soon after a session's end.
    memory : QSettings or None
        Where the layout of the panels is kept; None: it is not.
    """

    closed = Signal()

    def __init__(
        self,
        followed: Followed,
        stop: threading.Event,
        close_when_ended: bool = False,
        memory: QSettings | None = None,
    ) -> None:
        super().__init__()
        self._memory = memory
        self._followed, self._stop = followed, stop
        self._close_when_ended = close_when_ended
        self._session = ""
        self.shown: Waiting | OperatorWindow = Waiting(followed.name)
        self.shown.closed.connect(self.closed)
        self.shown.show()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self._timer.start(LOOK_MS)

    def look(self) -> None:
        """Follow the session, and close when asked to."""
        if self._stop.is_set():
            self.shown.close()
        elif self._followed.session != self._session:
            self._session = self._followed.session
            self._show_operator()
        elif isinstance(self.shown, Waiting):
            self.shown.turn(time.monotonic())

    def _show_operator(self) -> None:
        before, decodes = self.shown, bool(self._followed.candidates)
        if isinstance(before, OperatorWindow):
            before.panels.remember()
        window = OperatorWindow(
            self._followed,
            close_when_ended=self._close_when_ended,
            memory=self._memory if decodes else None,
            asks=False,
        )
        for name in NOT_TOLD if decodes else (*NOT_TOLD, *OF_PICTURES):
            window.panels.offer(name, there=False)
        for widget in (window.stage, window.counts):
            widget.setVisible(decodes)
        window.controls.setEnabled(False)  # their keys as well
        window.controls.hide()
        self.shown = window
        window.closed.connect(self.closed)
        window.setGeometry(before.geometry())
        window.setWindowState(before.windowState())
        window.show()
        discard(before)
        window.activateWindow()  # the keyboard stays with the view

    def discard(self) -> None:
        """Give up what is shown."""
        self._timer.stop()
        discard(self.shown)


def screens_of(
    role: str, tables: Mapping[str, Any], where: str = "", monitor: str | None = None
) -> Screens:
    """How this role's screen looks, by the tables of a session's configuration, and where it is.

    A machine's only monitor is taken, whatever the session's own machine has.

    Raises
    ------
    BadConfig
        A mistake in the role's table, or no such monitor.
    """
    application()
    if monitor is None and len(QGuiApplication.screens()) == 1:
        monitor = "1"
    if role == "participant":
        own = {key: table for key, table in tables.items() if key == "participant"}
        return read_screens(own, where, participant=monitor or "")
    if role == "spectator":
        own = {key: table for key, table in tables.items() if key == "spectators"}
        return read_screens(own, where, spectators=monitor or "")
    return Screens()


def run_view(
    followed: Followed, screens: Screens, stop: threading.Event, close_when_ended: bool = False
) -> None:
    """Show a session that runs elsewhere, in the main thread; returns when closed.

    Parameters
    ----------
    followed : Followed
    screens : Screens
        The one there is is shown, full screen; where there is none, the operator's window.
    stop : threading.Event
        Closes the view when set, from any thread or signal.
    close_when_ended : bool
        Whether to close soon after the session's end.
    """
    application()
    with told_once():
        _run_view(followed, screens, stop, close_when_ended)


def _run_view(
    followed: Followed, screens: Screens, stop: threading.Event, close_when_ended: bool
) -> None:
    def over() -> bool:
        return stop.is_set() or (close_when_ended and followed.ended)

    if (own := screens.participant) is not None:
        canvas = _closing(participant_screen(followed, own), over)
        StopKey(own.stop, followed, canvas)
        run_screen(canvas, own.screen, PARTICIPANT_KEYS, PARTICIPANTS)
    elif (wall := screens.spectators) is not None:
        canvas = _closing(spectators_screen(followed, wall, followed.stimulus), over)
        run_screen(canvas, wall.screen, SPECTATOR_KEYS, SPECTATORS)
    else:
        _run_operator(OperatorView(followed, stop, close_when_ended, remembered()))


def _run_operator(view: OperatorView) -> None:
    loop = QEventLoop()
    view.closed.connect(loop.quit)
    loop.exec()
    view.discard()


def _closing(canvas: Canvas, over: Callable[[], bool]) -> Canvas:
    timer = QTimer(canvas)
    timer.timeout.connect(lambda: canvas.close() if over() else None)
    timer.start(LOOK_MS)
    return canvas


def discard(widget: QWidget) -> None:
    """Destroy a window now, without asking it: closing would leave its session."""
    widget.deleteLater()
    QApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
