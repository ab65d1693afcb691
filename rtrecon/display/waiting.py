"""What stands on a remote screen before its session is heard."""
# ruff: noqa: N802  (Qt names what it calls)

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import QVBoxLayout, QWidget

from rtrecon.display import theme
from rtrecon.display.theme import Text, Words

RING_SHARE = 0.09  # radius of the ring, of the window's height
TURN_S = 3.0


class Waiting(QWidget):
    """A slow ring, and in words what is waited for.

    Parameters
    ----------
    name : str
        Of the session's volume stream.
    """

    closed = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"{name} - rtrecon view")
        self.setMinimumSize(640, 400)
        self._turn = 0.0
        self.line = Text(f"Waiting for session '{name}'", "headline")
        self.hint = Text(
            "It is shown as soon as it runs, on this machine or on another.  ·  Ctrl+Q closes",
            "small",
        )
        rows = QVBoxLayout(self)
        rows.setContentsMargins(18, 18, 18, 18)
        rows.setSpacing(14)
        rows.addStretch(54)
        for text in (self.line, self.hint):
            text.setAlignment(Qt.AlignmentFlag.AlignCenter)
            rows.addWidget(text)
        rows.addStretch(32)
        rows.addWidget(Words("rtrecon view, read only", "small"), 0, Qt.AlignmentFlag.AlignCenter)
        QShortcut(QKeySequence("Ctrl+Q"), self).activated.connect(self.close)
        self.resize(1280, 720)

    def turn(self, now: float) -> None:
        """Move the ring: whoever looks sees that the program lives."""
        self._turn = now / TURN_S % 1.0
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the ring and the part of it that moves."""
        radius = RING_SHARE * self.height()
        middle = QPointF(self.width() / 2, 0.37 * self.height())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(theme.EDGE), max(3.0, radius / 9))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawEllipse(middle, radius, radius)
        pen.setColor(QColor(theme.SKY))
        painter.setPen(pen)
        corner = middle - QPointF(radius, radius)
        painter.drawArc(
            QRectF(corner, QSizeF(2 * radius, 2 * radius)), round(-5760 * self._turn), -5760 // 5
        )

    def closeEvent(self, event: QCloseEvent) -> None:
        """Nothing stands in the way."""
        event.accept()
        self.closed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let letters grow with the window."""
        self.setStyleSheet(theme.style_sheet(theme.letter_px(self.width(), self.height())))
