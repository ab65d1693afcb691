"""How long a volume takes to the screen, stage by stage, against the time there is."""
# ruff: noqa: N802  (Qt names what it calls)

from collections import deque
from itertools import pairwise
from math import isfinite, nan
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from rtrecon.display import theme
from rtrecon.types import Frame, Times

KEPT = 60
STAGES = {
    "receive": theme.SKY,
    "decode": theme.YELLOW,
    "draw": theme.GREEN,
    "paint": theme.ORANGE,
}


_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight


class Stages(NamedTuple):
    """Milliseconds; nan: not known."""

    receive: float  # the volume was complete in the scanner -> it was here
    decode: float
    draw: float  # -> the finished picture
    paint: float

    @property
    def total(self) -> float:
        """From the scanner to the screen, as far as it is known."""
        return float(np.nansum(self))


def stages(times: Times) -> Stages:
    """What each stage took of one item."""
    passed = (times.acquired, times.received, times.decoded, times.drawn, times.painted)
    return Stages(*(1e3 * (b - a) for a, b in pairwise(passed)))


class Latency(QWidget):
    """Two stacked bars, the last finished picture's and the median's, and the time of a TR."""

    def __init__(self, budget_ms: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.budget_ms = budget_ms
        self.kept: deque[Stages] = deque(maxlen=KEPT)
        self.setMinimumSize(200, 80)

    def sizeHint(self) -> QSize:
        """A few lines."""
        return QSize(320, 8 * self.fontMetrics().height())

    def add_painted(self, frame: Frame) -> None:
        """Keep what a finished picture took."""
        if frame.final:
            self.kept.append(stages(frame.times))
            self.update()

    @property
    def last(self) -> Stages:
        """Of the newest picture."""
        return self.kept[-1] if self.kept else Stages(nan, nan, nan, nan)

    @property
    def median(self) -> Stages:
        """Of each stage over the pictures kept."""
        columns = np.array(self.kept or [self.last]).T
        known = (column[np.isfinite(column)] for column in columns)
        return Stages(*(float(np.median(ms)) if len(ms) else nan for ms in known))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bars and, below, the numbers, each stage under its colour."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPixelSize(max(9, round(font.pixelSize() * 0.88)))
        painter.setFont(font)
        line = painter.fontMetrics().height()
        names = painter.fontMetrics().horizontalAdvance("median") + line / 2
        high = min(1.5 * line, max(6.0, (self.height() - 4.6 * line) / 2 - 4))
        bars = QRectF(names, 2, self.width() - names - 4, 2 * (high + 4))
        self._draw_bars(painter, bars, high)
        self._draw_budget(painter, bars, line)
        self._draw_numbers(painter, names, bars.bottom() + 1.2 * line, line)

    def _scale(self, bars: QRectF) -> float:
        longest = max(self.budget_ms, self.median.total, self.last.total)
        return bars.width() / longest

    def _draw_bars(self, painter: QPainter, bars: QRectF, high: float) -> None:
        for n, (name, bar) in enumerate((("median", self.median), ("last", self.last))):
            top = bars.top() + n * (high + 4)
            painter.setPen(QColor(theme.DIM))
            painter.drawText(QRectF(0, top, bars.left(), high), _LEFT, name)
            x = bars.left()
            for colour, ms in zip(STAGES.values(), bar, strict=True):
                width = ms * self._scale(bars) if isfinite(ms) and ms > 0 else 0.0
                painter.fillRect(QRectF(x, top, max(0.0, width - 1), high), QColor(colour))
                x += width

    def _draw_budget(self, painter: QPainter, bars: QRectF, line: float) -> None:
        """A dashed line where the next volume is due."""
        x = bars.left() + self.budget_ms * self._scale(bars)
        painter.setPen(QPen(QColor(theme.TEXT), 2, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(x, 0), QPointF(x, bars.bottom()))
        words = QRectF(0, bars.bottom() - 2, x + 2, line)
        painter.drawText(words, _RIGHT, f"next volume after {self.budget_ms:.0f} ms")

    def _draw_numbers(self, painter: QPainter, names: float, top: float, line: float) -> None:
        columns = [*STAGES.items(), ("all", "")]
        width = (self.width() - names) / len(columns)
        rows = (self.median, self.last)
        for n, (name, colour) in enumerate(columns):
            cell = QRectF(names + n * width, top, width - 4, line)
            painter.setPen(QColor(theme.DIM))
            painter.drawText(cell, _RIGHT, name)
            if colour:
                wide = painter.fontMetrics().horizontalAdvance(name)
                under = QRectF(cell.right() - wide, cell.bottom() - 1, wide, line / 5)
                painter.fillRect(under, QColor(colour))
            painter.setPen(QColor(theme.TEXT))
            for m, row in enumerate(rows, 1):
                ms = (*row, row.total if self.kept else nan)[n]
                painter.drawText(cell.translated(0, (m + 0.2) * line), _RIGHT, _ms(ms))
        painter.setPen(QColor(theme.DIM))
        for m, name in enumerate(("ms", "median", "last")):
            at = top + (m + 0.2 * (m > 0)) * line
            painter.drawText(QRectF(0, at, names, line), _LEFT, name)


def _ms(value: float) -> str:
    if not isfinite(value):
        return "?"
    return f"{value:.1f}" if abs(value) < 9.95 else f"{value:.0f}"
