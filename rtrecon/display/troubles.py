"""What is wrong at this moment, where nobody overlooks it: a line a stage, the worst first."""

from pylsl import local_clock
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from rtrecon.display.theme import Text, Words, explain, mark
from rtrecon.types import Trouble

MOST = 4  # lines; a window of 1280 x 720 keeps its pictures with as many
NAMES = {
    "record": "Recording",
    "receive": "Stream",
    "decode": "Decoding",
    "draw": "Pictures",
    "outputs": "Outputs",
    "display": "Display",
    "keeper": "Keeper",
    "views": "Views",
}
LOSES = frozenset({"record", "receive", "decode"})
"""Where data are at stake: another colour, and a sign."""


class Troubles(QWidget):
    """Takes no room while all is well. Plain text, whatever it comes from."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lines = [_Line() for _ in range(MOST)]
        self._shown: tuple[Trouble, ...] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for line in self.lines:
            column.addWidget(line)
        self.hide()

    def show_troubles(self, troubles: tuple[Trouble, ...]) -> None:
        """Show these, in their order; more than there is room for are counted."""
        if troubles != self._shown:
            self._shown = troubles
            more = len(troubles) - MOST
            for n, line in enumerate(self.lines):
                last = n == MOST - 1 and more > 0
                line.show_trouble(troubles[n] if n < len(troubles) else None, more if last else 0)
            self.setVisible(bool(troubles))
        self.tick()

    def tick(self) -> None:
        """Keep up how long each has lasted."""
        for line, trouble in zip(self.lines, self._shown, strict=False):
            line.age.say(lasted(local_clock() - trouble.since))


class _Line(QFrame):
    """One stage: its name, for how long, and what is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "trouble")
        self.stage, self.age, self.what = Words(role="trouble"), Words(role="trouble"), Text()
        self.what.setProperty("role", "trouble")
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 1, 10, 1)
        row.setSpacing(12)
        for widget in (self.stage, self.age):
            row.addWidget(widget)
        row.addWidget(self.what, stretch=1)
        self.hide()

    def show_trouble(self, trouble: Trouble | None, more: int) -> None:
        """None: the line is not needed. `more`: for how many others there is no room."""
        self.setVisible(trouble is not None)
        if trouble is None:
            return
        loses = trouble.stage in LOSES
        for widget in (self, self.stage, self.age, self.what):
            mark(widget, "loses", loses)
        name = NAMES.get(trouble.stage, trouble.stage[:20])
        self.stage.say(f"\N{WARNING SIGN}\N{VARIATION SELECTOR-15} {name}" if loses else name)
        self.what.say(f"(and {more} more) {trouble.what}" if more else trouble.what)
        explain(self.what, trouble.what)


def lasted(seconds: float) -> str:
    """How long, in a word or two."""
    seconds = max(0.0, seconds)
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
