"""Monitors by name or number."""

from PySide6.QtGui import QGuiApplication, QScreen

from rtrecon.errors import BadConfig


def monitor(wanted: str, what: str) -> QScreen:
    """The monitor of this name or number, counted from 1; empty: the first beside the main one.

    Raises
    ------
    BadConfig
        There is none; `what` begins the message, such as "participant's screen".
    """
    screens = QGuiApplication.screens()
    main = QGuiApplication.primaryScreen()
    others = [screen for screen in screens if screen is not main]
    if not wanted and others:
        return others[0]
    for number, screen in enumerate(screens, 1):
        if wanted and wanted in (screen.name(), str(number)):
            return screen
    there = "; ".join(f"{n}: {_told(screen)}" for n, screen in enumerate(screens, 1))
    which = f"no monitor '{wanted}'" if wanted else "there is one monitor only"
    raise BadConfig(f"{what}: {which}: name one of {there}, or connect it and start again")


def _told(screen: QScreen) -> str:
    size = screen.size()
    return f"{screen.name() or 'without a name'} ({size.width()} x {size.height()})"
