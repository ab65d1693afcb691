"""What the last minute of volumes looked like: head motion, timing, latency."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf, isfinite, nan

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from rtrecon.display import theme
from rtrecon.display.theme import Words
from rtrecon.types import Arrival, Frame, Trial

VOLUMES = 60


@dataclass(slots=True)
class Row:
    """What the traces keep of one volume (ms; nan: not known, or not yet)."""

    number: int
    end_s: float
    displacement_mm: float
    framewise_mm: float
    interval_ms: float
    decoded_ms: float
    first_ms: float = nan
    final_ms: float = nan


class Plot(QWidget):
    """A title with the newest numbers, and one or more series over run time."""

    def __init__(self, title: str, least_span: tuple[float, float], dated: bool = False) -> None:
        super().__init__()
        self._least, self._dated = least_span, dated
        self._series: dict[str, tuple[pg.PlotDataItem, Words]] = {}
        self._onsets: deque[pg.InfiniteLine] = deque()
        self._view = pg.PlotWidget(background=theme.PANEL, enableMenu=False)
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

    def add_level(self, y: float) -> None:
        """Add a dashed line at a level."""
        pen = pg.mkPen(theme.DIM, width=1, style=Qt.PenStyle.DashLine)
        self._view.addItem(pg.InfiniteLine(y, angle=0, pen=pen), ignoreBounds=True)

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


class Traces(QWidget):
    """Three plots over the last sixty volumes; redrawn once a volume, not once a tick."""

    def __init__(self, tr_s: float, speed: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tr_s, self.expected_ms = tr_s, tr_s / speed * 1000
        self.rows: deque[Row] = deque(maxlen=VOLUMES)
        self._received = nan
        self.motion = Plot("Head motion, mm", least_span=(0.0, 0.5))
        self.motion.add_series("displacement", theme.SKY, "o")
        self.motion.add_series("framewise", theme.ORANGE, "t")
        self.timing = Plot("Time between volumes", least_span=(0.0, 1.5 * self.expected_ms))
        self.timing.add_series("interval", theme.ORANGE, "o")
        self.timing.add_level(self.expected_ms)
        self.latency = Plot("Latency, ms", least_span=(0.0, 50.0), dated=True)
        self.latency.add_series("decoded", theme.SKY, "o")
        self.latency.add_series("first", theme.ORANGE, "t")
        self.latency.add_series("final", theme.GREEN, "s")
        self.plots = (self.motion, self.timing, self.latency)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(6)
        for plot in self.plots:
            rows.addWidget(plot, stretch=1)
        foot = Words("run time, s", "small")
        foot.setAlignment(Qt.AlignmentFlag.AlignRight)
        rows.addWidget(foot)
        self.redraw()

    def add(self, arrival: Arrival) -> None:
        """Add a volume, or what is newly known of the last; a lower number begins another run."""
        newest = self.rows[-1] if self.rows else None
        if newest and arrival.number == newest.number:
            newest.decoded_ms = arrival.decoded_ms
            self.redraw()
            return
        if newest and arrival.number < newest.number:
            self._clear()
        interval_ms = (arrival.received - self._received) * 1000
        self._received = arrival.received
        end_s = (arrival.number + 1) * self.tr_s
        row = Row(
            arrival.number, end_s, arrival.displacement_mm, arrival.framewise_mm,
            interval_ms, arrival.decoded_ms,
        )  # fmt: skip
        self.rows.append(row)
        self.redraw()

    def _clear(self) -> None:
        self.rows.clear()
        self._received = nan
        for plot in self.plots:
            plot.drop_onsets(before_s=inf)

    def add_trial(self, trial: Trial) -> None:
        """Mark a trial's onset in every plot."""
        for plot in self.plots if isfinite(trial.onset_s) else ():
            plot.add_onset(trial)

    def add_painted(self, frame: Frame) -> None:
        """Keep how long after its volume's arrival a picture was on screen."""
        latency_ms = (frame.times.painted - frame.times.received) * 1000
        row = next((r for r in reversed(self.rows) if r.number == frame.decoded.volume), None)
        if row is None:
            return
        if not isfinite(row.first_ms):
            row.first_ms = latency_ms
        if frame.final:
            row.final_ms = latency_ms
            self.redraw()

    def redraw(self) -> None:
        """Draw all series."""
        last = self.rows[-1] if self.rows else Row(0, VOLUMES * self.tr_s, nan, nan, nan, nan)
        self._draw(self.motion, "displacement", lambda r: r.displacement_mm, "off {:.2f}")
        self._draw(self.motion, "framewise", lambda r: r.framewise_mm, "step {:.2f}")
        words = f"{{:.0f}} of {self.expected_ms:.0f} ms"
        self._draw(self.timing, "interval", lambda r: r.interval_ms, words)
        self._draw(self.latency, "decoded", lambda r: r.decoded_ms, "decoded {:.0f}")
        self._draw(self.latency, "first", lambda r: r.first_ms, "first {:.0f}")
        self._draw(self.latency, "final", lambda r: r.final_ms, "final {:.0f}")
        right = max(last.end_s, VOLUMES * self.tr_s)
        for plot in self.plots:
            plot.drop_onsets(right - VOLUMES * self.tr_s)
            plot.frame_all(right - VOLUMES * self.tr_s, right + self.tr_s / 2)

    def _draw(self, plot: Plot, name: str, value: Callable[[Row], float], words: str) -> None:
        newest = next((value(r) for r in reversed(self.rows) if isfinite(value(r))), nan)
        plot.show_series(name, ((r.end_s, value(r)) for r in self.rows), words.format(newest))

    def set_letter(self, letter: int) -> None:
        """Grow with the window."""
        for plot in self.plots:
            plot.set_letter(letter)


def _ys(curve: pg.PlotDataItem) -> list[float]:
    _, ys = curve.getData()
    return [] if ys is None else list(ys)
