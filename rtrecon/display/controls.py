"""Start and stop, and how pictures are made."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QSlider, QVBoxLayout, QWidget

from rtrecon.config import Settings
from rtrecon.display.keys import Keys
from rtrecon.display.theme import Words, explain
from rtrecon.display.watched import Watched
from rtrecon.types import Phase, Status

STOP_KEYS = "Ctrl+."
PAUSE_KEYS = "Ctrl+P"
NEXT_KEYS = "Ctrl+N"
STRENGTH_STEP = 5  # percent
GUIDANCE_STEP = 0.5
MOST_STEPS, MOST_GUIDANCE, MOST_SAMPLES = 50, 30.0, 16


class Stepper(QWidget):
    """A number between a button for less and one for more."""

    def __init__(self, fewer: str, more: str, change: Callable[[int], None]) -> None:
        super().__init__()
        self.fewer, self.more = button("\N{MINUS SIGN}", fewer), button("+", more)
        self.fewer.clicked.connect(lambda: change(-1))
        self.more.clicked.connect(lambda: change(1))
        self.text = Words()
        self.text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        for widget in (self.fewer, self.text, self.more):
            widget.setProperty("role", "step")
            row.addWidget(widget)


class Controls(QWidget):
    """Every change assigns a whole new `Settings`, which holds from the next image on.

    What the generator does not take is not offered.

    Stop has no key of its own without a modifier, and never the keyboard focus, so that neither a
    stray key nor Space or Enter can end a scan.
    """

    def __init__(
        self, session: Watched, keys: Keys | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._settings: Settings | None = None
        self._steps = Stepper(
            "Fewer denoising steps (keys 1 to 4)", "More denoising steps (keys 1 to 4)",
            lambda by: self._change("steps", by),
        )  # fmt: skip
        self._guidance = Stepper(
            "Less guidance by the decoded words (Shift+G)",
            "More guidance by the decoded words (G); 1 is none and costs half as much",
            lambda by: self._change("guidance", by * GUIDANCE_STEP),
        )
        self._samples = Stepper(
            "Fewer pictures from different noise (Shift+N)",
            "More pictures from different noise (N): what differs was not decoded",
            lambda by: self._change("samples", by),
        )
        self.fewer, self.steps_text, self.more = (
            self._steps.fewer, self._steps.text, self._steps.more,
        )  # fmt: skip
        self.guidance_text, self.samples_text = self._guidance.text, self._samples.text
        self.strength = self._make_strength()
        self.strength_text = Words()
        self.preview = QCheckBox("Previews")
        self.preview.setToolTip("Show every denoising step and not the last alone (P)")
        self.preview.toggled.connect(lambda on: self._swap(preview=on))
        self.start = button("Start", "Start the session (S)")
        self.stop = button("Stop", f"End the session ({STOP_KEYS})")
        self.pause = button("Pause", f"Make no new pictures for a while ({PAUSE_KEYS})")
        self.pause.clicked.connect(lambda: self._session.pause(not self._session.status.paused))
        self.next_run = button("Next run", f"End this run and open another ({NEXT_KEYS})")
        self.next_run.hide()
        self._offers_next = False
        self._lay_out()
        self._bind(keys or Keys(self))
        self.follow_settings()

    def _make_strength(self) -> QSlider:
        strength = QSlider(Qt.Orientation.Horizontal)
        strength.setRange(1, 100)
        strength.setSingleStep(STRENGTH_STEP)
        strength.setPageStep(STRENGTH_STEP)
        strength.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        strength.setToolTip(
            "How far the decoded layout is noised before it is drawn anew: low keeps what was\n"
            "decoded, high leaves more to the generator; little evidence is noised further\n"
            "(keys [ and ])"
        )
        strength.valueChanged.connect(lambda value: self._swap(strength=value / 100))
        return strength

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(14)
        offered = {
            "steps": (self._steps,),
            "strength": (self.strength, self.strength_text),
            "guidance": (self._guidance,),
            "samples": (self._samples,),
            "preview": (self.preview,),
        }
        for name, widgets in offered.items():
            cell = _cell("" if name == "preview" else name, widgets)
            row.addWidget(cell)
            cell.setVisible(name in self._session.takes)
        for press in (self.start, self.pause, self.next_run, self.stop):
            row.addWidget(press)

    def _bind(self, keys: Keys) -> None:
        for n in range(1, 5):
            keys.bind(str(n), "", partial(self.set_steps, n))
        keys.tell("1 to 4", "denoising steps")
        keys.bind("+", "one step more", self._steps.more.click)
        keys.bind("-", "one step fewer", self._steps.fewer.click)
        keys.bind("]", "more strength: more is left to the generator", lambda: self._strengthen(1))
        keys.bind(
            "[", "less strength: more of what was decoded stays", lambda: self._strengthen(-1)
        )
        keys.bind("G", "more guidance", self._guidance.more.click)
        keys.bind("Shift+G", "less guidance", self._guidance.fewer.click)
        keys.bind("N", "one sample more", self._samples.more.click)
        keys.bind("Shift+N", "one sample fewer", self._samples.fewer.click)
        keys.bind("P", "previews of each step", self.preview.toggle)
        keys.bind("S", "start", self.start.click)
        keys.bind(STOP_KEYS, "stop", self.stop.click)
        keys.bind(PAUSE_KEYS, "pause: no new pictures", self.pause.click)
        keys.bind(NEXT_KEYS, "next run", self.next_run.click)

    def _strengthen(self, by: int) -> None:
        self.strength.setValue(self.strength.value() + by * STRENGTH_STEP)

    def _change(self, name: str, by: float) -> None:
        """One step more or less of a setting, as far as settings allow."""
        most = {"steps": MOST_STEPS, "guidance": MOST_GUIDANCE, "samples": MOST_SAMPLES}[name]
        before = getattr(self._session.settings, name)
        value = max(1, min(most, before + by))
        if value != before:
            self._swap(**{name: type(before)(value)})

    def set_steps(self, steps: int) -> None:
        """Ask for so many denoising steps, as far as settings allow."""
        self._swap(steps=max(1, min(MOST_STEPS, steps)))

    def _swap(self, **changes: Any) -> None:
        if not self._session.takes.issuperset(changes):
            return
        self._session.settings = replace(self._session.settings, **changes)
        self.follow_settings()

    def follow_settings(self) -> None:
        """Show the settings in force, whoever set them."""
        settings = self._session.settings
        if settings is self._settings:
            return
        self._settings = settings
        self.steps_text.say(str(settings.steps))
        self.guidance_text.say(f"{settings.guidance:g}")
        self.samples_text.say(str(settings.samples))
        with QSignalBlocker(self.strength):
            self.strength.setValue(round(settings.strength * 100))
        with QSignalBlocker(self.preview):
            self.preview.setChecked(settings.preview)
        self.strength_text.say(f"{settings.strength:.2f}")

    def offer_next(self, action: Callable[[], None]) -> None:
        """Offer another run after this one."""
        self._offers_next = True
        self.next_run.clicked.connect(action)
        self.next_run.setVisible(self.stop.isVisibleTo(self))

    def show_status(self, status: Status, stopping: bool) -> None:
        """Offer what can be done: start once, then stop once."""
        phase = status.phase
        over = phase.over
        ready = phase is Phase.READY
        self.start.setVisible(ready)
        self.stop.setVisible(not ready)
        self.pause.setVisible(self._session.pausable and not ready)
        self.pause.setText("Resume" if status.paused else "Pause")
        self.next_run.setVisible(self._offers_next and not ready)
        for press in (self.stop, self.pause, self.next_run):
            press.setEnabled(not (ready or over or stopping))


def button(text: str, tip: str) -> QPushButton:
    """One that never has the keyboard focus: no stray Space or Enter presses it."""
    made = QPushButton(text)
    explain(made, tip)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return made


def _cell(name: str, widgets: Sequence[QWidget]) -> QWidget:
    """Widgets in a row, and below them what they set."""
    cell = QWidget()
    rows, row = QVBoxLayout(cell), QHBoxLayout()
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setSpacing(1)
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget)
    rows.addLayout(row)
    if name:
        rows.addWidget(Words(name, "unit"), alignment=Qt.AlignmentFlag.AlignHCenter)
    return cell
