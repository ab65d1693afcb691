"""The operator's window. Qt stops at this door: nothing else in rtrecon imports it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QEvent, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from rtrecon.display.panels import remembered
from rtrecon.display.screens import Beside, Screens
from rtrecon.display.screenshots import Screenshots
from rtrecon.display.watched import Watched
from rtrecon.display.window import OperatorWindow

__all__ = ["OperatorWindow", "Screenshots", "Watched", "run_window"]


def run_window(
    session: Watched,
    *,
    screenshots: Path | None = None,
    close_when_ended: bool = False,
    screens: Screens | None = None,
) -> None:
    """Show a session from its start to its end, in the main thread; returns when closed.

    Closing the window, or Ctrl-C, asks the session to stop and waits for its end with the window
    alive; doing so a second time returns without waiting.

    Parameters
    ----------
    session : Watched
        Not started yet; is started once the window is there.
    screenshots : Path or None
        Folder for pictures of the window: one at the end of each trial.
    close_when_ended : bool
        Whether the window closes by itself soon after the session's end.
    screens : Screens or None
        Those beside the window, if any.
    """
    app = QApplication.instance() or QApplication(["rtrecon"])
    # Pictures of the window are taken of the layout that everybody knows.
    window = OperatorWindow(
        session, Screenshots(screenshots) if screenshots else None, close_when_ended,
        memory=None if screenshots else remembered(),
    )  # fmt: skip
    loop = QEventLoop()
    window.closed.connect(loop.quit)
    window.show()
    QTimer.singleShot(0, window, window.start)
    beside = Beside(window, session, screens or Screens(), session.stimulus)
    with interrupt_closes(window):
        loop.exec()
    beside.close()
    window.deleteLater()
    app.sendPostedEvents(window, QEvent.Type.DeferredDelete)


@contextmanager
def interrupt_closes(window: QWidget) -> Iterator[None]:
    """Ctrl-C closes the window; Python gets to see the signal at the window's next tick."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: QTimer.singleShot(0, window, window.close))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
