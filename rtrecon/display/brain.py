"""The brain behind the picture: three slices, where the decoders read, and what they read there."""
# ruff: noqa: N802  (Qt names what it calls)

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPen, QTransform
from PySide6.QtWidgets import QWidget

from rtrecon.display import theme
from rtrecon.display.slices import Slice, slices_of
from rtrecon.types import Brain, Pattern

FULL = 4.0  # noise SD at which a voxel is as bright, or as dark, as it gets
_GAP_PX = 12
_DIMMED = 0.62  # of the anatomy's brightness, so that the voxels stand out


@dataclass(frozen=True)
class Region:
    """Voxels that one of the decoders reads. Told apart by colour and by the line around them."""

    name: str
    members: NDArray[np.bool_]  # (n_voxels,) of a pattern
    colour: str
    line: Qt.PenStyle


def regions_of(brain: Brain) -> list[Region]:
    """Those that have voxels."""
    both = brain.early & brain.ventral
    solid, dotted, dashed = Qt.PenStyle.SolidLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashLine
    named = [
        Region("early for z", brain.early & ~both, theme.SKY, solid),
        Region("ventral for c", brain.ventral & ~both, theme.ORANGE, dotted),
        Region("for z and c", both, theme.GREEN, dashed),
    ]
    return [region for region in named if region.members.any()]


