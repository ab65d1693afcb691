"""What became of a run, and what comes next."""

from math import isfinite

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QPainter, QPaintEvent, QPixmap, QShortcut
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from rtrecon.display.theme import Text, Words, mark
from rtrecon.display.wording import percent
from rtrecon.visit import Ended

ALARMING = ("lost", "rejected", "not recorded")
KEYS = "  \N{MIDDLE DOT}  ".join(
    ("Ctrl+N next run", "Ctrl+E change set-up", "F11 full screen", "Ctrl+Q quit")
)


class RunEnded(QWidget):
    """Counts, identification against chance, and the run's contact sheet."""

    def __init__(self) -> None:
        super().__init__()
        self.title, self.verdict = Words("", "name"), Text("", "heading")
        self.folder = Text("", "dim")
        self.figures = {name: Words("0", "figure") for name in FIGURES}
        self.sheet = Sheet()
        self.next_run = QPushButton("&Next run")
        self.next_run.setProperty("role", "go")
        self.change = QPushButton("Change s&et-up")
        self.leave = QPushButton("&Close")
        numbers = QGridLayout()
        numbers.setHorizontalSpacing(28)
        for column, (name, figure) in enumerate(self.figures.items()):
            numbers.addWidget(figure, 0, column)
            numbers.addWidget(Words(name, "keys"), 1, column)
        numbers.setColumnStretch(len(self.figures), 1)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(18, 12, 18, 12)
        rows.setSpacing(10)
        for widget in (self.title, self.verdict):
            rows.addWidget(widget)
        rows.addLayout(numbers)
        rows.addWidget(self.folder)
        rows.addWidget(self.sheet, stretch=1)
        rows.addLayout(self._buttons())
        for keys, button in (("Ctrl+N", self.next_run), ("Ctrl+E", self.change)):
            QShortcut(QKeySequence(keys), self).activated.connect(button.click)

    def _buttons(self) -> QHBoxLayout:
        buttons = QHBoxLayout()
        buttons.setSpacing(14)
        buttons.addWidget(self.leave)
        keys = Text(KEYS, "keys")
        keys.setAlignment(Qt.AlignmentFlag.AlignCenter)
        buttons.addWidget(keys, stretch=1)
        buttons.addWidget(self.change)
        buttons.addWidget(self.next_run)
        return buttons

    def show_ended(self, ended: Ended, number: int) -> None:
        """Show what became of run `number` of this visit."""
        self.title.say(f"rtrecon  \N{MIDDLE DOT}  run {number} has {_how(ended)}")
        self.verdict.say(STOPPED if ended.withdrawn else _identification(ended))
        values = {
            "received": ended.volumes.received, "lost": ended.volumes.lost,
            "duplicate": ended.volumes.duplicate, "rejected": ended.volumes.rejected,
            "pictures": ended.shown, "trials": ended.trials, "not recorded": ended.lost,
        }  # fmt: skip
        for name, value in values.items():
            self.figures[name].say(f"{value:,}")
            mark(self.figures[name], "alarm", name in ALARMING and value > 0)
        before = ": delete it to remove what was recorded before" if ended.withdrawn else ""
        self.folder.say(f"Recorded in {ended.folder}{before}")
        self.sheet.show_picture(QPixmap(str(ended.folder / "contact_sheet.png")))
        # After a participant's stop no stray Return begins another run.
        (self.change if ended.withdrawn else self.next_run).setFocus()


FIGURES = ("received", "lost", "duplicate", "rejected", "pictures", "trials", "not recorded")


def _how(ended: Ended) -> str:
    if ended.withdrawn:
        return "been stopped by the participant"
    return "failed: what was received is recorded" if ended.failed else "ended"


STOPPED = "Nothing was recorded from then on. Go on only when the participant wants to."


def _identification(ended: Ended) -> str:
    if not isfinite(ended.top1):
        return "Nothing to compare with what was decoded: no trial of a known kind"
    return (
        f"Named rightly: {percent(ended.top1)} of {ended.trials} trials "
        f"(chance {percent(ended.chance)}, {ended.candidates} candidates)"
    )


class Sheet(QWidget):
    """A picture as large as there is room, its shape kept."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = QPixmap()
        self.setAccessibleName("Stimuli and reconstructions of the run")

    def show_picture(self, picture: QPixmap) -> None:
        """Show it; nothing where there is none."""
        self._picture = picture
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw it in the middle."""
        if self._picture.isNull():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        size = self._picture.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left, top = (self.width() - size.width()) // 2, (self.height() - size.height()) // 2
        painter.drawPixmap(left, top, size.width(), size.height(), self._picture)
