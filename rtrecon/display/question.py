"""A question over a window that goes on behind it."""
# ruff: noqa: N802  (Qt names what it calls)

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from rtrecon.display.over import Over
from rtrecon.display.theme import Words


class Question(Over):
    """Asks something whose yes cannot be taken back; Escape and Return say no.

    Parameters
    ----------
    asked, told : str
        The question, and what yes means.
    no, yes : str
        Words of the buttons.
    window : QWidget
        What it is laid over.
    """

    answered = Signal(bool)

    def __init__(self, asked: str, told: str, no: str, yes: str, window: QWidget) -> None:
        super().__init__(window)
        self.no, self.yes = QPushButton(no), QPushButton(yes)
        for press in (self.no, self.yes):
            press.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.no.clicked.connect(lambda: self._answer(False))
        self.yes.clicked.connect(lambda: self._answer(True))
        rows, row = QVBoxLayout(self.panel), QHBoxLayout()
        rows.setContentsMargins(36, 28, 36, 28)
        rows.setSpacing(18)
        rows.addWidget(Words(asked, "headline"))
        rows.addWidget(Words(told))
        row.addStretch(1)
        row.addWidget(self.yes)
        row.addWidget(self.no)
        rows.addLayout(row)
        self.open()

    def _answer(self, yes: bool) -> None:
        self.close()
        self.answered.emit(yes)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """No; other keys are no answer."""
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._answer(False)
