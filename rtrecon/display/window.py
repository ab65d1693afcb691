"""The operator's window: one timer that takes what is newest, and widgets that show it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from rtrecon.display import wording
from rtrecon.display.brain import BrainView
from rtrecon.display.candidates import Candidates
from rtrecon.display.controls import Controls
from rtrecon.display.counts import Counts
from rtrecon.display.header import Header
from rtrecon.display.keys import KeyList, Keys
from rtrecon.display.latency import Latency
from rtrecon.display.layout import by_default
from rtrecon.display.log import Log
from rtrecon.display.panels import Panels
from rtrecon.display.presented import WITHDRAW_KEY
from rtrecon.display.score import ScoreView
from rtrecon.display.screenshots import Screenshots
from rtrecon.display.session_window import SessionWindow
from rtrecon.display.stage import Stage
from rtrecon.display.strip import Strip
from rtrecon.display.theme import Text
from rtrecon.display.traces import Traces
from rtrecon.display.troubles import Troubles
from rtrecon.display.watched import Watched
from rtrecon.types import Comparison, Decoded, Frame, Phase, Status, Trial

TICK_MS = 8  # a picture waits for half of that on average, and for its own painting


class OperatorWindow(SessionWindow):
    """What scientists at the scanner console look at.

    It looks a hundred times a second, and touches only what has changed; a picture is therefore never
    older than a tick.

    Parameters
    ----------
    session : Watched
    screenshots : Screenshots or None
        Takes the window at the end of each trial.
    close_when_ended : bool
        Whether to close soon after the session ended.
    memory : QSettings or None
        Where the layout of the panels is kept; None: it is not.
    asks : bool
        Whether closing asks first, while the session is on.
    """

    def __init__(
        self,
        session: Watched,
        screenshots: Screenshots | None = None,
        close_when_ended: bool = False,
        memory: QSettings | None = None,
        asks: bool = True,
    ) -> None:
        super().__init__(session, screenshots, close_when_ended, asks)
        self._memory = memory
        self.session = session
        self._status: Status | None = None
        self._decoded: Decoded | None = None
        self._trial: int | None = None
        self._comparison: Comparison | None = None
        self._uncompared = ""
        self._frame: Frame | None = None  # shown, and not reported as painted yet
        self._protocol = False
        self._build()
        self._bind_keys()
        self._timer.start(TICK_MS)

    def _build(self) -> None:
        self.setWindowTitle("rtrecon")
        self.setMinimumSize(1024, 640)
        self.keys = Keys(self)
        self.header, self.troubles = Header(self.session), Troubles()
        self.stage = Stage()
        self.strip = Strip()
        self.strip.n_candidates = len(self.session.candidates)
        self.candidates = Candidates()
        self.candidates_title = Text("", "small")
        self.traces = Traces(
            self.session.tr_s, self.session.speed, n_candidates=len(self.session.candidates)
        )
        self.latency = Latency(self.session.tr_s / self.session.speed * 1000)
        self.brain, self.score, self.log = BrainView(), ScoreView(), Log()
        self.counts = Counts()
        self.controls = Controls(self.session, self.keys)
        self.controls.start.clicked.connect(self.start)
        self.controls.stop.clicked.connect(self.stop)
        self.panels = self._make_panels()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(18, 12, 18, 12)
        rows.setSpacing(10)
        rows.addWidget(self.header)
        rows.addWidget(self.troubles)
        rows.addWidget(self.panels, stretch=1)
        rows.addLayout(self._footer())
        self.resize(1280, 720)

    def _make_panels(self) -> Panels:
        panels = Panels(self.stage, self._memory)
        traces = self.traces
        contents: dict[str, tuple[str, tuple[QWidget, ...]]] = {
            "evolution": ("Evolution", (self.strip,)),
            "candidates": ("Candidates", (self.candidates_title, self.candidates)),
            "confidence": ("Confidence", (traces.confidence,)),
            "motion": ("Motion", (traces.motion, traces.quality)),
            "timing": ("Timing", (traces.timing, traces.latency)),
            "brain": ("Brain", (self.brain,)),
            "latency": ("Latency", (self.latency,)),
            "log": ("Log", (self.log,)),
            "score": ("Feedback", (self.score,)),
        }
        for n, (name, (title, widgets)) in enumerate(contents.items(), 1):
            keys = f"Ctrl+{n}"
            panels.add(name, title, *widgets, keys=keys)
            self.keys.bind(keys, f"panel: {title}", partial(panels.toggle, name))
        panels.menu.addSeparator()
        panels.menu.addAction("Reset layout\tCtrl+0", self.reset_layout)
        self.header.view.setMenu(panels.menu)
        self.header.help.clicked.connect(self.show_keys)
        panels.arrange(partial(by_default, panels))
        panels.offer("score", there=False)
        return panels

    def reset_layout(self) -> None:
        """Put all panels where they are by default."""
        self.panels.reset()

    def _footer(self) -> QHBoxLayout:
        footer = QHBoxLayout()
        footer.setSpacing(18)
        footer.addWidget(self.counts)
        footer.addStretch(1)
        footer.addWidget(self.controls)
        return footer

    def _bind_keys(self) -> None:
        self.keys.tell("D", "details of a failure")  # bound by its button
        self.keys.tell(WITHDRAW_KEY, "the participant stops: blank, record nothing more")
        self.keys.bind("V", "menu of panels", self.header.view.click)
        self.keys.bind("Ctrl+0", "reset the layout", self.reset_layout)
        self.keys.bind("F11", "full screen", self.toggle_full_screen)
        self.keys.bind("Ctrl+Q", "quit", lambda: self.window().close())
        self.keys.bind("F1 ?", "these keys", self.show_keys)

    def show_keys(self) -> None:
        """List all keys over the window."""
        KeyList(self.keys, self)

    def stop(self) -> None:
        """Ask the session for its end; the window stays."""
        self.header.stopping = True
        super().stop()
        self._show_status(self.session.status)

    def _parts(self) -> Iterator[Callable[[], None]]:
        yield self._report_painted
        yield self._follow_status
        shown = self.session.frames.taken
        yield self._follow_frames
        if self.session.frames.taken != shown:
            yield self._follow_comparison  # of another trial, it goes with that trial's picture
            return  # painted before anything else is worked on
        yield self._follow_decoded
        yield self._follow_comparison
        yield self._follow_presentation
        yield self.traces.tick
        yield self.log.tick
        yield self.panels.tick
        yield self.controls.follow_settings

    def _report_painted(self) -> None:
        painted = self.stage.reconstruction.picture.take_painted()
        if self._frame is not None and painted is not None:
            times = replace(self._frame.times, painted=painted)
            frame, self._frame = replace(self._frame, times=times), None
            self.session.shown(frame)
            self.traces.add_painted(frame)
            self.latency.add_painted(frame)

    def _follow_frames(self) -> None:
        frame = self.session.frames.take() if self.session.frames.peek() else None
        if frame is None:
            return
        trial = frame.decoded.trial
        if self.strip.trial not in (None, trial.number) and self._screenshots:
            self._screenshots.take(self)  # the last trial is complete, and still on screen
        if self.stage.trial is None or self.stage.trial.number != trial.number:
            self.stage.show_stimulus(trial, self.session.stimulus(trial))
        self._frame = frame
        self.stage.show_frame(frame, self.session.candidates)
        self.strip.add(frame)

    def _follow_status(self) -> None:
        status = self.session.status
        if status != self._status:
            self._show_status(status)
        self.header.tick()
        self.troubles.tick()

    def _show_status(self, status: Status) -> None:
        before, self._status = self._status, status
        self.header.show_status(status)
        self.troubles.show_troubles(status.troubles)
        self.counts.show_status(status)
        self.controls.show_status(status, self._asked_to_stop)
        self.setWindowTitle(f"{status.stream} - rtrecon" if status.stream else "rtrecon")
        if status.phase is Phase.WITHDRAWN and (before is None or before.phase is not status.phase):
            self._clear()
        if status.trial and status.trial.number != self._trial:
            self._begin_trial(status.trial)
        if status.arrival and (before is None or status.arrival != before.arrival):
            self.traces.add(status.arrival)

    def _clear(self) -> None:
        """Nothing that was read from the participant's brain stays in sight."""
        self._frame = None
        self.stage.clear()
        self.strip.clear()
        self.log.clear()  # what trials were decoded as; log.txt has it
        for name in ("evolution", "candidates", "confidence", "brain"):
            self.panels.offer(name, there=False)

    def _begin_trial(self, trial: Trial) -> None:
        self._trial = trial.number
        self.traces.add_trial(trial)
        if self.stage.reconstruction.picture.empty:
            self.stage.show_stimulus(trial, self.session.stimulus(trial))
        self.stage.show_now(trial)

    def _follow_decoded(self) -> None:
        self._follow_brain()
        decoded = self.session.decoded
        if decoded is None or decoded is self._decoded:
            return
        self._decoded = decoded
        self.candidates.show_decoded(decoded, self.session.candidates)
        self.candidates_title.say(wording.about(decoded))
        self.traces.add_decoded(decoded)
        if decoded.pattern is not None:
            self.brain.show_pattern(decoded.pattern)

    def _follow_brain(self) -> None:
        brain = self.session.brain
        if brain is not None and brain is not self.brain.brain:
            self.brain.show_brain(brain)

    def _follow_comparison(self) -> None:
        """What is there is shown, though there may be no time for another; else why it is not."""
        comparison, uncompared = self.session.comparison, self.session.uncompared
        new = None if comparison is self._comparison else comparison
        if new is not None and self.stage.show_comparison(new):
            self._comparison = new
        if uncompared != self._uncompared:
            self._uncompared = uncompared
            self.stage.say_uncompared(uncompared)

    def _follow_presentation(self) -> None:
        presentation = self.session.presentation
        there = presentation.block is not None and presentation.phase is not Phase.WITHDRAWN
        if there != self._protocol:
            self._protocol = there
            self.panels.offer("score", there)
        if there:
            self.score.show_presentation(presentation)

    def _last_look(self) -> None:
        self._report_painted()

    def _restyle(self, letter: int) -> None:
        super()._restyle(letter)
        self.traces.set_letter(letter)
        self.score.plot.set_letter(letter)
