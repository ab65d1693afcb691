"""What a run needs is chosen here, and looked at before it can start."""

from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rtrecon.check.findings import Finding, ready
from rtrecon.config import Session
from rtrecon.display.theme import Text, Words
from rtrecon.display.visit.fields import Field, StreamList
from rtrecon.display.visit.findings import Findings
from rtrecon.display.visit.remembered import recent_decoders
from rtrecon.generators import GROUP
from rtrecon.generators.presets import PRESETS
from rtrecon.streams import Source
from rtrecon.visit import free_folder

SETTLE_MS = 300  # after a change, before it is looked at
KEYS = "  \N{MIDDLE DOT}  ".join(
    (
        "F5 check again", "Ctrl+Return start", "Alt+underlined letter: field",
        "F11 full screen", "Ctrl+Q quit",
    )
)  # fmt: skip


class SetUp(QWidget):
    """Choices on the left, the preflight on the right; start is offered when nothing is red.

    What is amber has to be accepted. A change makes what was found outdated, and it is looked at
    again.

    Parameters
    ----------
    session : Session
        What is chosen already; whatever has no field here is kept.
    """

    asked = Signal()  # the choice is to be looked at
    start_asked = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._whole = self._missed = False
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self.asked)
        self._build()
        self._show(session)
        self._bind()
        self.outdated()

    def _build(self) -> None:
        self.streams = StreamList()
        named = sorted({*PRESETS, *(point.name for point in entry_points(group=GROUP))})
        self.decoder = Field(
            "Decoder", "folder that rtrecon-calibrate fit wrote", recent_decoders(), "folder"
        )
        self.generator = Field("Generator", "the one the decoder was fitted for", named, "folder")
        self.output = Field("Output", "sessions/DATE_TIME", (), "folder")
        self.stimuli = Field("Stimuli", "pictures that markers name (optional)", (), "folder")
        self.yoked = Field("Yoked list", "codes of real and sham feedback (optional)", (), "file")
        self.code = Field("Participant's code", "on that list")
        self.free_viewing = QCheckBox("Free viewing: no &markers needed")
        self.findings = Findings()
        self.verdict = Text("", "heading")
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.again = QPushButton("Check a&gain")
        self.accept = QCheckBox("Start &in spite of what is amber")
        self.start = QPushButton("&Start")
        self.start.setProperty("role", "go")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(18, 12, 18, 12)
        rows.setSpacing(10)
        rows.addWidget(Words("rtrecon  \N{MIDDLE DOT}  set-up", "name"))
        columns = QHBoxLayout()
        columns.setSpacing(20)
        columns.addLayout(self._choices(), stretch=46)
        columns.addLayout(self._preflight(), stretch=54)
        rows.addLayout(columns, stretch=1)
        keys = Text(KEYS, "keys")
        keys.setAlignment(Qt.AlignmentFlag.AlignCenter)
        rows.addWidget(keys)

    def _choices(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(_label("Streams on the &network", self.streams))
        column.addWidget(self.streams, stretch=1)
        grid = QGridLayout()
        grid.setVerticalSpacing(6)
        grid.setHorizontalSpacing(10)
        named = (
            ("&Decoder", self.decoder), ("Gene&rator", self.generator), ("&Output", self.output),
            ("S&timuli", self.stimuli), ("&Yoked list", self.yoked), ("&Code", self.code),
        )  # fmt: skip
        for row, (name, field) in enumerate(named):
            grid.addWidget(_label(name, field), row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(self.free_viewing, len(named), 1)
        column.addLayout(grid)
        return column

    def _preflight(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(_label("&Preflight", self.findings))
        column.addWidget(self.findings, stretch=1)
        column.addWidget(self.progress)
        column.addWidget(self.verdict)
        buttons = QHBoxLayout()
        buttons.setSpacing(14)
        buttons.addWidget(self.again)
        buttons.addWidget(self.accept, stretch=1)
        buttons.addWidget(self.start)
        column.addLayout(buttons)
        return column

    def _show(self, session: Session) -> None:
        self.streams.chosen = session.stream
        self.decoder.text = "" if session.decoder == Path() else str(session.decoder)
        self.generator.text = session.generator
        for name in ("output", "stimuli", "yoked"):
            getattr(self, name).text = str(getattr(session, name) or "")
        self.code.text = session.code
        self.free_viewing.setChecked(session.free_viewing)

    def _bind(self) -> None:
        self.streams.changed.connect(self.outdated)
        typed = (
            self.decoder, self.generator, self.output, self.stimuli, self.yoked, self.code,
        )  # fmt: skip
        for field in typed:
            field.changed.connect(self.outdated)
            field.edited.connect(self._doubt)
        self.free_viewing.toggled.connect(self.outdated)
        self.accept.toggled.connect(self._offer)
        self.again.clicked.connect(self.look)
        self.start.clicked.connect(self.start_asked)
        for keys, action in (
            ("F5", self.again.click), ("Ctrl+Return", self.start.click),
            ("Ctrl+Enter", self.start.click),
        ):  # fmt: skip
            QShortcut(QKeySequence(keys), self).activated.connect(action)

    @property
    def chosen(self) -> Session:
        """What is chosen, recorded to the next free folder.

        Raises
        ------
        BadConfig
            A list of codes without a code, or the other way round.
        """
        return replace(
            self._session,
            stream=self.streams.chosen,
            decoder=self.decoder.path or Path(),
            generator=self.generator.text,
            output=free_folder(self.output.path),
            stimuli=self.stimuli.path,
            yoked=self.yoked.path,
            code=self.code.text,
            free_viewing=self.free_viewing.isChecked(),
        )

    def show_seen(self, seen: tuple[Source, ...]) -> None:
        """Show what is on the network now; a stream that was missing and came is looked at."""
        before = self.streams.is_there and not self._missed
        self.streams.show_seen(seen)
        if self._whole and not before and self.streams.is_there:
            self.outdated()

    def outdated(self) -> None:
        """Something was changed: look again as soon as no more is."""
        self._doubt()
        self._settling.start(SETTLE_MS)

    def _doubt(self) -> None:
        self._whole = False
        self._offer()

    def look(self) -> None:
        """Look at it now."""
        self._settling.stop()
        self.asked.emit()

    def begin_look(self) -> None:
        """What was found before is of no worth any more."""
        self._whole = False
        self._missed = not self.streams.is_there  # it may come while it is looked for
        self.accept.setChecked(False)
        self.findings.clear()
        self._offer()

    def show_found(self, found: list[Finding], whole: bool) -> None:
        """Show what was found so far, and whether that is all."""
        self.findings.show_all(found)
        if whole and not self._whole:
            self._whole = True
            self._missed &= any(f.name == "stream" and f.ok is False for f in found)
            self._offer()

    def show_failure(self, finding: Finding) -> None:
        """A run could not be opened though all had seemed well."""
        self._settling.stop()
        self.begin_look()
        self.show_found([finding], whole=True)

    def _offer(self) -> None:
        found = self.findings.found
        red = sum(finding.ok is False for finding in found)
        amber = sum(finding.ok is None for finding in found)
        self.progress.setVisible(not self._whole)
        self.accept.setVisible(self._whole and not red and bool(amber))
        accepted = not amber or self.accept.isChecked()
        self.start.setEnabled(self._whole and ready(found) and accepted)
        self.verdict.say(_verdict(red, amber) if self._whole else "Looking\N{HORIZONTAL ELLIPSIS}")


def _verdict(red: int, amber: int) -> str:
    if red:
        return f"{red} to mend before a run can start"
    return f"Ready, {amber} to look at" if amber else "Ready"


def _label(text: str, buddy: QWidget) -> Words:
    """A name whose underlined letter leads to its field."""
    label = Words(text)
    label.setBuddy(buddy)
    return label
