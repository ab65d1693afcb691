"""The reconstruction beside what was presented, and beside what tells brain and prior apart."""
# ruff: noqa: N802  (Qt names what it calls)

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRect, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from rtrecon.display import wording
from rtrecon.display.picture import Picture
from rtrecon.display.theme import Text, explain, mark
from rtrecon.types import Comparison, Frame, Trial

GAP_PX = 18
ROW_GAP_PX = 8
TITLE = "Reconstruction"
DOUBT = "not above chance"
GENERATOR_ONLY = "the generator's guess, not the brain's"
ALONE, ALONE_IS = "Layout", "decoded layout, no diffusion"
NO_BRAIN = "No brain"
NO_BRAIN_IS = "decoder fitted on exchanged pictures; what the model makes of nothing"
LATER = "drawn after the picture, where time is left"
NO_LAYOUT = "none: nothing that this decoder and this model make is a layout"
STOPPED = "the participant has stopped"


class Exhibit(QWidget):
    """A title, a picture, and under it a headline and two lines of caption."""

    def __init__(self, title: str, placeholder: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.title = Text(title, "title")
        self.picture = Picture(placeholder)
        self.headline = Text(role="headline")
        self.caption = Text(role="caption")
        self.remark = Text(role="caption")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        for row in (self.title, self.picture, self.headline, self.caption, self.remark):
            rows.addWidget(row, stretch=int(row is self.picture))

    def words_px(self) -> int:
        """Height of everything but the picture."""
        texts = (self.title, self.headline, self.caption, self.remark)
        return sum(text.sizeHint().height() + 4 for text in texts)


class Comparand(QWidget):
    """A small picture that stands beside the reconstruction, and in words what it is."""

    def __init__(self, title: str, what: str, lines: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._name, self._lines = title, lines
        self.title = Text(title, "heading")
        self.picture = Picture(LATER)
        self.picture.setMinimumSize(64, 64)
        self.caption = Text(what, "small")
        self.caption.setWordWrap(True)
        self.caption.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        explain(self, f"{title}: {what}")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        for row in (self.title, self.picture, self.caption):
            rows.addWidget(row, stretch=int(row is self.picture))

    def words_px(self) -> int:
        """Height of everything but the picture; the caption gets so much."""
        lines = self._lines * self.caption.fontMetrics().height()
        self.caption.setFixedHeight(lines)
        return self.title.sizeHint().height() + lines + 4

    def show_image(self, image: NDArray[np.uint8] | None, age_s: float) -> None:
        """Show it with the age of its evidence, or words in its place."""
        self.title.say(self._name if image is None else f"{self._name}  ·  {age_s:.1f} s")
        self.picture.show_image(image)

    def say(self, words: str) -> None:
        """What stands in the picture's place where there is none."""
        self.picture.placeholder = words
        self.picture.update()


class Stage(QWidget):
    """Exhibits that always belong to one trial, so that comparing them is fair.

    While a new trial has begun and no picture of it is there yet, the old ones stay and a line
    says what is presented now.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        waiting = "no picture yet\n\nthe response of the brain takes a few seconds"
        self.reconstruction = Exhibit(TITLE, waiting, self)
        self.stimulus = Exhibit("Presented", "stimulus not known", self)
        self.z_only = Comparand(ALONE, ALONE_IS, 2, self)
        self.control = Comparand(NO_BRAIN, NO_BRAIN_IS, 4, self)
        self._now: Trial | None = None
        self._pair: Trial | None = None
        self._compared: int | None = None  # the trial that the comparison is of
        self.setMinimumSize(420, 260)

    @property
    def trial(self) -> Trial | None:
        """The one whose pictures are shown."""
        return self._pair

    def show_frame(self, frame: Frame, candidates: tuple[str, ...]) -> None:
        """Show a picture with its evidence; what was compared in another trial goes."""
        doubt = not wording.above_chance(frame.decoded.confidence, len(candidates))
        guess = wording.guess(frame.decoded, candidates)
        shown = self.reconstruction
        shown.picture.show_image(frame.image, list(frame.images[1:]))
        shown.headline.say(DOUBT if doubt else guess)
        shown.caption.say(wording.evidence(frame))
        remarks = (f"best guess: {guess}" if doubt else "", wording.samples(frame))
        shown.remark.say("  ·  ".join(filter(None, remarks)))
        shown.title.say(f"{TITLE}  ·  {GENERATOR_ONLY}" if doubt else TITLE)
        for text in (shown.headline, shown.title):
            mark(text, "doubt", doubt)
        if self._compared not in (None, frame.decoded.trial.number):
            self._compared = None
            for comparand in (self.z_only, self.control):
                comparand.show_image(None, 0.0)

    def show_comparison(self, comparison: Comparison) -> bool:
        """Show what belongs to the pictures that are shown; whether it does."""
        trial, age_s = comparison.decoded.trial.number, comparison.decoded.age_s
        if self._pair is None or self._pair.number != trial:
            return False
        begins, self._compared = self._compared != trial, trial
        if comparison.z_only is not None or begins:
            self.z_only.show_image(comparison.z_only, age_s)
        if comparison.control is not None:
            self.control.show_image(comparison.control, age_s)
            if comparison.z_only is None:
                self.z_only.say(NO_LAYOUT)
        elif begins:  # until there is one, an earlier trial's would be taken for this one's
            self.control.show_image(None, age_s)
        return True

    def clear(self) -> None:
        """Nothing but that the participant has stopped."""
        self._pair = self._now = None
        shown = self.reconstruction
        shown.picture.placeholder, self.stimulus.picture.placeholder = STOPPED, ""
        for picture in (shown.picture, self.stimulus.picture):
            picture.show_image(None)
        for exhibit in (shown, self.stimulus):
            for text in (exhibit.headline, exhibit.caption, exhibit.remark):
                text.say("")
        for comparand in (self.z_only, self.control):
            comparand.show_image(None, 0.0)
            comparand.say("")

    def say_uncompared(self, why: str) -> None:
        """Say, where there is no picture, why; empty: not yet."""
        for comparand in (self.z_only, self.control):
            comparand.say(why or LATER)

    def show_stimulus(self, trial: Trial, image: NDArray[np.uint8] | None) -> None:
        """Show what was presented in a trial."""
        self._pair = trial
        self.stimulus.picture.show_image(image)
        self.stimulus.headline.say(wording.presented(trial))
        self.stimulus.caption.say(wording.presentation(trial))
        self._say_now()

    def show_now(self, trial: Trial) -> None:
        """Say what is on the participant's screen."""
        self._now = trial
        self._say_now()

    def _say_now(self) -> None:
        now, pair = self._now, self._pair
        late = now is not None and pair is not None and now.number != pair.number
        line = f"now: trial {now.number}, {wording.presented(now)}" if now and late else ""
        self.stimulus.remark.say(line)
        mark(self.stimulus.remark, "late", late)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place them anew."""
        self._place()

    def changeEvent(self, event: QEvent) -> None:
        """Place them anew when letters grow."""
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._place()

    def _place(self) -> None:
        """Two squares as large as fit, and two small ones above each other, all of one height."""
        words = self.reconstruction.words_px()
        beside = {one: one.words_px() for one in (self.z_only, self.control)}
        # The small ones' side is half of the large ones' and so much; all three fill the width.
        fixed = (words - ROW_GAP_PX - sum(beside.values())) / 2
        by_width = (self.width() - 2 * GAP_PX - fixed) / 2.5
        side = max(96, int(min(self.height() - words, by_width)))
        small = max(64, int(side / 2 + fixed))
        left = max(0, (self.width() - 2 * side - small - 2 * GAP_PX) // 2)
        top = max(0, (self.height() - side - words) // 2)
        for exhibit in (self.stimulus, self.reconstruction):
            exhibit.setGeometry(QRect(left, top, side, words + side))
            left += side + GAP_PX
        for comparand, small_words in beside.items():
            comparand.setGeometry(QRect(left, top, small, small + small_words))
            top += small + small_words + ROW_GAP_PX
