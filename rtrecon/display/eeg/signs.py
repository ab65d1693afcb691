"""Signs for one person's signal: a light with a shape of its own, and a bar for each channel."""
# ruff: noqa: N802  (Qt names what it calls)

from enum import Enum
from math import log10

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QWidget

from rtrecon.display import theme
from rtrecon.eeg.seat import Quality

MOST_LABELS = 10
_LEAST_UV, _MOST_UV = 0.5, 200.0


class Light(Enum):
    """What a signal is good for just now; each with its colour."""

    GOOD = theme.GREEN  # a disc
    WAITING = theme.GREY  # a ring
    ARTEFACT = theme.ORANGE  # a triangle
    SILENT = theme.VERMILLION  # a cross


class LightSign(QWidget):
    """A light that can be told by its shape where its colour cannot."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.light = Light.WAITING

    def show_light(self, light: Light) -> None:
        """Show another."""
        if light is not self.light:
            self.light = light
            self.update()

    def sizeHint(self) -> QSize:
        """As large as a letter."""
        side = self.fontMetrics().height()
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the shape."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.width(), self.height()) - 4.0
        room = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        colour = QColor(self.light.value)
        pen = painter.pen()
        pen.setColor(colour)
        pen.setWidthF(side / 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        match self.light:
            case Light.GOOD:
                painter.drawEllipse(room)
            case Light.WAITING:
                painter.setPen(pen)
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(room.adjusted(side / 10, side / 10, -side / 10, -side / 10))
            case Light.ARTEFACT:
                top = QPointF(room.center().x(), room.top())
                painter.drawPolygon(QPolygonF([top, room.bottomRight(), room.bottomLeft()]))
            case Light.SILENT:
                painter.setPen(pen)
                painter.drawLine(room.topLeft(), room.bottomRight())
                painter.drawLine(room.topRight(), room.bottomLeft())


class Channels(QWidget):
    """A bar for each used channel: how large its signal is (logarithmic), and what is wrong."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.quality = Quality()
        self.setMinimumHeight(56)

    def show_quality(self, quality: Quality) -> None:
        """Show the channels as they are."""
        if quality != self.quality:
            self.quality = quality
            faulty = (
                f"{x}: {f}" for x, f in zip(quality.labels, quality.faults, strict=False) if f
            )
            self.setAccessibleDescription("; ".join(faulty) or "all channels are good")
            self.update()

    def sizeHint(self) -> QSize:
        """Room for some bars."""
        return QSize(200, 70)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bars, each with its label where there is room."""
        quality, n = self.quality, len(self.quality.labels)
        if not n:
            return
        painter = QPainter(self)
        wide = self.width() / n
        font = self.font()
        font.setPixelSize(max(9, round(font.pixelSize() * 0.8)))
        painter.setFont(font)
        words = painter.fontMetrics().height() if n <= MOST_LABELS else 0
        height = self.height() - words - 2
        for i, label in enumerate(quality.labels):
            bar = QRectF(i * wide + wide * 0.15, 0, wide * 0.7, height)
            painter.fillRect(bar, QColor(theme.EDGE))
            fault = quality.faults[i] if i < len(quality.faults) else ""
            spread = quality.spread_uv[i] if i < len(quality.spread_uv) else 0.0
            level = log10(max(spread, _LEAST_UV) / _LEAST_UV) / log10(_MOST_UV / _LEAST_UV)
            colour = theme.VERMILLION if quality.silent else theme.ORANGE if fault else theme.GREEN
            filled = QRectF(bar)
            filled.setTop(bar.bottom() - height * (1.0 if fault else min(1.0, level)))
            painter.fillRect(filled, QColor(colour))
            if words:
                place = QRectF(i * wide, height + 2, wide, words)
                shown = painter.fontMetrics().elidedText(
                    label, Qt.TextElideMode.ElideRight, int(wide)
                )
                painter.setPen(QColor(theme.ORANGE if fault else theme.DIM))
                painter.drawText(place, Qt.AlignmentFlag.AlignCenter, shown)
