"""Screens beside the operator's window: opened, closed and opened again; the right monitor."""

from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pylsl
import pytest
from PIL import Image
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon.__main__ import main
from rtrecon.display import OperatorWindow
from rtrecon.display.screens import (
    Beside,
    Canvas,
    Participant,
    Screens,
    Spectators,
    participant_screen,
    read_screens,
    run_screen,
)  # fmt: skip
from rtrecon.display.screens.patch import Corner
from rtrecon.errors import BadConfig
from rtrecon.record import Recorder
from rtrecon.types import Block, Geometry, Painted, Phase, Presentation, Trial
from tests.display.screens.conftest import HandPresented
from tests.live import Live, rows
from tests.toy import send, toy_run
from tests.windows import run_operator

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

NewTrial = Callable[..., Trial]
ROOT = Path(__file__).parents[3]


class Both:
    """A session that is watched and presented."""

    def __init__(self, session: HandFed) -> None:
        self.painted: list[Painted] = []
        session.presented = self.painted.append  # type: ignore[attr-defined]
        session.presentation = Presentation(Phase.RUNNING)  # type: ignore[attr-defined]


def screens_open() -> list[Canvas]:
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, Canvas) and w.isVisible()]


def test_a_session_with_its_screens(session: HandFed, new_trial: NewTrial, qtbot: QtBot) -> None:
    """They open with the window, tell what they painted, and close with it."""
    both = Both(session)
    seen: list[int] = []

    def draw() -> None:
        frame = session.draw(session.decode(new_trial(), 3))
        session.presentation = replace(session.presentation, frame=frame)  # type: ignore[attr-defined]

    def look() -> None:
        seen.append(len(screens_open()))
        if any(painted.frame == 1 for painted in both.painted):
            session.end()

    drawer, looker = QTimer(), QTimer()
    drawer.singleShot(100, draw)
    looker.timeout.connect(look)
    looker.start(50)
    wanted = Screens(Participant(screen="1"), Spectators(screen="1"))
    run_operator(session, close_when_ended=True, screens=wanted)
    looker.stop()
    assert max(seen) == 2
    assert screens_open() == []
    assert both.painted[0].event == "begins"


def test_closed_and_opened_again_by_keys(
    window: OperatorWindow, session: HandFed, qtbot: QtBot
) -> None:
    Both(session)
    beside = Beside(window, session, Screens(Participant(screen="1")))
    refs = []
    for _ in range(3):
        (canvas,) = beside.open.values()
        assert canvas.windowFlags() & Qt.WindowType.WindowDoesNotAcceptFocus
        assert canvas.testAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        refs.append(weakref.ref(canvas))
        del canvas
        qtbot.waitUntil(window.isActiveWindow)
        qtbot.keyClick(
            window, Qt.Key.Key_P,
            Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
        )  # fmt: skip
        assert not beside.open
        qtbot.keyClick(
            window, Qt.Key.Key_P,
            Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
        )  # fmt: skip
        assert len(beside.open) == 1
    beside.close()
    qtbot.waitUntil(lambda: gc.collect() >= 0 and [ref() for ref in refs] == [None] * 3)
    assert session.stopped == 0


def test_a_monitor_that_is_taken_away(
    window: OperatorWindow, session: HandFed, qapp: QApplication, caplog: pytest.LogCaptureFixture
) -> None:
    """Its screen closes, and does not cover the operator's monitor; the session goes on."""
    Both(session)
    beside = Beside(window, session, Screens(Participant(screen="1"), Spectators(screen="9")))
    assert list(beside.open) == ["participant's screen"]
    assert "spectators' screen: no monitor '9'" in caplog.text
    qapp.screenRemoved.emit(window.screen())
    assert not beside.open
    assert "a monitor was taken away" in caplog.text
    assert window.isVisible()
    assert session.stopped == 0


@pytest.mark.parametrize("key", ["F8", "1"])
def test_the_participants_own_key_stops_once_whatever_window_hears_it(
    window: OperatorWindow, session: HandFed, qtbot: QtBot, key: str
) -> None:
    """F8 is the window's, another comes on top: a button box types into whatever has the focus."""
    Both(session)
    beside = Beside(window, session, Screens(Participant(screen="1", stop=key)))
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_F8 if key == "F8" else Qt.Key.Key_1)
    assert session.status.phase is Phase.WITHDRAWN
    assert not session.swapped  # a digit is one of the window's own keys
    beside.close()


def test_a_key_that_is_none_is_refused() -> None:
    for key in ("", "Wobble", "A, B"):
        with pytest.raises(BadConfig, match="stop = .*must be a key"):
            Participant(stop=key)


def test_alone(presented: HandPresented, qtbot: QtBot) -> None:
    canvas = participant_screen(presented, Participant())
    QTimer.singleShot(
        100,
        lambda: qtbot.keyClick(
            canvas, Qt.Key.Key_P,
            Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
        ),
    )  # fmt: skip
    run_screen(canvas, "1", "Ctrl+Shift+P", "participant's screen")
    assert screens_open() == []


