"""`rtrecon run` with somebody at its keys who does all that happens in a day; says what it held.

    python -m tests.soak.program FOLDER STREAM DAY...

One JSON object a line on standard output.
"""

import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pylsl
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from rtrecon.__main__ import main
from rtrecon.display.visit import VisitWindow
from rtrecon.display.visit.set_up import SetUp
from rtrecon.display.window import OperatorWindow
from tests.soak import sample
from tests.soak.day import PEOPLE, Act, Day, Run, read

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LOOK_MS = 20
LONGEST_S = 120.0
SETTLED_S = 0.5  # threads and handles have to stay for so long

Condition = Callable[[], object]
Script = Iterator[Condition]


class Operator:
    """Walks through the day: a script whose conditions a timer of the program's own loop looks at."""

    def __init__(self, day: Day, folder: Path) -> None:
        self._day, self._folder = day, folder
        self._me = psutil.Process()
        self._script: Script | None = None
        self._waiting: Condition = lambda: True
        self._deadline = 0.0
        self.failure: BaseException | None = None
        self._timer = QTimer()
        self._timer.timeout.connect(self._act)
        self._timer.start(LOOK_MS)

    def _act(self) -> None:
        windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, VisitWindow)]
        if not windows or self.failure is not None:
            return
        try:
            if self._script is None:
                self._script = self._walk(windows[0])
            elif not self._waiting():
                assert time.monotonic() < self._deadline, f"waits too long for {self._waiting}"
                return
            self._waiting = next(self._script)
            self._deadline = time.monotonic() + LONGEST_S
        except StopIteration:
            self._timer.stop()
        except BaseException as error:
            self.failure = error
            for _ in range(2):  # the second time it leaves at once
                windows[0].close()

    def _walk(self, window: VisitWindow) -> Script:
        for run in self._day.runs:
            if run.first:
                yield from self._set_up(window, run)
            else:
                _click(window.run_ended.next_run)
            yield from self._run(window, run)
            if run.last:
                _click(window.run_ended.change)
                yield from self._between(window, run)
        QTest.keyClick(window, Qt.Key.Key_Q, CONTROL)

    def _set_up(self, window: VisitWindow, run: Run) -> Script:
        yield lambda: window.set_up is not None
        page, person = window.set_up, PEOPLE[run.hour % len(PEOPLE)]
        assert page is not None
        _type(page.decoder, self._folder / person)
        _type(page.output, self._folder / "out" / person)
        yield lambda: _looked_at(page)
        page.accept.setChecked(True)  # what is amber, on a busy machine
        yield page.start.isEnabled
        QTest.keyClick(window, Qt.Key.Key_Return, CONTROL)

    def _between(self, window: VisitWindow, run: Run) -> Script:
        """The same point of every hour: the page is open, and has looked at the stream."""
        page = window.set_up
        assert page is not None
        yield lambda: _looked_at(page)
        yield from self._settled()
        self._sample("set-up", run)

    def _run(self, window: VisitWindow, run: Run) -> Script:
        window.tick_gaps_ms.clear()
        yield lambda: window.live is not None
        opening = max(window.tick_gaps_ms, default=0.0)
        say("live", run)
        gaps = yield from self._live(window.live, run)  # nothing here may keep its window
        yield lambda: window.pages.currentWidget() is window.run_ended
        ended = window.ended
        assert ended is not None
        assert not ended.failed, f"run {run.number} failed: see the log"
        say("ended", run, folder=str(ended.folder), gaps=gaps, opening=opening)
        yield from self._settled()
        self._sample("ended", run)

    def _live(self, live: OperatorWindow, run: Run) -> Generator[Condition, None, list[float]]:
        """Returns the times between its looks."""
        yield lambda: _received(live) > run.volumes // 5
        live.tick_gaps_ms.clear()
        if run.act is Act.PAUSED:
            yield from self._pause(live)
        elif run.act is Act.VIEWED:
            yield from self._settings(live)
        elif run.act is Act.STOPPED:
            yield lambda: _received(live) > run.volumes * 4 // 5
            QTest.keyClick(live, Qt.Key.Key_Period, CONTROL)
        yield lambda: live.session.ended
        return list(live.tick_gaps_ms)

    def _pause(self, live: OperatorWindow) -> Script:
        QTest.keyClick(live, Qt.Key.Key_P, CONTROL)
        received = _received(live)
        yield lambda: _received(live) > received + 10
        QTest.keyClick(live, Qt.Key.Key_P, CONTROL)

    def _settings(self, live: OperatorWindow) -> Script:
        """Each for some volumes; a panel is closed and opened; then all as before."""
        for key in (Qt.Key.Key_3, Qt.Key.Key_BracketLeft, Qt.Key.Key_P, Qt.Key.Key_N):
            received = _received(live)
            QTest.keyClick(live, key)
            yield lambda received=received: _received(live) > received + 5
        for key, modifier in ((Qt.Key.Key_6, CONTROL),) * 2 + ((Qt.Key.Key_N, SHIFT),):
            QTest.keyClick(live, key, modifier)
        QTest.keyClick(live, Qt.Key.Key_P)

    def _settled(self) -> Script:
        """What ends by itself has ended."""
        before: list[Any] = [None, 0.0]

        def same() -> bool:
            now, at = (self._me.num_threads(), self._me.num_fds()), time.monotonic()
            if now != before[0]:
                before[:] = now, at
            return at - before[1] > SETTLED_S

        yield same

    def _sample(self, where: str, run: Run) -> None:
        taken = sample.take(self._me, pylsl.local_clock())
        kinds = Counter(type(thing).__name__ for thing in gc.get_objects())
        say("sample", run, where=where, sample=vars(taken), objects=kinds.total(),
            kinds=kinds.most_common(300))  # fmt: skip


def say(event: str, run: Run, **more: object) -> None:
    told = {"event": event, "at": pylsl.local_clock(), "run": run.number, **more}
    print(json.dumps(told), flush=True)


def _looked_at(page: SetUp) -> bool:
    return page.verdict.text().startswith("Ready")


def _received(live: OperatorWindow) -> int:
    return live.session.status.volumes.received


def _click(button: QPushButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def _type(widget: QWidget, text: object) -> None:
    """As a hand would: what was there is replaced, Return settles it."""
    widget.setFocus()
    line = QApplication.focusWidget()
    assert line is not None
    QTest.keyClick(line, Qt.Key.Key_A, CONTROL)
    QTest.keyClicks(line, str(text))
    QTest.keyClick(line, Qt.Key.Key_Return)


def walk(folder: Path, stream: str, day: Day) -> int:
    """The whole day; returns the program's exit code."""
    application = QApplication([])
    operator = Operator(day, folder)
    options = ("--stream", stream, "--config", folder / "soak.toml", "--participant", "2")
    code = main(["run", *map(str, options)])
    if operator.failure is not None:
        raise operator.failure
    del application
    return code


if __name__ == "__main__":
    sys.exit(walk(Path(sys.argv[1]), sys.argv[2], read(sys.argv[3:])))
