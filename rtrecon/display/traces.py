"""What the last minute of volumes looked like: head motion, quality, timing, latency, confidence."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, nan

from rtrecon.display import theme
from rtrecon.display.panels import in_front
from rtrecon.display.plot import Plot
from rtrecon.display.wording import percent
from rtrecon.types import Arrival, Decoded, Frame, Trial

VOLUMES = 60


@dataclass(slots=True)
class Row:
    """What the traces keep of one volume (ms; nan: not known, or not yet)."""

    number: int
    end_s: float
    displacement_mm: float = nan
    framewise_mm: float = nan
    dvars: float = nan
    weight: float = nan
    interval_ms: float = nan
    decoded_ms: float = nan
    first_ms: float = nan
    final_ms: float = nan


class Traces:
    """Plots over the last sixty volumes, for whoever lays them out.

    What is new is drawn at the next ticks, one plot a tick, so that none of them is late; a plot
    that nobody sees is not drawn.
    """

    def __init__(self, tr_s: float, speed: float, n_candidates: int) -> None:
        self.tr_s, self.expected_ms = tr_s, tr_s / speed * 1000
        self.rows: deque[Row] = deque(maxlen=VOLUMES)
        self.confidences: deque[tuple[float, float]] = deque(maxlen=VOLUMES)  # run time s, percent
        self._received = nan
        self._last_volume = -1
        self.motion = Plot("Head motion, mm", least_span=(0.0, 0.5))
        self.motion.add_series("displacement", theme.SKY, "o")
        self.motion.add_series("framewise", theme.ORANGE, "t")
        self.quality = Plot("Quality", least_span=(0.0, 1.5), dated=True)
        self.quality.add_series("dvars", theme.ORANGE, "t")
        self.quality.add_series("weight", theme.SKY, "o")
        self.timing = Plot("Time between volumes", least_span=(0.0, 1.5 * self.expected_ms))
        self.timing.add_series("interval", theme.ORANGE, "o")
        self.timing.add_level(self.expected_ms)
        self.latency = Plot("After arrival, ms", least_span=(0.0, 50.0), dated=True)
        self.latency.add_series("decoded", theme.SKY, "o")
        self.latency.add_series("first", theme.ORANGE, "t")
        self.latency.add_series("final", theme.GREEN, "s")
        self.confidence = Plot("Best guess, %", least_span=(0.0, 100.0), dated=True)
        self.confidence.add_series("confidence", theme.SKY, "o")
        if n_candidates:
            chance = 1 / n_candidates
            self.confidence.add_level(100 * chance, f"chance {percent(chance)}", theme.ORANGE)
        self.plots = (self.motion, self.quality, self.timing, self.latency, self.confidence)
        self._stale = list(self.plots)

    def add(self, arrival: Arrival) -> None:
        """Add a volume, or what is newly known of the last; a lower number begins another run."""
        newest = self.rows[-1] if self.rows else None
        self._stale = list(self.plots)
        if newest and arrival.number == newest.number:
            newest.decoded_ms = arrival.decoded_ms
            return
        if newest and arrival.number < newest.number:
            self._clear()
        interval_ms = (arrival.received - self._received) * 1000
        self._received = arrival.received
        row = Row(
            arrival.number, (arrival.number + 1) * self.tr_s, arrival.displacement_mm,
            arrival.framewise_mm, arrival.dvars, arrival.weight, interval_ms, arrival.decoded_ms,
        )  # fmt: skip
        self.rows.append(row)

    def _clear(self) -> None:
        self.rows.clear()
        self._received = nan
        for plot in self.plots:
            plot.drop_onsets(before_s=inf)

    def add_trial(self, trial: Trial) -> None:
        """Mark a trial's onset in every plot."""
        for plot in self.plots if isfinite(trial.onset_s) else ():
            plot.add_onset(trial)

    def add_decoded(self, decoded: Decoded) -> None:
        """Add how probable the best guess is; a lower number begins another run."""
        if decoded.volume < self._last_volume:
            self.confidences.clear()
        self._last_volume = decoded.volume
        end_s = (decoded.volume + 1) * self.tr_s
        self.confidences.append((end_s, 100 * decoded.confidence))
        self._stale = list(self.plots)

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
            self._stale = list(self.plots)

    def tick(self) -> None:
        """Draw one of the plots that have something new."""
        for plot in self._stale:
            if in_front(plot):
                self._stale.remove(plot)
                self._redraw(plot)
                return

    def _redraw(self, plot: Plot) -> None:
        if plot is self.motion:
            self._draw(plot, "displacement", lambda r: r.displacement_mm, "off {:.2f}")
            self._draw(plot, "framewise", lambda r: r.framewise_mm, "step {:.2f}")
        elif plot is self.quality:
            self._draw(plot, "dvars", lambda r: r.dvars, "DVARS {:.2f} x usual")
            self._draw(plot, "weight", lambda r: r.weight, "weight {:.2f}")
        elif plot is self.timing:
            words = f"{{:.0f}} of {self.expected_ms:.0f} ms"
            self._draw(plot, "interval", lambda r: r.interval_ms, words)
        elif plot is self.latency:
            self._draw(plot, "decoded", lambda r: r.decoded_ms, "decoded {:.0f}")
            self._draw(plot, "first", lambda r: r.first_ms, "first {:.0f}")
            self._draw(plot, "final", lambda r: r.final_ms, "final {:.0f}")
        else:
            newest = self.confidences[-1][1] if self.confidences else nan
            plot.show_series("confidence", self.confidences, f"{newest:.0f} %")
        last_s = self.rows[-1].end_s if self.rows else 0.0
        right = max(last_s, VOLUMES * self.tr_s)
        plot.drop_onsets(right - VOLUMES * self.tr_s)
        plot.frame_all(right - VOLUMES * self.tr_s, right + self.tr_s / 2)

    def _draw(self, plot: Plot, name: str, value: Callable[[Row], float], words: str) -> None:
        newest = next((value(r) for r in reversed(self.rows) if isfinite(value(r))), nan)
        plot.show_series(name, ((r.end_s, value(r)) for r in self.rows), words.format(newest))

    def set_letter(self, letter: int) -> None:
        """Grow with the window."""
        for plot in self.plots:
            plot.set_letter(letter)
