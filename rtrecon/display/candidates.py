"""The candidates as bars, likeliest first, against the chance level."""
# ruff: noqa: N802  (Qt names what it calls)

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from rtrecon.display import theme
from rtrecon.display.wording import above_chance, percent
from rtrecon.types import Decoded

MOST_ROWS = 8


@dataclass(frozen=True)
class Row:
    """One candidate: its rank from 1, and whether it is what was presented."""

    name: str
    probability: float
    rank: int
    presented: bool


def ranked(decoded: Decoded, candidates: tuple[str, ...], most: int = MOST_ROWS) -> list[Row]:
    """The likeliest candidates; the presented one is always among them, last if it ranks low."""
    order = np.argsort(-decoded.probabilities, kind="stable")
    rows = [
        Row(name, float(decoded.probabilities[i]), rank, name == decoded.trial.trial_type)
        for rank, i in enumerate(order, 1)
        if (name := candidates[i])
    ]
    low = [row for row in rows[most:] if row.presented]
    return rows[: most - len(low)] + low


class Candidates(QWidget):
    """Horizontal bars on a fixed scale from 0 to 100 %, so that a weak guess looks weak."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._all: tuple[Decoded, tuple[str, ...]] | None = None
        self.chance = 0.0
        self.sure = False
        self.setMinimumHeight(140)

    def sizeHint(self) -> QSize:
        """Eight rows."""
        return QSize(320, 11 * self.fontMetrics().height())

    def show_decoded(self, decoded: Decoded, candidates: tuple[str, ...]) -> None:
        """Show what the newest evidence says."""
        self._all = (decoded, candidates)
        self.chance = 1 / len(candidates) if candidates else 0.0
        self.sure = above_chance(decoded.confidence, len(candidates))
        self._fill()

    def resizeEvent(self, event: object) -> None:
        """Fewer rows in a low window."""
        self._fill()

    def _fill(self) -> None:
        if self._all:
            fit = (self.height() - self._foot_px()) // self._row_px()
            self.rows = ranked(*self._all, most=max(2, min(MOST_ROWS, fit)))
        self.update()

    def _row_px(self) -> int:
        letter = self.fontMetrics().height()
        fill = (self.height() - self._foot_px()) // MOST_ROWS
        return max(round(letter * 1.25), min(round(letter * 1.7), fill))

    def _foot_px(self) -> int:
        return self.fontMetrics().height()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw names, bars, numbers and the chance line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.rows:
            painter.setPen(QColor(theme.DIM))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "nothing decoded yet")
            return
        for i, row in enumerate(self.rows):
            self._draw_row(painter, row, i * self._row_px())
        self._draw_chance(painter, len(self.rows) * self._row_px())

    def _scale(self) -> QRectF:
        """Where bars live: between the names and the numbers."""
        letter = self.fontMetrics().averageCharWidth()
        names = max(9 * letter, round(self.width() * 0.3))
        return QRectF(names, 0, self.width() - names - 7 * letter, 0)

    def _draw_row(self, painter: QPainter, row: Row, top: float) -> None:
        scale, height = self._scale(), self._row_px()
        middle = Qt.AlignmentFlag.AlignVCenter
        name = QRectF(height * 0.7, top, scale.left() - height * 0.7 - 8, height)
        room = int(name.width())
        words = row.name if row.rank <= len(self.rows) else f"{row.rank}. {row.name}"
        line = self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room)
        painter.setPen(QColor(theme.TEXT if row.presented or row.rank == 1 else theme.DIM))
        painter.drawText(name, middle, line)
        number = QRectF(scale.right(), top, self.width() - scale.right(), height)
        painter.drawText(number, middle | Qt.AlignmentFlag.AlignRight, percent(row.probability))
        self._draw_bar(painter, row, top)

    def _draw_bar(self, painter: QPainter, row: Row, top: float) -> None:
        scale, height = self._scale(), self._row_px()
        bar = QRectF(scale.left(), top + height * 0.22, scale.width(), height * 0.56)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.EDGE))
        painter.drawRoundedRect(bar, 2, 2)
        bar.setWidth(scale.width() * float(np.nan_to_num(row.probability)))
        painter.setBrush(QColor(self._colour(row)))
        painter.drawRoundedRect(bar, 2, 2)
        if row.presented:
            self._draw_diamond(painter, QPointF(height * 0.3, top + height / 2), height * 0.22)

    def _colour(self, row: Row) -> str:
        if not self.sure or row.rank > 1:
            return theme.GREY
        return theme.GREEN if row.presented else theme.SKY

    @staticmethod
    def _draw_diamond(painter: QPainter, middle: QPointF, size: float) -> None:
        painter.setBrush(QColor(theme.GREEN))
        corners = [QPointF(0, -size), QPointF(size, 0), QPointF(0, size), QPointF(-size, 0)]
        painter.drawPolygon(QPolygonF([middle + corner for corner in corners]))

    def _draw_chance(self, painter: QPainter, bottom: float) -> None:
        scale = self._scale()
        x = scale.left() + scale.width() * self.chance
        painter.setPen(QPen(QColor(theme.ORANGE), 2, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(x, 0), QPointF(x, bottom))
        painter.setPen(QColor(theme.ORANGE))
        words = QRectF(x - 4, bottom, self.width(), self._foot_px())
        painter.drawText(words, Qt.AlignmentFlag.AlignTop, f"chance {percent(self.chance)}")
        if any(row.presented for row in self.rows):
            self._draw_key(painter, bottom)

    def _draw_key(self, painter: QPainter, bottom: float) -> None:
        words, foot = "presented", self._foot_px()
        width = self.fontMetrics().horizontalAdvance(words)
        painter.setPen(QColor(theme.DIM))
        right = QRectF(0, bottom, self.width(), foot)
        painter.drawText(right, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, words)
        painter.setPen(Qt.PenStyle.NoPen)
        middle = QPointF(self.width() - width - foot * 0.5, bottom + foot / 2)
        self._draw_diamond(painter, middle, foot * 0.28)
