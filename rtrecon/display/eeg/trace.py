"""One person's index over the last minute, with threshold, firings and the blocks' borders."""

from collections import deque
from math import isfinite

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QVBoxLayout, QWidget

from rtrecon.display import theme
from rtrecon.protocol.blocks import Blocks
from rtrecon.protocol.threshold import Crossing
from rtrecon.types import Score

SPAN_S = 60.0
KEPT = 4000


class Trace(QWidget):
    """Values as a line that is broken where there is none; firings as marks above.

    Parameters
    ----------
    colour : str
    threshold : Crossing or None
    blocks : Blocks
    dated : bool
        Whether it says the time below.
    """

    def __init__(
        self, colour: str, threshold: Crossing | None, blocks: Blocks, dated: bool
    ) -> None:
        super().__init__()
        self._blocks, self._dated = blocks, dated
        self.points: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self.firings: deque[tuple[float, float]] = deque(maxlen=100)
        self._view = pg.PlotWidget(background=theme.PANEL, enableMenu=False)
        self._view.setMouseEnabled(x=False, y=False)
        self._view.hideButtons()
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.setMinimumHeight(60)
        self._curve = self._view.plot(
            pen=pg.mkPen(colour, width=2), connect="finite", antialias=True
        )
        self._marks = pg.ScatterPlotItem(
            symbol="t1", size=14, brush=pg.mkBrush(theme.TEXT), pen=pg.mkPen(theme.PANEL)
        )
        self._view.addItem(self._marks)
        if threshold is not None:
            pen = pg.mkPen(theme.DIM, width=1.5, style=Qt.PenStyle.DashLine)
            self._view.addItem(pg.InfiniteLine(threshold.level, angle=0, pen=pen))
        self._borders: list[pg.InfiniteLine] = []
        self._shown_borders: list[float] = []
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self._view)

    def add(self, score: Score) -> None:
        """Add a score, to be drawn at the next `redraw`."""
        self.points.append((score.elapsed, score.value))

    def fire(self, elapsed: float) -> None:
        """Mark a firing."""
        value = next((v for _, v in reversed(self.points) if isfinite(v)), 1.0)
        self.firings.append((elapsed, value))

    def redraw(self, elapsed: float) -> None:
        """Draw all up to a moment of the schedule, s."""
        right = max(elapsed if isfinite(elapsed) else 0.0, SPAN_S)
        left = right - SPAN_S
        while self.points and self.points[0][0] < left - 2:
            self.points.popleft()
        self._curve.setData([t for t, _ in self.points], [v for _, v in self.points])
        self._marks.setData([t for t, _ in self.firings], [v for _, v in self.firings])
        self._draw_borders(borders_between(self._blocks, left, right))
        self._view.setRange(xRange=(left, right), yRange=(-0.12, 1.12), padding=0)

    def set_letter(self, letter: int) -> None:
        """Grow with the window."""
        pen = self._curve.opts["pen"]
        wide = (
            max(2.0, letter / 8) * self.devicePixelRatioF()
        )  # pyqtgraph counts the screen's pixels
        self._curve.setPen(pg.mkPen(pen.color(), width=wide))
        self._marks.setSize(round(letter * 0.9))
        font = QFont(self.font())
        font.setPixelSize(max(10, round(letter * 0.75)))
        for name in ("left", "bottom"):
            axis = self._view.getAxis(name)
            axis.setStyle(tickFont=font, tickLength=-4, maxTickLevel=0, hideOverlappingLabels=True)
            axis.setTextPen(theme.DIM)
            axis.setPen(theme.EDGE)
        self._view.getAxis("left").setTicks([[(0.0, "0"), (0.5, "0.5"), (1.0, "1")]])
        self._view.getAxis("left").setWidth(round(letter * 2.2))
        self._view.getAxis("bottom").setStyle(showValues=self._dated)
        self._view.getAxis("bottom").setHeight(round(letter * 1.3) if self._dated else 6)

    def _draw_borders(self, borders: list[float]) -> None:
        if borders == self._shown_borders:
            return
        self._shown_borders = borders
        for line in self._borders:
            self._view.removeItem(line)
        pen = pg.mkPen(theme.GREY, width=1)
        self._borders = [pg.InfiniteLine(at, angle=90, pen=pen) for at in borders]
        for line in self._borders:
            self._view.addItem(line, ignoreBounds=True)


def borders_between(blocks: Blocks, left: float, right: float) -> list[float]:
    """Where blocks end within a stretch of the schedule."""
    borders, at = [], max(left, 0.0)
    for _ in range(200):
        until = blocks.at(at).until
        if not isfinite(until) or until > right:
            break
        borders.append(until)
        at = until
    return borders
