"""The reconstruction and, beside it, what was presented in the same trial."""
# ruff: noqa: N802  (Qt names what it calls)

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from rtrecon.display import wording
from rtrecon.display.picture import Picture
from rtrecon.display.theme import Text, mark
from rtrecon.types import Frame, Trial

GAP_PX = 20
TITLE = "Reconstruction"
DOUBT = "not above chance"
GENERATOR_ONLY = "the generator's guess, not the brain's"


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


class Stage(QWidget):
    """Two exhibits that always belong to one trial, so that comparing them is fair.

    While a new trial has begun and no picture of it is there yet, the old pair stays and a line
    says what is presented now.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        waiting = "no picture yet\n\nthe response of the brain takes a few seconds"
        self.reconstruction = Exhibit(TITLE, waiting, self)
        self.stimulus = Exhibit("Presented", "stimulus not known", self)
        self._now: Trial | None = None
        self._pair: Trial | None = None
        self.setMinimumSize(420, 260)

    @property
    def trial(self) -> Trial | None:
        """The one whose pictures are shown."""
        return self._pair

    def show_frame(self, frame: Frame, candidates: tuple[str, ...]) -> None:
        """Show a picture with its evidence."""
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
        """Two squares, as large as fits."""
        words = self.reconstruction.words_px()
        side = max(96, min(self.height() - words, (self.width() - GAP_PX) // 2))
        left = (self.width() - GAP_PX) // 2 - side
        self.reconstruction.setGeometry(QRect(left, 0, side, words + side))
        self.stimulus.setGeometry(QRect(left + side + GAP_PX, 0, side, words + side))
