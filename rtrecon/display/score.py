"""A protocol's block, instruction and score, as participant and devices get them."""

import time
from collections import deque
from math import isfinite

import numpy as np
from pylsl import local_clock
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from rtrecon.display import theme
from rtrecon.display.plot import Plot
from rtrecon.display.theme import Text, Words
from rtrecon.types import Presentation, Score

KEPT_S = 120.0
EVERY_S = 0.1  # between two drawings of the trace, however often scores come
SYMBOLS = ("o", "t", "s", "d", "+", "x", "star", "p")


class ScoreView(QWidget):
    """The present block and what is left of it, what it asks, and everyone's score."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.block, self.left = Words("", "heading"), Words("", "dim")
        self.instruction = Text(role="text")
        self.fired = Words("", "dim")
        self.scores: dict[str, deque[Score]] = {}
        self.plot = Plot("Score", least_span=(0.0, 1.0), dated=True)
        self._threshold = self.plot.add_level(2.0, colour=theme.VERMILLION)
        self._threshold.setVisible(False)
        self._drawn = 0.0
        self._stale = False
        head = QHBoxLayout()
        head.setSpacing(12)
        for widget in (self.block, self.left, self.instruction, self.fired):
            head.addWidget(widget, stretch=int(widget is self.instruction))
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        rows.addLayout(head)
        rows.addWidget(self.plot, stretch=1)

    def show_presentation(self, presentation: Presentation) -> None:
        """Show the newest; called at every tick, and costs nothing while nothing is new."""
        if presentation.block is not None:
            self.block.say(presentation.block.value.capitalize())
        left_s = presentation.until - local_clock()
        self.left.say(f"{max(0.0, left_s):.0f} s left" if isfinite(left_s) else "")
        self.instruction.say(presentation.instruction)
        fires = sum(presentation.fires.values())
        self.fired.say(f"fired {fires} x" if fires else "")
        for person in presentation.people:
            if (score := presentation.scores.get(person.name)) is not None:
                self._add(score, person.colour)
        self._show_threshold(presentation.threshold)
        if self._stale and time.perf_counter() - self._drawn >= EVERY_S:
            self._draw()

    def _add(self, score: Score, colour: str) -> None:
        if score.person not in self.scores:
            symbol = SYMBOLS[len(self.scores) % len(SYMBOLS)]
            self.plot.add_series(score.person, colour, symbol)
            self.scores[score.person] = deque(maxlen=2000)
        kept = self.scores[score.person]
        if not kept or kept[-1].number != score.number:
            kept.append(score)
            self._stale = True

    def _show_threshold(self, threshold: float) -> None:
        known = isfinite(threshold)
        if known and self._threshold.value() != threshold:
            self._threshold.setValue(threshold)
        if self._threshold.isVisible() != known:
            self._threshold.setVisible(known)

    def _draw(self) -> None:
        self._drawn, self._stale = time.perf_counter(), False
        first = min(kept[0].time for kept in self.scores.values())
        newest = max(kept[-1].time for kept in self.scores.values())
        right = max(newest - first, KEPT_S / 4)
        for name, kept in self.scores.items():
            while kept[-1].time - kept[0].time > KEPT_S:
                kept.popleft()
            told = f"{name} {_words(kept[-1])}".strip()
            points = [(score.time - first, score.value) for score in kept]
            self.plot.show_series(name, points, told)
        self.plot.frame_all(max(0.0, right - KEPT_S), right)


def _words(score: Score) -> str:
    return f"{score.value:.2f}" if np.isfinite(score.value) else score.fault or "?"