def test_monitors(tmp_path: Path) -> None:
    """On a machine with two of them, the second of which has twice the pixels."""
    common = {"y": 0, "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    monitors = [
        {"name": "A", "x": 0, "width": 1280, "height": 720, **common},
        {"name": "B", "x": 1280, "width": 800, "height": 600, **common},
    ]
    (tmp_path / "monitors.json").write_text(json.dumps({"screens": monitors}))
    qt = {
        "QT_QPA_PLATFORM": f"offscreen:configfile={tmp_path / 'monitors.json'}",
        "QT_SCALE_FACTOR": "2",
        "PYTHONPATH": str(ROOT),
    }
    program = [sys.executable, str(Path(__file__).parent / "two_monitors.py"), str(tmp_path)]
    done = subprocess.run(program, env=os.environ | qt, capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)
    assert told["missing"] == (
        "participant's screen: no monitor 'HDMI-7': name one of 1: A (640 x 360); "
        "2: B (400 x 300), or connect it and start again"
    )
    assert told["screen"] == "B"
    assert told["picture"] == [600, 800]
    assert told["active"] == [False, True]
    assert done.stderr == ""
    picture = np.asarray(Image.open(tmp_path / "grab.png").convert("RGB"))
    cross = np.argwhere((picture != picture[0, 0]).any(-1))
    assert picture.shape == (600, 800, 3)
    assert cross.mean(0).tolist() == [299.5, 399.5]
    assert 16 <= np.ptp(cross, axis=0)[0] <= 24  # of 600 pixels, and as sharp as these


def test_one_monitor_only() -> None:
    with pytest.raises(BadConfig, match="participant's screen: there is one monitor only: name"):
        read_screens({"participant": {}})


@pytest.fixture
def own_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program sets up for its log ends with the test."""
    monkeypatch.setattr(logging.getLogger("rtrecon"), "handlers", [])


@pytest.mark.usefixtures("own_terminal")
def test_mistakes_are_told_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = tmp_path / "session.toml"
    toml.write_text('decoder = "nowhere"\n[participant]\nscreen = 1\nfade = 3\n')
    assert main(["run", "--config", str(toml)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"rtrecon: {toml} [participant]: unknown key 'fade'")
    assert error.count("\n") == 1
    for key, value in {"background": '"mauve-ish"', "picture": "3.0", "fade_s": "0.5"}.items():
        toml.write_text(f'decoder = "nowhere"\n[participant]\nscreen = 1\n{key} = {value}\n')
        assert main(["run", "--config", str(toml)]) == 1
        error = capsys.readouterr().err
        assert f"{key} = " in error
        assert error.count("\n") == 1
    assert main(["run", "--decoder", "nowhere", "--spectators", "9"]) == 1
    assert "spectators' screen: no monitor '9'" in capsys.readouterr().err


def test_what_was_painted_is_recorded(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "s", Geometry((2, 2, 2), np.eye(4), 2.0), {})
    recorder.painted(Painted(12.5, "begins", ("reconstruction", "score"), 3, 4, Block.SHAM, True))
    recorder.painted(Painted(14.0, "whole", ("fixation",)))
    recorder.close()
    assert (tmp_path / "s" / "participant.tsv").read_text().splitlines() == [
        "painted\tevent\tshows\tframe\tscore\tblock\tpatch",
        "12.500000\tbegins\treconstruction+score\t3\t4\tsham\t1",
        "14.000000\twhole\tfixation\tn/a\tn/a\tn/a\tn/a",
    ]


def test_tables() -> None:
    table = {"screen": 1, "photodiode": "top left", "mirrored": True, "hold_s": 5}
    own = read_screens({"participant": table}).participant
    assert own == Participant("1", mirrored=True, photodiode=Corner.TOP_LEFT, hold_s=5.0)
    assert read_screens({}) == Screens()


def test_a_real_session_records_what_the_participant_saw(
    going_live: Callable[..., Live], qtbot: QtBot
) -> None:
    """A scanner over LSL, a model that draws, the window and the screen, and the table after."""
    live = going_live()
    seen = threading.Event()
    told = live.pipeline.presented

    def presented(painted: Painted) -> None:
        told(painted)
        if painted.frame > 0:
            seen.set()

    live.pipeline.presented = presented  # type: ignore[method-assign]

    def scan() -> None:
        *run, end = toy_run(live.outlet.geometry, 8)
        assert live.outlet.wait_for_receiver(10.0)
        send(live.outlet, iter(run), pylsl.local_clock())
        seen.wait(timeout=20)
        send(live.outlet, iter([end]), pylsl.local_clock())

    scanner = threading.Thread(target=scan)
    QTimer.singleShot(0, scanner.start)
    wanted = Screens(Participant(screen="1", photodiode=Corner.TOP_LEFT))
    run_operator(live.pipeline, close_when_ended=True, screens=wanted)
    scanner.join(timeout=10)
    live.pipeline.finish()
    live.finished = True
    painted = rows(live.folder / "participant.tsv")
    frames = {row["frame"]: row for row in rows(live.folder / "frames.tsv")}
    pictures = [row for row in painted if row["frame"] != "n/a"]
    assert pictures
    assert pictures[0]["event"] == "begins"
    assert {row["shows"] for row in pictures} == {"reconstruction"}
    for row in pictures:
        if row["frame"] in frames:
            assert float(row["painted"]) >= float(frames[row["frame"]]["drawn"])
    times = [float(row["painted"]) for row in painted]
    assert times == sorted(times)
