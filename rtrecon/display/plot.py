"""One small plot over run time."""
# ruff: noqa: N802  (pyqtgraph names what it calls)

from collections import deque
from collections.abc import Iterable
from math import isfinite

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from rtrecon.display import theme
from rtrecon.display.theme import Words
from rtrecon.types import Trial


class Seconds(pg.AxisItem):
    """Run time, with its unit at every number."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Whole seconds."""
        return [f"{value:.0f} s" for value in values]


class Plot(QWidget):
    """A title with the newest numbers, and one or more series over run time."""

    def __init__(self, title: str, least_span: tuple[float, float], dated: bool = False) -> None:
        super().__init__()
        self._least, self._dated = least_span, dated
        self._series: dict[str, tuple[pg.PlotDataItem, Words]] = {}
        self._onsets: deque[pg.InfiniteLine] = deque()
        self.levels: list[pg.InfiniteLine] = []
        axes = {"bottom": Seconds("bottom")}
        self._view = pg.PlotWidget(background=theme.PANEL, enableMenu=False, axisItems=axes)
        self._view.setMouseEnabled(x=False, y=False)
        self._view.hideButtons()
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.setMinimumHeight(40)
        self._heading = QHBoxLayout()
        self._heading.setSpacing(12)
        self._heading.addWidget(Words(title, "title"), stretch=1)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(self._heading)
        rows.addWidget(self._view, stretch=1)

    def add_series(self, name: str, colour: str, symbol: str) -> None:
        """Add a line; `symbol` (pyqtgraph's) tells it apart where colour does not."""
        curve = self._view.plot(
            pen=pg.mkPen(colour, width=1.5), symbol=symbol, symbolSize=5,
            symbolBrush=colour, symbolPen=None, antialias=True,
        )  # fmt: skip
        label = Words("", "small")
        label.setStyleSheet(f"color: {colour}")
        self._heading.addWidget(label)
        self._series[name] = (curve, label)

    def add_level(self, y: float, words: str = "", colour: str = theme.DIM) -> pg.InfiniteLine:
        """Add a dashed line at a level, told in the heading."""
        pen = pg.mkPen(colour, width=1.5, style=Qt.PenStyle.DashLine)
        line = pg.InfiniteLine(y, angle=0, pen=pen)
        self._view.addItem(line, ignoreBounds=True)
        self.levels.append(line)
        if words:
            label = Words(words, "small")
            label.setStyleSheet(f"color: {colour}")
            self._heading.addWidget(label)
        return line

    def add_onset(self, trial: Trial) -> None:
        """Add a vertical line where a trial began."""
        line = pg.InfiniteLine(trial.onset_s, angle=90, pen=pg.mkPen(theme.GREY, width=1))
        self._view.addItem(line, ignoreBounds=True)
        self._onsets.append(line)

    def drop_onsets(self, before_s: float) -> None:
        """Forget the lines that are out of sight."""
        while self._onsets and self._onsets[0].value() < before_s:
            self._view.removeItem(self._onsets.popleft())

    def show_series(self, name: str, points: Iterable[tuple[float, float]], words: str) -> None:
        """Draw a series anew, without the values that are not there."""
        known = [(x, y) for x, y in points if isfinite(y)]
        curve, label = self._series[name]
        curve.setData([x for x, _ in known], [y for _, y in known])
        label.say(words if known else "")

    def frame_all(self, left: float, right: float) -> None:
        """Fit the axes; by hand, because an automatic range is worked out at every paint."""
        ys = [y for curve, _ in self._series.values() for y in _ys(curve)]
        low, high = min(ys, default=0.0), max(ys, default=0.0)
        low, high = min(low, self._least[0]), max(high, self._least[1])
        margin = 0.08 * (high - low)
        self._view.setRange(
            xRange=(left, right), yRange=(low - margin, high + margin), padding=0, update=True
        )

    def set_letter(self, letter: int) -> None:
        """Grow with the window."""
        for curve, _ in self._series.values():
            colour = curve.opts["symbolBrush"]
            curve.setPen(pg.mkPen(colour, width=letter / 9))
            curve.setSymbolSize(round(letter * 0.4))
        font = QFont(self.font())
        font.setPixelSize(max(10, round(letter * 0.75)))
        for name in ("left", "bottom"):
            axis = self._view.getAxis(name)
            axis.setStyle(tickFont=font, tickLength=-4, maxTickLevel=0, hideOverlappingLabels=True)
            axis.setTextPen(theme.DIM)
            axis.setPen(theme.EDGE)
        self._view.getAxis("bottom").setStyle(showValues=self._dated)
        self._view.getAxis("left").setWidth(round(letter * 3))
        self._view.getAxis("bottom").setHeight(round(letter * 1.3) if self._dated else 6)


def _ys(curve: pg.PlotDataItem) -> list[float]:
    _, ys = curve.getData()
    return [] if ys is None else list(ys)
