"""One picture, as large as fits, that knows when it was painted."""
# ruff: noqa: N802  (Qt names what it calls)

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pylsl import local_clock
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from rtrecon.display import theme

GAP_PX = 4


def to_qimage(image: NDArray[np.uint8]) -> QImage:
    """uint8 (height, width, 3) as a picture of Qt's own memory."""
    rows = np.ascontiguousarray(image)
    height, width, channels = rows.shape
    borrowed = QImage(rows.data, width, height, channels * width, QImage.Format.Format_RGB888)
    return borrowed.convertToFormat(QImage.Format.Format_RGB32)  # copies


def fitted(image: QImage, place: QRectF) -> QRectF:
    """The largest rectangle of an image's proportions in the middle of a place."""
    scale = min(place.width() / image.width(), place.height() / image.height())
    inside = QRectF(0, 0, image.width() * scale, image.height() * scale)
    inside.moveCenter(place.center())
    return inside


class Picture(QWidget):
    """A picture with its proportions kept, or words in its place."""

    def __init__(self, placeholder: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.placeholder = placeholder
        self._image: QImage | None = None
        self._others: list[QImage] = []
        self._fresh = False
        self._painted: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(96, 96)

    def sizeHint(self) -> QSize:
        """Anything will do: the layout decides."""
        return QSize(384, 384)

    def show_image(
        self, image: NDArray[np.uint8] | None, others: Sequence[NDArray[np.uint8]] = ()
    ) -> None:
        """Show uint8 (height, width, 3), or the placeholder; `others` small, in a column beside."""
        self._image = None if image is None else to_qimage(image)
        self._others = [to_qimage(other) for other in others]
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
            for place, picture in zip(self.places(), [self._image, *self._others], strict=True):
                painter.drawImage(fitted(picture, place), picture)
        painter.end()
        if self._fresh:
            self._fresh, self._painted = False, local_clock()

    def places(self) -> list[QRectF]:
        """Where the picture and the others beside it go, a hair's breadth apart."""
        whole = QRectF(self.rect())
        if not self._others:
            return [whole]
        rows = max(2, len(self._others))  # a column of one would be as large as the picture
        small = min(whole.width() / (rows + 1), whole.height() / rows)
        first = QRectF(whole.left(), whole.top(), small * rows, small * rows)
        column = [
            QRectF(first.right(), first.top() + n * small, small, small).adjusted(GAP_PX, 0, 0, 0)
            for n in range(len(self._others))
        ]
        return [first, *column]

    def _draw_placeholder(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(theme.EDGE))
        painter.setBrush(QColor(theme.PANEL))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.setPen(QColor(theme.DIM))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(self.rect().adjusted(16, 16, -16, -16), flags, self.placeholder)
