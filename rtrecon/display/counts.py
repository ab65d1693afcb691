"""What became of volumes and pictures, in numbers."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from rtrecon.display.theme import Words, mark
from rtrecon.types import Status

ALARMING = ("lost", "rejected")
NAMES = ("received", "lost", "duplicate", "rejected", "shown", "superseded")


class Counts(QWidget):
    """Six numbers; the alarming ones light up when they are not zero."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.numbers = {name: Words("0", "count") for name in NAMES}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(14)
        for name, number in self.numbers.items():
            number.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            cell = QVBoxLayout()
            cell.setSpacing(0)
            cell.addWidget(number)
            cell.addWidget(Words(name, "unit"))
            row.addLayout(cell)

    def show_status(self, status: Status) -> None:
        """Show the newest numbers."""
        counts = status.volumes
        values = (counts.received, counts.lost, counts.duplicate, counts.rejected)
        for name, value in zip(NAMES, (*values, status.shown, status.superseded), strict=True):
            self.numbers[name].say(str(value))
            mark(self.numbers[name], "alarm", name in ALARMING and value > 0)
