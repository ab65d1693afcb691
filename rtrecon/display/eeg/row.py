"""One person in the window: who, how the signal is, the index, and what has fired."""

from math import isfinite, isnan
from statistics import median

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from rtrecon.display import theme
from rtrecon.display.eeg.signs import Channels, Light, LightSign
from rtrecon.display.eeg.trace import Trace
from rtrecon.display.theme import Text, Words
from rtrecon.eeg.seat import Quality
from rtrecon.protocol.blocks import Blocks
from rtrecon.protocol.threshold import Crossing
from rtrecon.types import Person, Score


class PersonRow(QFrame):
    """A panel as wide as the window.

    Parameters
    ----------
    person : Person
    threshold : Crossing or None
    blocks : Blocks
    last : bool
        Whether it is the lowest, which says the time below its trace.
    """

    def __init__(
        self, person: Person, threshold: Crossing | None, blocks: Blocks, last: bool
    ) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        self._fires = 0
        self._fault = ""
        self.light, self.word = LightSign(), Text("no signal yet", "dim")
        self.value = Words("-", "headline")
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.fires = Text("", "text")
        self.trace = Trace(person.colour, threshold, blocks, dated=last)
        self.channels = Channels()
        self.numbers = Text("", "small")
        self._fires_known = threshold is not None
        self._lay_out(person)
        self.show_fires(0, 0.0)

    def _lay_out(self, person: Person) -> None:
        stripe = QWidget()
        stripe.setStyleSheet(f"background: {person.colour}; border-radius: 3px;")
        stripe.setFixedWidth(8)
        name = Text(person.name, "name")
        head = QHBoxLayout()
        head.addWidget(name, stretch=1)
        head.addWidget(self.value)
        state = QHBoxLayout()
        state.setSpacing(8)
        state.addWidget(self.light)
        state.addWidget(self.word, stretch=1)
        who = QVBoxLayout()
        who.setSpacing(3)
        who.addLayout(head)
        who.addLayout(state)
        who.addWidget(self.fires)
        who.addStretch(1)
        signal = QVBoxLayout()
        signal.setSpacing(3)
        signal.addWidget(self.channels, stretch=1)
        signal.addWidget(self.numbers)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(14)
        row.addWidget(stripe)
        row.addLayout(who, stretch=22)
        row.addWidget(self.trace, stretch=56)
        row.addLayout(signal, stretch=22)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def add(self, score: Score) -> None:
        """Add a score."""
        self.trace.add(score)
        self._fault = score.fault
        self.value.say(f"{score.value:.2f}" if isfinite(score.value) else "-")
        theme.mark(self.value, "doubt", isnan(score.value))

    def show_quality(self, quality: Quality) -> None:
        """Say how the signal is, in a sign and in words."""
        light, word = state_of(quality, self._fault)
        self.light.show_light(light)
        self.word.say(word)
        self.channels.show_quality(quality)
        size = f"{median(quality.spread_uv):.0f} µV  ·  " if quality.spread_uv else ""
        gaps = f"  ·  {quality.gaps} gap{'s' * (quality.gaps != 1)}" if quality.gaps else ""
        self.numbers.say(f"{size}artefacts {100 * quality.artefact_share:.0f} %{gaps}")

    def show_fires(self, count: int, elapsed: float) -> None:
        """Say how often the trigger has fired."""
        if count > self._fires:
            self.trace.fire(elapsed)
        self._fires = count
        if self._fires_known:
            times = {0: "has not fired", 1: "fired once"}.get(count, f"fired {count} times")
            self.fires.say(f"▲ {times}" if count else f"△ {times}")


def state_of(quality: Quality, fault: str) -> tuple[Light, str]:
    """A signal's light and the word beside it."""
    if quality.silent:
        return Light.SILENT, "no signal"
    if fault.startswith("artefact"):
        return Light.ARTEFACT, fault
    if fault or not quality.labels:
        return Light.WAITING, fault or "no signal yet"
    return Light.GOOD, "good"
