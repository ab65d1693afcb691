"""A window shown from now until it is closed, with the screens beside it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QEvent, QEventLoop, QTimer, SignalInstance
from PySide6.QtWidgets import QApplication, QWidget

from rtrecon.display.faults import told_once
from rtrecon.display.presented import Presented
from rtrecon.display.screens import Beside, Screens, Stimulus


class Leaves(QWidget):
    """A window that can be left: closed without a question, once its session has ended."""

    def leave(self) -> None:
        """Ask the session to stop and close when it has; called once more, close at once."""
        raise NotImplementedError


def show_until_closed(
    window: Leaves,
    closed: SignalInstance,
    presented: Presented,
    screens: Screens | None = None,
    stimulus: Stimulus | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Show a window in the main thread; returns when it is closed, and nothing is left of it.

    Ctrl-C, or a polite kill, leaves it without asking. What fails in it is told once.

    Parameters
    ----------
    window : Leaves
    closed : SignalInstance
        Of the window: it is closed for good.
    presented : Presented
        What the screens beside it show.
    screens : Screens or None
        Those beside the window, if any.
    stimulus : callable or None
        Gives spectators what was presented in a trial.
    stop : threading.Event or None
        Set by a signal that came while the window was made: it is left at once.
    """
    loop = QEventLoop()
    closed.connect(loop.quit)
    with told_once(), _signals_leave(window):
        window.show()
        beside = Beside(window, presented, screens or Screens(), stimulus)
        if stop is not None and stop.is_set():
            QTimer.singleShot(0, window, window.leave)
        loop.exec()
        beside.close()
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)


@contextmanager
def _signals_leave(window: Leaves) -> Iterator[None]:
    """Python gets to see a signal at the window's next tick."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: object) -> None:
        QTimer.singleShot(0, window, window.leave)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