class BrainView(QWidget):
    """Slices with the voxels that are read; the newest evidence of each as its brightness.

    Drawn anew once a volume. The voxels' lines are worked out once.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.brain: Brain | None = None
        self.slices: list[Slice] = []
        self.regions: list[Region] = []
        self.volume: int | None = None
        self._grey: list[QImage] = []
        self._colours: list[QImage] = []
        self._lines: list[list[list[QLineF]]] = []  # of each slice and region
        self.setMinimumSize(220, 96)

    def sizeHint(self) -> QSize:
        """A row of slices."""
        return QSize(380, 150)

    def show_brain(self, brain: Brain) -> None:
        """Show where decoders read."""
        self.brain, self.slices, self.regions = brain, slices_of(brain), regions_of(brain)
        self._grey = [_grey(one.grey) for one in self.slices]
        self._lines = [
            [_outline(_members(one, region)) for region in self.regions] for one in self.slices
        ]
        self._fill(None)

    def show_pattern(self, pattern: Pattern) -> None:
        """Show what decoders read now."""
        if self.brain is None or len(pattern.voxels) != len(self.brain.voxels):
            return
        self.volume = pattern.volume
        self._fill(pattern.voxels)

    def _fill(self, evidence: NDArray[np.float32] | None) -> None:
        self._colours = [_coloured(one, self.regions, evidence) for one in self.slices]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw slices in a row, letters around them, and the legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.slices:
            painter.setPen(QColor(theme.DIM))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "no brain to show yet")
            return
        line = self.fontMetrics().height()
        foot = round(2.1 * line)
        for n, place in enumerate(self._places(self.height() - foot)):
            self._draw_slice(painter, n, place)
        self._draw_legend(painter, self.height() - foot, line)

    def _places(self, height: float) -> list[QRectF]:
        """One scale for all slices, as large as fits, all on one ground line."""
        sizes = [_size_mm(one) for one in self.slices]
        room = self.width() - _GAP_PX * (len(sizes) - 1)
        scale = min(room / sum(w for w, _ in sizes), height / max(h for _, h in sizes))
        left = (room - scale * sum(w for w, _ in sizes)) / 2
        places = []
        for w, h in sizes:
            places.append(QRectF(left, (height - scale * h) / 2, scale * w, scale * h))
            left += scale * w + _GAP_PX
        return places

    def _draw_slice(self, painter: QPainter, n: int, place: QRectF) -> None:
        one = self.slices[n]
        smooth = QPainter.RenderHint.SmoothPixmapTransform
        painter.setRenderHint(smooth, True)
        painter.drawImage(place, self._grey[n])
        painter.setRenderHint(smooth, False)
        painter.drawImage(place, self._colours[n])
        height, width = one.voxel.shape
        painter.save()
        across, up = place.width() / width, place.height() / height
        painter.setTransform(QTransform(across, 0, 0, up, place.left(), place.top()), combine=True)
        for region, lines in zip(self.regions, self._lines[n], strict=True):
            pen = QPen(QColor(region.colour), max(1.0, self.fontMetrics().height() / 13))
            pen.setCosmetic(True)
            pen.setStyle(region.line)
            painter.setPen(pen)
            painter.drawLines(lines)
        painter.restore()
        self._draw_letters(painter, one, place)

    def _draw_letters(self, painter: QPainter, one: Slice, place: QRectF) -> None:
        painter.setPen(QColor(theme.TEXT))
        middle, centre = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignHCenter
        sides = (
            Qt.AlignmentFlag.AlignLeft | middle, Qt.AlignmentFlag.AlignRight | middle,
            Qt.AlignmentFlag.AlignTop | centre, Qt.AlignmentFlag.AlignBottom | centre,
        )  # fmt: skip
        inside = place.adjusted(2, 0, -2, 0)
        for letter, side in zip(one.letters, sides, strict=True):
            painter.drawText(inside, side, letter)
        small = QFont(self.font())
        small.setPixelSize(max(9, round(0.8 * small.pixelSize())))
        painter.save()
        painter.setFont(small)
        painter.setPen(QColor(theme.DIM))
        painter.drawText(inside, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, one.at)
        painter.restore()

    def _draw_legend(self, painter: QPainter, top: float, line: int) -> None:
        x = 0.0
        for region in self.regions:
            pen = QPen(QColor(region.colour), 2)
            pen.setStyle(region.line)
            painter.setPen(pen)
            painter.drawRect(QRectF(x + 1, top + 0.25 * line, 0.7 * line, 0.6 * line))
            painter.setPen(QColor(theme.TEXT))
            words = f"{region.name} ({int(region.members.sum())})"
            x += 1.1 * line
            width = self.fontMetrics().horizontalAdvance(words)
            painter.drawText(QRectF(x, top, width + 2, line), Qt.AlignmentFlag.AlignLeft, words)
            x += width + 0.9 * line
        painter.setPen(QColor(theme.DIM))
        bottom = QRectF(0, top + line, self.width(), line)
        now = "" if self.volume is None else "evidence: bright +, dark \N{MINUS SIGN}"
        painter.drawText(bottom, Qt.AlignmentFlag.AlignLeft, now)
        painter.drawText(bottom, Qt.AlignmentFlag.AlignRight, "mm; left is left")


def _size_mm(one: Slice) -> tuple[float, float]:
    height, width = one.voxel.shape
    return width * one.size_mm[0], height * one.size_mm[1]


def _members(one: Slice, region: Region) -> NDArray[np.bool_]:
    """Which pixels of a slice (height, width) belong to a region."""
    inside: NDArray[np.bool_] = (one.voxel >= 0) & region.members[one.voxel]
    return inside


def _outline(inside: NDArray[np.bool_]) -> list[QLineF]:
    """The lines between what is inside and what is not, in pixels."""
    padded = np.pad(inside, 1)
    upright = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])
    level = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])
    return [
        *(QLineF(x, y, x, y + 1) for y, x in upright.tolist()),
        *(QLineF(x, y, x + 1, y) for y, x in level.tolist()),
    ]


def _coloured(one: Slice, regions: list[Region], evidence: NDArray[np.float32] | None) -> QImage:
    """The regions' colours; brighter with positive, darker with negative evidence."""
    rgba = np.zeros((*one.voxel.shape, 4), np.uint8)
    for region in regions:
        inside = _members(one, region)
        colour = QColor(region.colour)
        rgb = np.array([colour.red(), colour.green(), colour.blue()], float)
        if evidence is None:
            rgba[inside] = (*rgb, 90)
            continue
        share = np.clip(evidence[one.voxel[inside]] / FULL, -1, 1)[:, None]
        shades = np.where(share > 0, rgb + (255 - rgb) * 0.8 * share, rgb * (1 + 0.85 * share))
        rgba[inside] = np.concatenate([shades, np.full_like(share, 235)], axis=1)
    height, width = one.voxel.shape
    return QImage(rgba.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def _grey(grey: NDArray[np.uint8]) -> QImage:
    rows = np.ascontiguousarray((grey * _DIMMED).astype(np.uint8))
    height, width = rows.shape
    return QImage(rows.data, width, height, width, QImage.Format.Format_Grayscale8).copy()
