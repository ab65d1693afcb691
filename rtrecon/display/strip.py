"""How this trial's picture grew: one small picture per volume."""
# ruff: noqa: N802  (Qt names what it calls)

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from rtrecon.display import theme
from rtrecon.display.picture import fitted, to_qimage
from rtrecon.display.wording import above_chance
from rtrecon.types import Frame

GAP_PX = 8
KEPT = 200  # pictures of a trial without end
KEPT_PX = 256  # small pictures are kept at this size, whatever the screen's density
BAR_PX = 4


@dataclass(frozen=True)
class Thumbnail:
    """The newest picture from one volume's evidence."""

    volume: int
    age_s: float
    confidence: float
    image: QImage


class Strip(QWidget):
    """The pictures of the present trial from the left; the last trial's, dimmed, on the right.

    The bar under each is the confidence, grey where it is not above chance.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.trial: int | None = None
        self._previous_trial: int | None = None
        self.thumbnails: list[Thumbnail] = []
        self.previous: list[Thumbnail] = []
        self.n_candidates = 0
        self.setMinimumHeight(84)

    def sizeHint(self) -> QSize:
        """A row of small pictures."""
        return QSize(480, 100)

    def add(self, frame: Frame) -> None:
        """Add a frame, in place of an earlier one of its volume; a new trial begins anew."""
        decoded = frame.decoded
        if decoded.trial.number != self.trial:
            self._previous_trial, self.trial = self.trial, decoded.trial.number
            self.previous, self.thumbnails = self.thumbnails, []
        thumbnail = Thumbnail(decoded.volume, decoded.age_s, decoded.confidence, _small(frame))
        if self.thumbnails and self.thumbnails[-1].volume == decoded.volume:
            self.thumbnails[-1] = thumbnail
        else:
            self.thumbnails.append(thumbnail)
            del self.thumbnails[:-KEPT]
        self.update()

    def clear(self) -> None:
        """Forget all pictures."""
        self.previous, self.thumbnails = [], []
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the newest that fit."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        side = self.height() - self._words_px()
        room = max(1, int((self.width() + GAP_PX) / (side + GAP_PX)))
        present = self.thumbnails[-room:]
        self._draw(painter, present, 0.0, side)
        spare = room - len(present) - 1  # a place stays empty between the two trials
        if spare > 0 and self.previous:
            painter.setOpacity(0.4)
            self._draw_previous(painter, self.previous[-spare:], side)

    def _words_px(self) -> int:
        return self.fontMetrics().height() + BAR_PX + 8

    def _draw_previous(self, painter: QPainter, row: Sequence[Thumbnail], side: float) -> None:
        left = self.width() - len(row) * (side + GAP_PX) + GAP_PX
        self._draw(painter, row, left, side)
        words = QRectF(left - side - 2 * GAP_PX, 0, side + GAP_PX, side)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(words, right, f"trial {self._previous_trial}")

    def _draw(self, painter: QPainter, row: Sequence[Thumbnail], left: float, side: float) -> None:
        for i, thumbnail in enumerate(row):
            place = QRectF(left + i * (side + GAP_PX), 0, side, side)
            painter.drawImage(fitted(thumbnail.image, place), thumbnail.image)
            self._draw_words(painter, thumbnail, place)

    def _draw_words(self, painter: QPainter, thumbnail: Thumbnail, place: QRectF) -> None:
        sure = above_chance(thumbnail.confidence, self.n_candidates)
        bar = QRectF(place.left(), place.bottom() + 3, place.width(), BAR_PX)
        painter.fillRect(bar, QColor(theme.EDGE))
        bar.setWidth(place.width() * float(np.nan_to_num(thumbnail.confidence)))
        painter.fillRect(bar, QColor(theme.SKY if sure else theme.GREY))
        painter.setPen(QColor(theme.TEXT))
        words = place.translated(0, place.height() + BAR_PX + 4).adjusted(-GAP_PX, 0, GAP_PX, 0)
        top = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        painter.drawText(words, top, f"{thumbnail.age_s:.1f} s")


def _small(frame: Frame) -> QImage:
    image = to_qimage(frame.image)
    if max(image.width(), image.height()) <= KEPT_PX:
        return image
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return image.scaled(KEPT_PX, KEPT_PX, keep, smooth)
