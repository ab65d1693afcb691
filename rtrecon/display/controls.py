"""Start and stop, and how pictures are made."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QSlider, QWidget

from rtrecon.config import Settings
from rtrecon.display.theme import Words
from rtrecon.display.watched import Watched
from rtrecon.types import Phase, Status

STOP_KEYS = "Ctrl+."
PAUSE_KEYS = "Ctrl+P"
NEXT_KEYS = "Ctrl+N"
STRENGTH_STEP = 5  # percent
MOST_STEPS = 50


class Controls(QWidget):
    """Every change assigns a whole new `Settings`, which holds from the next image on.

    What the generator does not take is not offered.

    Stop has no key of its own without a modifier, and never the keyboard focus, so that neither a
    stray key nor Space or Enter can end a scan.
    """

    def __init__(self, session: Watched, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._settings: Settings | None = None
        self.fewer = self._button("\N{MINUS SIGN}", "Fewer denoising steps (keys 1 to 4)")
        self.more = self._button("+", "More denoising steps (keys 1 to 4)")
        self.fewer.clicked.connect(lambda: self.set_steps(self._session.settings.steps - 1))
        self.more.clicked.connect(lambda: self.set_steps(self._session.settings.steps + 1))
        self.steps_text = Words()
        self.steps_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.strength = self._make_strength()
        self.strength_text = Words()
        self.preview = QCheckBox("Previews")
        self.preview.setToolTip("Show every denoising step and not the last alone (P)")
        self.preview.toggled.connect(lambda on: self._swap(preview=on))
        self.start = self._button("Start", "Start the session (S)")
        self.stop = self._button("Stop", f"End the session ({STOP_KEYS})")
        self.pause = self._button("Pause", f"Make no new pictures for a while ({PAUSE_KEYS})")
        self.pause.clicked.connect(lambda: self._session.pause(not self._session.status.paused))
        self.next_run = self._button("Next run", f"End this run and open another ({NEXT_KEYS})")
        self.next_run.hide()
        self._offers_next = False
        self._lay_out()
        self._bind_keys()
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

    def _button(self, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        offered = {
            "steps": (Words("Steps", "dim"), self._stepper()),
            "strength": (Words("Strength", "dim"), self.strength, self.strength_text),
            "preview": (self.preview,),
        }
        for name, widgets in offered.items():
            for widget in widgets:
                row.addWidget(widget)
                widget.setVisible(name in self._session.takes)
        for button in (self.start, self.pause, self.next_run, self.stop):
            row.addWidget(button)

    def _stepper(self) -> QWidget:
        stepper = QWidget()
        row = QHBoxLayout(stepper)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for widget in (self.fewer, self.steps_text, self.more):
            widget.setProperty("role", "step")
            row.addWidget(widget)
        return stepper

    def _bind_keys(self) -> None:
        for n in range(1, 5):
            self._bind(str(n), partial(self.set_steps, n))
        self._bind("P", self.preview.toggle)
        self._bind("[", lambda: self.strength.setValue(self.strength.value() - STRENGTH_STEP))
        self._bind("]", lambda: self.strength.setValue(self.strength.value() + STRENGTH_STEP))
        self._bind("S", self.start.click)
        self._bind(STOP_KEYS, self.stop.click)
        self._bind(PAUSE_KEYS, self.pause.click)
        self._bind(NEXT_KEYS, self.next_run.click)

    def _bind(self, keys: str, action: Any) -> None:
        shortcut = QShortcut(QKeySequence(keys), self)
        shortcut.setAutoRepeat(False)
        shortcut.activated.connect(action)

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
        over = phase in (Phase.ENDED, Phase.FAILED)
        ready = phase is Phase.READY
        self.start.setVisible(ready)
        self.stop.setVisible(not ready)
        self.pause.setVisible(not ready)
        self.pause.setText("Resume" if status.paused else "Pause")
        self.next_run.setVisible(self._offers_next and not ready)
        for button in (self.stop, self.pause, self.next_run):
            button.setEnabled(not (ready or over or stopping))
