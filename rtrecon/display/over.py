"""A panel over a window, for what has to be read or answered first."""
# ruff: noqa: N802  (Qt names what it calls)

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QWidget


class Over(QWidget):
    """Dims the window and has the keyboard as long as it is there; destroyed when it is closed."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.panel = QFrame()
        self.panel.setProperty("role", "panel")
        middle = QGridLayout(self)
        middle.addWidget(self.panel, 0, 0, Qt.AlignmentFlag.AlignCenter)

    def open(self) -> None:
        """Show it, once its panel is filled."""
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()
        self.setFocus()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Dim what is behind."""
        QPainter(self).fillRect(self.rect(), QColor(0, 0, 0, 170))
