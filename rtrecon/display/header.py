"""Where the session stands: phase, message, and what it is connected to."""

from pylsl import local_clock
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rtrecon.display.theme import Text, Words, explain, mark
from rtrecon.display.watched import Watched
from rtrecon.types import Phase, Status


class Header(QWidget):
    """A coloured pill with the phase in words, a message, three lines of description, and the menu
    of panels and the list of keys, for whoever has them to connect.
    """

    def __init__(self, session: Watched, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.stopping = False
        self._status = Status()
        self.pill = Words(role="pill")
        self.pill.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message = Text()
        self.message.setWordWrap(True)
        self.details = QPushButton("Details")
        self.details.setToolTip("Show where it failed (D)")
        self.details.setShortcut("D")
        self.details.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.details.clicked.connect(self.show_details)
        self.details.hide()
        self.view = QPushButton("View")
        self.view.setToolTip("Show, hide and put back panels (V)")
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.help = QPushButton("?")
        self.help.setToolTip("All keys (F1 or ?)")
        self.help.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        about = QVBoxLayout()
        about.setSpacing(1)
        for text in (session.stream_text, session.decoder_text, session.generator_text):
            line = Text(text, "small")
            line.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            about.addWidget(line)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(14)
        row.addWidget(Words("rtrecon", "name"))
        row.addWidget(self.pill, alignment=Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.message, stretch=3)
        row.addWidget(self.details)
        row.addLayout(about, stretch=2)
        row.addWidget(self.view)
        row.addWidget(self.help)
        self.show_status(self._status)

    def show_status(self, status: Status) -> None:
        """Say where the session stands."""
        self._status = status
        halted = status.paused and not status.phase.over
        mark(self.pill, "phase", "PAUSED" if halted else status.phase.name)
        self.message.say(status.message)
        explain(self.message, self.message.text())
        self.details.setVisible(bool(status.traceback))
        self.tick()

    def tick(self) -> None:
        """Keep the pill's words up to date: silence has a length."""
        self.pill.say(self._words().capitalize())

    def _words(self) -> str:
        status = self._status
        running = not status.phase.over
        if self.stopping and running:
            return "stopping"
        if status.paused and running:
            return "paused: recording, no pictures"
        if status.phase is Phase.SILENT and status.arrival:
            return f"stream silent {local_clock() - status.arrival.received:.0f} s"
        return status.phase.value

    def show_details(self) -> None:
        """Open the kept traceback beside the session, which goes on."""
        dialog = QDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("rtrecon: where it failed")
        dialog.resize(900, 480)
        text = QPlainTextEdit(f"{self._status.message}\n\n{self._status.traceback}", dialog)
        text.setReadOnly(True)
        rows = QVBoxLayout(dialog)
        rows.addWidget(text)
        dialog.show()
