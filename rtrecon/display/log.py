"""What the program says, as it says it."""

import logging
from collections import deque
from typing import NamedTuple

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from rtrecon.display import theme
from rtrecon.printable import printable

KEPT = 500
LONGEST = 500  # letters of one line
COLOURS = {"warning": theme.ORANGE, "error": theme.VERMILLION}


class Line(NamedTuple):
    """One line, with its level in a word."""

    time: str
    level: str
    text: str


class Lines(logging.Handler):
    """Keeps the newest lines until they are taken. Safe from any thread."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter(datefmt="%H:%M:%S"))
        self._waiting: deque[Line] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one; never raises."""
        try:
            assert self.formatter is not None
            text = printable(record.getMessage()[:LONGEST])
            stamp = self.formatter.formatTime(record, "%H:%M:%S")
        except Exception:  # a message that does not fit its arguments is not worth a session
            return
        level = "error" if record.levelno >= logging.ERROR else record.levelname.lower()
        self._waiting.append(Line(stamp, level, text))

    def take(self) -> list[Line]:
        """Those that have come since, oldest first."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken


class Log(QPlainTextEdit):
    """The newest lines of the logger "rtrecon", plain text; follows them unless scrolled up.

    Levels are told by a word and by colour.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setMaximumBlockCount(KEPT)
        self.setProperty("role", "log")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setMinimumHeight(40)
        lines = self._lines = Lines()
        logger = logging.getLogger("rtrecon")
        logger.addHandler(lines)
        self.destroyed.connect(lambda: logger.removeHandler(lines))

    def tick(self) -> None:
        """Show what has come."""
        lines = self._lines.take()
        if not lines:
            return
        bar = self.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 1
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        for line in lines:
            if not self.document().isEmpty():
                cursor.insertBlock()
            cursor.insertText(f"{line.time}  ", _format(theme.DIM))
            colour = COLOURS.get(line.level, theme.TEXT)
            told = f"{line.level}: " if line.level in COLOURS else ""
            cursor.insertText(f"{told}{line.text}", _format(colour))
        cursor.endEditBlock()
        if at_end:
            bar.setValue(bar.maximum())


def _format(colour: str) -> QTextCharFormat:
    told = QTextCharFormat()
    told.setForeground(QColor(colour))
    return told
