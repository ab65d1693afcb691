"""An operator's window alone, as a visit shows it."""

from PySide6.QtCore import QTimer

from rtrecon.display import OperatorWindow, Screenshots, Watched, show_until_closed
from rtrecon.display.screens import Screens


def run_operator(
    session: Watched,
    shots: Screenshots | None = None,
    close_when_ended: bool = False,
    screens: Screens | None = None,
) -> None:
    """A session's window from its start until it is closed, started once it is there."""
    window = OperatorWindow(session, shots, close_when_ended)
    QTimer.singleShot(0, window, window.start)
    show_until_closed(window, window.closed, session, screens, session.stimulus)
