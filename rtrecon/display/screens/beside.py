"""Screens that stand beside the operator's window, or alone."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QKeyCombination, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QScreen, QShortcut
from PySide6.QtWidgets import QApplication, QWidget

from rtrecon.config import read_table
from rtrecon.display.presented import WITHDRAW_KEY, Presented
from rtrecon.display.screens.calm import Calm
from rtrecon.display.screens.canvas import Canvas
from rtrecon.display.screens.monitors import monitor
from rtrecon.display.screens.participant import Participant, ParticipantScene
from rtrecon.display.screens.patch import Corner, Patch
from rtrecon.display.screens.spectators import Spectators, SpectatorScene, Stimulus
from rtrecon.errors import BadConfig

log = logging.getLogger(__name__)

PARTICIPANT_KEYS, SPECTATOR_KEYS = "Ctrl+Shift+P", "Ctrl+Shift+W"
PARTICIPANTS, SPECTATORS = "participant's screen", "spectators' screen"


@dataclass(frozen=True)
class Screens:
    """Which screens a session has; None: not this one."""

    participant: Participant | None = None
    spectators: Spectators | None = None


def read_screens(
    tables: Mapping[str, Any],
    where: str = "",
    participant: str | None = None,
    spectators: str | None = None,
) -> Screens:
    """The tables `[participant]` and `[spectators]`, overruled by monitors of the command line.

    Raises
    ------
    BadConfig
        A mistake in a table, or no such monitor.
    """
    screens = Screens(
        _table(Participant, tables.get("participant"), f"{where} [participant]", participant),
        _table(Spectators, tables.get("spectators"), f"{where} [spectators]", spectators),
    )
    application()
    if screens.participant is not None:
        monitor(screens.participant.screen, PARTICIPANTS)
    if screens.spectators is not None:
        monitor(screens.spectators.screen, SPECTATORS)
    return screens


@cache
def application() -> QCoreApplication:
    """Qt's, made where there is none; kept, since monitors are known only as long as it lives."""
    return QApplication.instance() or QApplication(["rtrecon"])


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


def spectators_screen(
    presented: Presented, settings: Spectators, stimulus: Stimulus | None = None
) -> Canvas:
    """The spectators' screen, not shown yet; `stimulus` gives what was presented in a trial."""
    return Canvas(
        presented,
        SpectatorScene(settings, stimulus),
        Calm(presented, settings.hold_s, settings.stale_s),
        fade_s=settings.fade_s,
    )


class Beside(QObject):
    """Opens a session's screens beside the operator's window, and closes them with it.

    `PARTICIPANT_KEYS` and `SPECTATOR_KEYS` close a screen and open it again, from every window.
    """

    def __init__(
        self,
        window: QWidget,
        presented: Presented,
        screens: Screens,
        stimulus: Stimulus | None = None,
    ) -> None:
        super().__init__(window)
        self._window = window
        self.open: dict[str, Canvas] = {}
        if (own := screens.participant) is not None:
            self._offer(
                PARTICIPANT_KEYS, PARTICIPANTS, own.screen,
                lambda: participant_screen(presented, own),
            )  # fmt: skip
            if own.stop != WITHDRAW_KEY:  # which the window has
                StopKey(own.stop, presented, window)
        if (wall := screens.spectators) is not None:
            self._offer(
                SPECTATOR_KEYS, SPECTATORS, wall.screen,
                lambda: spectators_screen(presented, wall, stimulus),
            )  # fmt: skip

    def _offer(self, keys: str, name: str, where: str, make: Callable[[], Canvas]) -> None:
        def toggle() -> None:
            if name in self.open:
                self.open[name].close()
                return
            try:
                self._show(name, monitor(where, name), make())
            except BadConfig as error:  # taken away since it was looked for
                log.error("%s", error)
            except Exception:  # whatever is wrong with one screen, the session has its window
                log.exception("the %s cannot be opened", name)

        shortcut = QShortcut(QKeySequence(keys), self._window)
        shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)
        shortcut.setAutoRepeat(False)
        shortcut.activated.connect(toggle)
        toggle()

    def _show(self, name: str, where: QScreen, canvas: Canvas) -> None:
        def forget() -> None:
            self.open.pop(name, None)
            canvas.deleteLater()

        self.open[name] = canvas
        canvas.closed.connect(forget)
        canvas.keep_from_focus()
        canvas.fill(where)
        self._window.activateWindow()  # some window systems give the focus to whatever opens

    def close(self) -> None:
        """Close all."""
        for canvas in list(self.open.values()):
            canvas.close()
            QApplication.sendPostedEvents(canvas, QEvent.Type.DeferredDelete)


class StopKey(QObject):
    """By this key, pressed in whatever window, the participant stops.

    It comes before all shortcuts: two of one key would take it from each other, and a button box
    types what it types.
    """

    def __init__(self, key: str, presented: Presented, owner: QWidget) -> None:
        super().__init__(owner)
        self._key, self._presented = QKeySequence(key).toString(), presented
        application().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take the key, and nothing else."""
        if event.type() is not QEvent.Type.ShortcutOverride or self._key != _pressed(event):
            return False
        event.accept()
        self._presented.withdraw()
        return True


def _pressed(event: QEvent) -> str:
    """The key with what is held beside it; a number block's are as any others."""
    assert isinstance(event, QKeyEvent)
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return QKeySequence(QKeyCombination(held, Qt.Key(event.key()))).toString()


def run_screen(canvas: Canvas, where: str, keys: str, what: str) -> None:
    """Show one screen alone until it is closed, with its keys or by the window system."""
    loop = QEventLoop()
    canvas.closed.connect(loop.quit)
    QShortcut(QKeySequence(keys), canvas).activated.connect(canvas.close)
    canvas.fill(monitor(where, what))
    loop.exec()
    canvas.deleteLater()
    QApplication.sendPostedEvents(canvas, QEvent.Type.DeferredDelete)
