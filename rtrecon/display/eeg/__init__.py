"""The operator's window of an EEG session."""

from pathlib import Path

from PySide6.QtCore import QTimer

from rtrecon.display.eeg.watched import WatchedEeg
from rtrecon.display.eeg.window import EegWindow
from rtrecon.display.screens import Screens, application
from rtrecon.display.screenshots import Screenshots
from rtrecon.display.shown import show_until_closed

__all__ = ["EegWindow", "WatchedEeg", "run_eeg_window"]


def run_eeg_window(
    session: WatchedEeg,
    *,
    screenshots: Path | None = None,
    close_when_ended: bool = False,
    screens: Screens | None = None,
) -> None:
    """Show an EEG session from its start to its end, in the main thread; returns when closed.

    Closing the window, or Ctrl-C, asks the session to stop and waits for its end with the window
    alive; doing so a second time returns without waiting.

    Parameters
    ----------
    session : WatchedEeg
        Not started yet; is started once the window is there.
    screenshots : Path or None
        Folder for pictures of the window: one at the end of each block.
    close_when_ended : bool
        Whether the window closes by itself soon after the session's end.
    screens : Screens or None
        Those beside the window, if any.
    """
    application()
    window = EegWindow(session, Screenshots(screenshots) if screenshots else None, close_when_ended)
    QTimer.singleShot(0, window, window.start)
    show_until_closed(window, window.closed, session, screens)
