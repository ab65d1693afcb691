"""One picture, as large as fits, that knows when it was painted."""
# ruff: noqa: N802  (Qt names what it calls)

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from rtrecon.display import theme


def to_qimage(image: NDArray[np.uint8]) -> QImage:
    """uint8 (height, width, 3) as a picture of Qt's own memory."""
    rows = np.ascontiguousarray(image)
    height, width, channels = rows.shape
    borrowed = QImage(rows.data, width, height, channels * width, QImage.Format.Format_RGB888)
    return borrowed.convertToFormat(QImage.Format.Format_RGB32)  # copies


class Picture(QWidget):
    """A picture with its proportions kept, or words in its place."""

    def __init__(self, placeholder: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.placeholder = placeholder
        self._image: QImage | None = None
        self._fresh = False
        self._painted: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(96, 96)

    def sizeHint(self) -> QSize:
        """Anything will do: the layout decides."""
        return QSize(384, 384)

    def show_image(self, image: NDArray[np.uint8] | None) -> None:
        """Show uint8 (height, width, 3), or the placeholder."""
        self._image = None if image is None else to_qimage(image)
        self._fresh, self._painted = self._image is not None, None
        self.update()

    @property
    def empty(self) -> bool:
        """Whether the placeholder stands here."""
        return self._image is None

    def take_painted(self) -> float | None:
        """When the newest image was first painted (LSL clock), once; None: not yet."""
        painted, self._painted = self._painted, None
        return painted

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw, then note the time: Qt flushes to the screen as soon as this returns."""
        painter = QPainter(self)
        if self._image is None:
            self._draw_placeholder(painter)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(self._place(self._image), self._image)
        painter.end()
        if self._fresh:
            self._fresh, self._painted = False, local_clock()

    def _place(self, image: QImage) -> QRectF:
        scale = min(self.width() / image.width(), self.height() / image.height())
        width, height = image.width() * scale, image.height() * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def _draw_placeholder(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(theme.EDGE))
        painter.setBrush(QColor(theme.PANEL))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.setPen(QColor(theme.DIM))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(self.rect().adjusted(16, 16, -16, -16), flags, self.placeholder)
