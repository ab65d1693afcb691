"""The operator's window of an EEG session: one timer that looks, and a row for each person."""

from collections.abc import Callable, Iterator
from math import isfinite, nextafter

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from rtrecon.display import theme
from rtrecon.display.eeg.row import PersonRow
from rtrecon.display.eeg.watched import WatchedEeg
from rtrecon.display.presented import WITHDRAW_KEY
from rtrecon.display.screenshots import Screenshots
from rtrecon.display.session_window import SessionWindow
from rtrecon.display.theme import Text, Words, explain, mark
from rtrecon.display.troubles import Troubles
from rtrecon.protocol.blocks import Moment
from rtrecon.types import Block, Phase, Status

TICK_MS = 33  # scores come 10 to 30 times a second
STOP_KEYS = "Ctrl+."
STOPPED = "a participant has stopped"
LEAST_ROW = 8  # letters' heights

BLOCKS = {
    Block.REST: "Rest",
    Block.REGULATE: "Regulate",
    Block.TRANSFER: "Transfer",
    Block.SHAM: "Sham",
}


class EegWindow(SessionWindow):
    """Each person's index and signal, the block, and what fired.

    Parameters
    ----------
    session : WatchedEeg
    screenshots : Screenshots or None
        Takes the window at the end of each block.
    close_when_ended : bool
        Whether to close soon after the session ended.
    """

    def __init__(
        self,
        session: WatchedEeg,
        screenshots: Screenshots | None = None,
        close_when_ended: bool = False,
    ) -> None:
        super().__init__(session, screenshots, close_when_ended)
        self.session = session
        duration_s = session.blocks.duration_s
        known = isfinite(duration_s)
        self._blocks = session.blocks.at(nextafter(duration_s, 0)).number if known else 0
        self._block = 0
        self._build()
        self._bind_keys()
        self._timer.start(TICK_MS)

    def _build(self) -> None:
        self.setWindowTitle("rtrecon")
        self.setMinimumSize(960, 600)
        self.pill = Words(role="pill")
        self.message, self.troubles = Text(), Troubles()
        self.block, self.left = Text("", "headline"), Words("", "headline")
        self.instruction = Text("", "caption")
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        people, session = self.session.people, self.session
        self.rows = [
            PersonRow(person, session.threshold, session.blocks, person is people[-1])
            for person in people
        ]
        self.pausing, self.stopping = QPushButton("Pause"), QPushButton("Stop")
        self.pausing.setToolTip("Tell nothing and stand still, or go on (P)")
        explain(self.stopping, f"End the session ({STOP_KEYS})")
        self.pausing.clicked.connect(self.toggle_pause)
        self.stopping.clicked.connect(self.stop)
        for button in (self.pausing, self.stopping):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        lines = QVBoxLayout(self)
        lines.setContentsMargins(18, 12, 18, 12)
        lines.setSpacing(10)
        lines.addLayout(self._header())
        lines.addWidget(self.troubles)
        self.shown, self.stopped = (self._schedule(), self._people()), Words(STOPPED, "caption")
        self.stopped.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.stopped.hide()
        lines.addWidget(self.shown[0])
        for filling in (self.shown[1], self.stopped):
            lines.addWidget(filling, stretch=1)
        lines.addLayout(self._footer())
        self.resize(1280, 720)

    def _header(self) -> QHBoxLayout:
        self.message.setWordWrap(True)
        header = QHBoxLayout()
        header.setSpacing(14)
        header.addWidget(Words("rtrecon", "name"))
        header.addWidget(self.pill, alignment=Qt.AlignmentFlag.AlignVCenter)
        header.addWidget(self.message, stretch=3)
        measure = Text(self.session.measure_text, "small")
        measure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        header.addWidget(measure, stretch=2)
        return header

    def _schedule(self) -> QFrame:
        panel = QFrame()
        panel.setProperty("role", "panel")
        first = QHBoxLayout()
        first.addWidget(self.block, stretch=1)
        first.addWidget(self.left)
        lines = QVBoxLayout(panel)
        lines.setContentsMargins(14, 8, 14, 10)
        lines.setSpacing(4)
        lines.addLayout(first)
        lines.addWidget(self.instruction)
        lines.addWidget(self.progress)
        return panel

    def _people(self) -> QScrollArea:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for row in self.rows:
            column.addWidget(row, stretch=1)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return area

    def _footer(self) -> QHBoxLayout:
        self.total = Words("", "dim")
        hint = Text(
            f"P pause  ·  {WITHDRAW_KEY} a participant stops  ·  F11 full screen  ·  Ctrl+Q quit",
            "small",
        )
        hint.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        footer = QHBoxLayout()
        footer.setSpacing(14)
        footer.addWidget(self.total)
        footer.addWidget(hint, stretch=1)
        footer.addWidget(self.pausing)
        footer.addWidget(self.stopping)
        return footer

    def _bind_keys(self) -> None:
        for keys, action in (
            ("F11", self.toggle_full_screen), ("Ctrl+Q", self.close),
            ("P", self.toggle_pause), (STOP_KEYS, self.stop),
        ):  # fmt: skip
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(action)

    def toggle_pause(self) -> None:
        """Stand still, or go on."""
        if not self.session.ended:
            self.session.pause(not self.session.status.paused)

    def _parts(self) -> Iterator[Callable[[], None]]:
        moment, elapsed = self.session.moment, self.session.elapsed
        yield lambda: self._show_status(self.session.status)
        if self.stopped.isVisibleTo(self):
            return
        yield lambda: self._follow_block(moment)
        yield lambda: self._show_schedule(moment, elapsed)
        yield lambda: self._follow_scores(elapsed)

    def _show_status(self, status: Status) -> None:
        phase = status.phase
        over = phase.over
        if phase is Phase.WITHDRAWN:
            self._clear()
        words = "waiting for the first samples" if phase is Phase.WAITING else phase.value
        if self._asked_to_stop and not over:
            words = "stopping"
        elif status.paused and not over:
            words = "paused"
        mark(self.pill, "phase", "SILENT" if status.paused and not over else phase.name)
        self.pill.say(words.capitalize())
        self.troubles.show_troubles(status.troubles)
        self.message.say(status.message)
        self.setWindowTitle(f"{status.stream} - rtrecon" if status.stream else "rtrecon")
        self.pausing.setText("Go on" if status.paused else "Pause")
        self.pausing.setEnabled(phase is not Phase.READY and not over)
        self.stopping.setEnabled(phase is not Phase.READY and not (over or self._asked_to_stop))

    def _clear(self) -> None:
        """Nothing that was read from anybody stays in sight."""
        for panel in self.shown:
            panel.hide()
        self.stopped.show()

    def _follow_block(self, moment: Moment) -> None:
        if moment.number != self._block and self._block and self._screenshots:
            self._screenshots.take(self)  # the last block is over, and still on screen
        self._block = moment.number

    def _show_schedule(self, moment: Moment, elapsed: float) -> None:
        duration_s = self.session.blocks.duration_s
        total = f" of {_clock(duration_s)}" if isfinite(duration_s) else ""
        shown = min(elapsed, duration_s) if isfinite(elapsed) else 0.0
        self.total.say(f"{_clock(shown)}{total}")
        if not moment.number:
            begun = isfinite(elapsed) and elapsed > 0
            self.block.say("All blocks are over" if begun else "Before the first block")
            self.left.say("")
            self.instruction.say("")
            self.progress.setValue(1000 if begun else 0)
            return
        which = f"  ·  block {moment.number} of {self._blocks}" if self._blocks else ""
        self.block.say(f"{BLOCKS[moment.kind]}{which}")
        self.instruction.say(moment.instruction)
        if isfinite(moment.until):
            self.left.say(f"{_clock(moment.until - elapsed + 0.999)} left")
            share = (elapsed - moment.since) / (moment.until - moment.since)
            self.progress.setValue(round(1000 * share))

    def _follow_scores(self, elapsed: float) -> None:
        rows = {
            person.name: row for person, row in zip(self.session.people, self.rows, strict=True)
        }
        recent = self.session.recent
        while recent:
            score = recent.popleft()
            rows[score.person].add(score)
        fires = self.session.presentation.fires
        for (name, row), quality in zip(rows.items(), self.session.qualities, strict=True):
            row.show_fires(fires.get(name, 0), elapsed)
            row.show_quality(quality)
            row.trace.redraw(elapsed)

    def _restyle(self, letter: int) -> None:
        self.setStyleSheet(theme.style_sheet(letter) + _progress_style(letter))
        for row in self.rows:
            row.setMinimumHeight(round(letter * LEAST_ROW))
            row.trace.set_letter(letter)


def _clock(seconds: float) -> str:
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def _progress_style(letter: int) -> str:
    return f"""
    QProgressBar {{ background: {theme.EDGE}; border: none; border-radius: 3px;
        min-height: {letter // 3}px; max-height: {letter // 3}px; }}
    QProgressBar::chunk {{ background: {theme.SKY}; border-radius: 3px; }}
    """
