"""A remote screen from its start until it is closed, whatever becomes of its session."""

import threading
import time
from typing import Protocol

from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from rtrecon.display.waiting import Waiting
from rtrecon.display.watched import Watched
from rtrecon.display.window import OperatorWindow

LOOK_MS = 50


class Followed(Watched, Protocol):
    """A session elsewhere. `session`: which one is heard; empty before the first."""

    session: str


class OperatorView(QObject):
    """The operator's window, read only: one for each session that is heard, at the same place.

    Before the first it says what it waits for. A session that is not heard for a while keeps its
    window; a restarted one gets a new one, since its volumes count from 0 again.

    Parameters
    ----------
    followed : Followed
    name : str
        Of the session's volume stream.
    stop : threading.Event
        Closes the view when set, from any thread or signal.
    close_when_ended : bool
        Whether to close soon after a session's end.
    """

    closed = Signal()

    def __init__(
        self, followed: Followed, name: str, stop: threading.Event, close_when_ended: bool = False
    ) -> None:
        super().__init__()
        self._followed, self._stop = followed, stop
        self._close_when_ended = close_when_ended
        self._session = ""
        self.shown: Waiting | OperatorWindow = Waiting(name)
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
        window = OperatorWindow(self._followed, close_when_ended=self._close_when_ended)
        window.controls.setEnabled(False)  # their keys as well
        window.controls.hide()
        before, self.shown = self.shown, window
        window.closed.connect(self.closed)
        window.setGeometry(before.geometry())
        window.setWindowState(before.windowState())
        window.show()
        discard(before)

    def discard(self) -> None:
        """Give up what is shown."""
        self._timer.stop()
        discard(self.shown)


def run_operator_view(
    followed: Followed, name: str, stop: threading.Event, close_when_ended: bool = False
) -> None:
    """Show a session elsewhere, in the main thread; returns when closed."""
    QApplication.instance() or QApplication(["rtrecon"])
    view = OperatorView(followed, name, stop, close_when_ended)
    loop = QEventLoop()
    view.closed.connect(loop.quit)
    loop.exec()
    view.discard()


def discard(widget: QWidget) -> None:
    """Destroy a window now, without asking it: closing would leave its session."""
    widget.deleteLater()
    QApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
