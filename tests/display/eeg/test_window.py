"""The EEG window, on a session fed by hand and on a real one with simulated people."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from math import isnan, nan
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from pylsl import local_clock
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon.display.eeg import EegWindow, run_eeg_window
from rtrecon.display.eeg.signs import Light
from rtrecon.display.eeg.trace import borders_between
from rtrecon.display.screens import Participant, Screens, Spectators
from rtrecon.display.screenshots import Screenshots
from rtrecon.eeg.opening import open_eeg_session
from rtrecon.eeg.plan import read_plan
from rtrecon.eeg.seat import Quality
from rtrecon.protocol.blocks import BlockPlan, Blocks, Moment
from rtrecon.protocol.threshold import Crossing
from rtrecon.scores import scores_of
from rtrecon.types import Block, Painted, Person, Phase, Presentation, Score, Status, Trouble
from simulator.eeg import Plan, send
from tests.live import rows

pytestmark = [pytest.mark.timeout(60)]

BLOCKS = Blocks(
    [BlockPlan(Block.REST, 20, "Sit <b>still</b>"), BlockPlan(Block.REGULATE, 100, "Concentrate")]
)


class HandFedEeg:
    """An EEG session whose every value a test sets itself."""

    def __init__(self, names: tuple[str, ...] = ("Ada", "Ben", "Cleo", "Dan")) -> None:
        colours = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7") * 4
        self.people = tuple(Person(n, c) for n, c in zip(names, colours, strict=False))
        self.threshold: Crossing | None = Crossing(0.6, 1.0)
        self.blocks = BLOCKS
        self.recent: deque[Score] = deque()
        self.measure_text = "attention: beta / (alpha + theta)  ·  Cz, Pz"
        self.status = Status(stream="eeg")
        self.elapsed = nan
        self.fires = dict.fromkeys(names, 0)
        good = Quality(("Cz", "Pz", "C3", "C4"), (9.0, 11.0, 8.0, 14.0), ("",) * 4)
        self.qualities: tuple[Quality, ...] = (good,) * len(names)
        self.ended = False
        self.stopped = 0
        self.painted: list[Painted] = []

    @property
    def moment(self) -> Moment:
        return self.blocks.at(self.elapsed)

    @property
    def presentation(self) -> Presentation:
        return Presentation(self.status.phase, people=self.people, fires=self.fires)

    def start(self) -> None:
        self.status = replace(self.status, phase=Phase.RUNNING)
        self.elapsed = 0.0

    def pause(self, on: bool) -> None:
        self.status = replace(self.status, paused=on)

    def stop(self) -> None:
        self.stopped += 1

    def withdraw(self) -> None:
        self.status = replace(self.status, phase=Phase.WITHDRAWN)

    def end(self) -> None:
        self.status = replace(self.status, phase=Phase.ENDED)
        self.ended = True

    def presented(self, painted: Painted) -> None:
        self.painted.append(painted)

    def score(self, name: str, value: float, elapsed: float, fault: str = "") -> None:
        self.elapsed = max(self.elapsed, elapsed)
        told = value if elapsed >= 20 else nan
        score = Score(
            1, 0.0, 0.0, name, "attention", value, value, told, fault=fault, elapsed=elapsed
        )
        self.recent.append(score)

    def spoil(self, place: int, **changes: object) -> None:
        qualities = list(self.qualities)
        qualities[place] = replace(qualities[place], **changes)  # type: ignore[arg-type]
        self.qualities = tuple(qualities)


def lively(session: HandFedEeg) -> None:
    """45 s of four people: one concentrates and fires, one blinks, one lost the electrodes."""
    rng = np.random.default_rng(0)
    for n, person in enumerate(session.people):
        for t in np.arange(3, 45, 0.05):
            level = 0.15 if t < 24 + 5 * n else 0.8
            value = float(np.clip(level + 0.12 * np.sin(t * 1.7 + n) + rng.normal(0, 0.02), 0, 1))
            blink = n == 1 and (12 < t < 13 or t > 44)
            gone = n == 3 and t > 38
            if not gone:
                fault = "artefact: Cz too large" if blink else ""
                session.score(person.name, nan if blink else value, float(t), fault)
        if n == 0:
            session.fires["Ada"] = 1
    session.spoil(1, faults=("too large", "", "", ""), artefact_share=0.06)
    session.spoil(3, silent=True, gaps=1)
    unheard = Trouble("receive", "no signal from Dan: it is waited for", local_clock() - 7)
    session.status = replace(session.status, troubles=(unheard,))


@pytest.fixture
def session() -> HandFedEeg:
    return HandFedEeg()


@pytest.fixture
def window(session: HandFedEeg, qtbot: QtBot) -> Iterator[EegWindow]:
    window = EegWindow(session)
    with qtbot.waitExposed(window):
        window.show()
    yield window
    session.ended = True
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)


def test_each_person_has_light_words_value_and_firings(
    session: HandFedEeg, window: EegWindow
) -> None:
    window.start()
    lively(session)
    window.tick()
    lights = [row.light.light for row in window.rows]
    assert lights == [Light.GOOD, Light.ARTEFACT, Light.GOOD, Light.SILENT]
    words = [row.word.text() for row in window.rows]
    assert words == ["good", "artefact: Cz too large", "good", "no signal"]
    assert [row.fires.text() for row in window.rows] == ["▲ fired once"] + ["△ has not fired"] * 3
    assert window.rows[0].value.text() != "-"
    assert window.rows[1].value.text() == "-"
    assert "gap" in window.rows[3].numbers.text()
    assert "artefacts 6 %" in window.rows[1].numbers.text()
    assert window.rows[1].channels.accessibleDescription() == "Cz: too large"
    first = window.troubles.lines[0]
    assert (first.what.text(), first.age.text()) == ("no signal from Dan: it is waited for", "7 s")
    points = window.rows[1].trace.points
    assert any(isnan(value) for _, value in points)
    assert len(window.rows[0].trace.firings) == 1


def test_the_block_its_instruction_and_the_time_left_are_said_in_plain_text(
    session: HandFedEeg, window: EegWindow
) -> None:
    window.tick()
    assert window.block.text() == "Before the first block"
    window.start()
    session.elapsed = 5.2
    window.tick()
    assert window.block.text() == "Rest · block 1 of 2"
    assert window.instruction.text() == "Sit <b>still</b>"
    assert window.instruction.textFormat() is Qt.TextFormat.PlainText
    assert window.left.text() == "0:15 left"
    assert window.progress.value() == 260
    assert window.total.text() == "0:05 of 2:00"
    session.elapsed = 119.0
    window.tick()
    assert window.block.text() == "Regulate · block 2 of 2"
    session.elapsed = 121.0
    window.tick()
    assert window.block.text() == "All blocks are over"


def test_borders_are_where_blocks_end() -> None:
    assert borders_between(BLOCKS, 0, 60) == [20]
    assert borders_between(BLOCKS, 20, 130) == [120]
    assert borders_between(Blocks([]), 0, 60) == []


def test_pause_and_stop_by_key_and_button(
    session: HandFedEeg, window: EegWindow, qtbot: QtBot
) -> None:
    window.start()
    window.tick()
    qtbot.keyClick(window, Qt.Key.Key_P)
    window.tick()
    assert session.status.paused
    assert (window.pill.text(), window.pausing.text()) == ("Paused", "Go on")
    qtbot.mouseClick(window.pausing, Qt.MouseButton.LeftButton)
    window.tick()
    assert not session.status.paused
    assert window.pill.text() == "Running"
    qtbot.keyClick(window, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    window.tick()
    assert session.stopped == 1
    assert window.pill.text() == "Stopping"
    session.end()
    window.tick()
    assert window.pill.text() == "Ended"
    assert not window.pausing.isEnabled()


def test_one_key_takes_everything_away_when_a_participant_stops(
    session: HandFedEeg, window: EegWindow, qtbot: QtBot
) -> None:
    window.start()
    lively(session)
    window.tick()
    assert window.rows[0].isVisible()
    qtbot.keyClick(window, Qt.Key.Key_F8)
    window.tick()
    assert window.pill.text() == "Stopped by the participant"
    assert not any(part.isVisible() for part in (*window.rows, window.block, window.left))
    assert window.stopped.isVisible()
    session.score("Ada", 0.5, 50.0)
    window.tick()
    assert list(session.recent)  # not looked at any more


def test_closing_waits_for_the_end(session: HandFedEeg, window: EegWindow, qtbot: QtBot) -> None:
    window.start()
    assert not window.close()
    assert session.stopped == 0
    assert window.question is not None
    qtbot.mouseClick(window.question.yes, Qt.MouseButton.LeftButton)
    assert session.stopped == 1
    with qtbot.waitSignal(window.closed):
        session.end()
    assert not any(timer.isActive() for timer in window.findChildren(QTimer))


def test_sixteen_people_can_be_scrolled_to(qtbot: QtBot) -> None:
    session = HandFedEeg(tuple(f"P{n}" for n in range(16)))
    window = EegWindow(session)
    window.show()
    window.start()
    lively(session)
    window.tick()
    assert all(row.height() >= 8 * window._letter for row in window.rows)
    assert (window.width(), window.height()) == (1280, 720)
    session.end()
    window.close()
    window.deleteLater()


def bright(image: QImage) -> float:
    """Share of pixels that are no background."""
    small = image.scaled(160, 90)
    lit = [QColor(small.pixel(x, y)).lightness() > 60 for x in range(160) for y in range(90)]
    return sum(lit) / len(lit)


TOML = """
stream = "STREAM"
[eeg]
channels = ["O1", "O2"]
[protocol]
[protocol.baseline]
kind = "rest"
[protocol.scale]
high = 4
[protocol.threshold]
level = 0.5
refractory_s = 3600
[participant]
[spectators]
[[block]]
kind = "rest"
duration_s = 10
[[block]]
kind = "regulate"
duration_s = 25
instruction = "Let it grow"
[[person]]
name = "Ada"
stream = "STREAM-1"
[[person]]
name = "Ben"
stream = "STREAM-2"
"""


def test_a_real_session_in_a_window_with_its_screens_and_a_pause(
    tmp_path: Path, qtbot: QtBot
) -> None:
    stream = f"eeg-{uuid4().hex[:8]}"
    (tmp_path / "session.toml").write_text(TOML.replace("STREAM", stream))
    plan = Plan(people=2, first_s=14, length_s=6, every_s=10, blinks=0, muscle=0)
    sender = threading.Thread(target=send, args=(plan, stream, 10.0, 30.0))
    sender.start()
    opened = read_plan(tmp_path / "session.toml", {"wait_s": 20.0})
    seen: list[float] = []
    paused_at: list[float] = []

    def watch() -> None:
        windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, EegWindow)]
        if not windows or session.ended:
            return
        elapsed = session.elapsed
        others = [w for w in QApplication.topLevelWidgets() if w.isVisible() and w not in windows]
        seen.append(len(others))
        if elapsed > 12 and not paused_at:
            paused_at.append(elapsed)
            qtbot.keyClick(windows[0], Qt.Key.Key_P)
            QTimer.singleShot(400, windows[0], windows[0].toggle_pause)

    watching = QTimer()
    watching.timeout.connect(watch)
    watching.start(30)
    with open_eeg_session(opened, tmp_path / "session", threading.Event()) as session:
        run_eeg_window(
            session,
            screenshots=tmp_path / "shots",
            close_when_ended=True,
            screens=Screens(Participant(screen="1"), Spectators(screen="1")),
        )
    watching.stop()
    sender.join(timeout=40)
    assert max(seen) == 2  # the participant's and the spectators' screens
    summary = json.loads((tmp_path / "session" / "summary.json").read_text())
    assert {name: len(p["firings"]) for name, p in summary["people"].items()} == {
        "Ada": 1,
        "Ben": 1,
    }
    lines = (tmp_path / "session" / "status.jsonl").read_text().splitlines()
    said = [json.loads(line) for line in lines]
    begins = next(line for line in said if line["paused"])
    ends = next(line for line in said[said.index(begins) :] if not line["paused"])
    assert ends["time"] - begins["time"] > 0.3
    assert ends["elapsed"] == pytest.approx(begins["elapsed"], abs=0.2)  # it stood still
    scores = scores_of(rows(tmp_path / "session" / "scores.tsv"))
    during = [s for s in scores if begins["time"] + 0.05 < s.time < ends["time"] - 0.05]
    assert len(during) > 20
    assert all(isnan(s.told) for s in during)
    assert not all(isnan(s.told) for s in scores if s.time > ends["time"])
    assert (tmp_path / "session" / "participant.tsv").read_text().count("\n") > 2
    shots = sorted(path.name for path in (tmp_path / "shots").iterdir())
    assert shots[:2] == ["window-01.png", "window-02.png"]
    assert bright(QImage(str(tmp_path / "shots" / "window-02.png"))) > 0.05


def test_a_screenshot_is_taken_when_a_block_is_over(
    session: HandFedEeg, qtbot: QtBot, tmp_path: Path
) -> None:
    window = EegWindow(session, Screenshots(tmp_path))
    window.show()
    window.start()
    for elapsed in (1.0, 19.0, 21.0, 22.0):
        session.elapsed = elapsed
        window.tick()
    assert [path.name for path in tmp_path.iterdir()] == ["window-01.png"]
    session.end()
    window.close()
    window.deleteLater()
