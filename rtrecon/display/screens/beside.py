"""Screens that stand beside the operator's window, or alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QEvent, QEventLoop, QObject, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QWidget

from rtrecon.config import read_table
from rtrecon.display.presented import Presented
from rtrecon.display.screens.calm import Calm
from rtrecon.display.screens.canvas import Canvas
from rtrecon.display.screens.monitors import monitor
from rtrecon.display.screens.participant import Participant, ParticipantScene
from rtrecon.display.screens.patch import Corner, Patch

PARTICIPANT_KEYS = "Ctrl+Shift+P"


@dataclass(frozen=True)
class Screens:
    """Which screens a session has; None: not this one."""

    participant: Participant | None = None


def read_screens(
    tables: Mapping[str, Any], where: str = "", participant: str | None = None
) -> Screens:
    """The table `[participant]`, overruled by the monitor that the command line names.

    Raises
    ------
    BadConfig
        A mistake in the table, or no such monitor.
    """
    own = _table(Participant, tables.get("participant"), f"{where} [participant]", participant)
    QApplication.instance() or QApplication(["rtrecon"])
    if own is not None:
        monitor(own.screen, "participant's screen")
    return Screens(own)


def _table(cls: type[Any], table: Any, where: str, named: str | None) -> Any:
    if table is None and named is None:
        return None
    if isinstance(table, Mapping) and type(table.get("screen")) is int:
        table = {**table, "screen": str(table["screen"])}
    read = read_table(cls, {} if table is None else table, where.strip())
    return read if named is None else replace(read, screen=named)


def participant_screen(presented: Presented, settings: Participant) -> Canvas:
    """The participant's screen, not shown yet."""
    corner = settings.photodiode
    return Canvas(
        presented,
        ParticipantScene(settings),
        Calm(presented, settings.hold_s, settings.stale_s),
        fade_s=settings.fade_s,
        mirrored=settings.mirrored,
        patch=None if corner is Corner.NONE else Patch(corner),
        logged=True,
    )


class Beside(QObject):
    """Opens a session's screens beside the operator's window, and closes them with it.

    `PARTICIPANT_KEYS` closes the participant's screen and opens it again, from either window.
    """

    def __init__(self, window: QWidget, presented: Presented, screens: Screens) -> None:
        super().__init__(window)
        self._window = window
        self.open: dict[str, Canvas] = {}
        if (participant := screens.participant) is not None:
            self._offer(
                PARTICIPANT_KEYS, "participant", participant.screen,
                lambda: participant_screen(presented, participant),
            )  # fmt: skip

    def _offer(self, keys: str, name: str, where: str, make: Callable[[], Canvas]) -> None:
        def toggle() -> None:
            if name in self.open:
                self.open[name].close()
            else:
                self._show(name, where, make())

        shortcut = QShortcut(QKeySequence(keys), self._window)
        shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)
        shortcut.setAutoRepeat(False)
        shortcut.activated.connect(toggle)
        toggle()

    def _show(self, name: str, where: str, canvas: Canvas) -> None:
        def forget() -> None:
            del self.open[name]
            canvas.deleteLater()

        self.open[name] = canvas
        canvas.closed.connect(forget)
        canvas.keep_from_focus()
        canvas.fill(monitor(where, f"{name}'s screen"))

    def close(self) -> None:
        """Close all."""
        for canvas in list(self.open.values()):
            canvas.close()
            QApplication.sendPostedEvents(canvas, QEvent.Type.DeferredDelete)


def run_screen(canvas: Canvas, where: str, keys: str, what: str) -> None:
    """Show one screen alone until it is closed, with its keys or by the window system."""
    loop = QEventLoop()
    canvas.closed.connect(loop.quit)
    QShortcut(QKeySequence(keys), canvas).activated.connect(canvas.close)
    canvas.fill(monitor(where, what))
    loop.exec()
    canvas.deleteLater()
    QApplication.sendPostedEvents(canvas, QEvent.Type.DeferredDelete)
