"""The window's keys: bound in one place, and told by one key."""
# ruff: noqa: N802  (Qt names what it calls)

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QShortcut,
)
from PySide6.QtWidgets import QGridLayout, QWidget

from rtrecon.display.over import Over
from rtrecon.display.theme import Words


class Keys:
    """What each key of a window does. What is bound here is what the list of keys shows.

    Parameters
    ----------
    owner : QWidget
        Keys hold in its window.

    Attributes
    ----------
    told : list of (str, str)
        Keys and what they do, in the order of binding.
    """

    def __init__(self, owner: QWidget) -> None:
        self._owner = owner
        self.told: list[tuple[str, str]] = []

    def bind(self, keys: str, does: str, action: Callable[[], object]) -> None:
        """Bind a key, or several separated by spaces; `does` empty: told with another key."""
        for key in keys.split():
            shortcut = QShortcut(QKeySequence(key), self._owner)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(action)
        self.tell(keys.replace(" ", ", "), does)

    def tell(self, keys: str, does: str) -> None:
        """Put into the list what is bound elsewhere or one by one."""
        if does:
            self.told.append((keys, does))


class KeyList(Over):
    """All keys over the window, which is dimmed; any key or click closes it."""

    def __init__(self, keys: Keys, window: QWidget) -> None:
        super().__init__(window)
        grid = QGridLayout(self.panel)
        grid.setContentsMargins(36, 28, 36, 28)
        grid.setHorizontalSpacing(24)
        rows = -(-len(keys.told) // 2)
        for n, (key, does) in enumerate(keys.told):
            column = 3 * (n // rows)
            name = Words(key, "key")
            name.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(name, n % rows, column)
            grid.addWidget(Words(does), n % rows, column + 1)
        grid.setColumnMinimumWidth(2, 24)
        self.open()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close."""
        self.close()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Close."""
        self.close()
