"""Keys, buttons and settings of the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon.config import Settings
from rtrecon.display import OperatorWindow
from rtrecon.display.controls import Controls, Stepper
from rtrecon.types import Trial

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

pytestmark = [pytest.mark.timeout(60)]

NewTrial = Callable[..., Trial]


def test_start_by_key_only_once(session: HandFed, window: OperatorWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_S)
    qtbot.keyClick(window, Qt.Key.Key_S)
    assert session.started == 1


@pytest.mark.parametrize(
    "key", [Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Period, Qt.Key.Key_S]
)
def test_no_single_key_stops(
    session: HandFed, window: OperatorWindow, qtbot: QtBot, key: Qt.Key
) -> None:
    window.start()
    window.tick()
    qtbot.mouseClick(window.controls.preview, Qt.MouseButton.LeftButton)
    for _ in range(3):
        qtbot.keyClick(window, key)
        qtbot.keyClick(QApplication.focusWidget() or window, key)
    assert session.stopped == 0
    assert window.controls.stop.focusPolicy() is Qt.FocusPolicy.NoFocus


def test_stop_by_keyboard_and_once(session: HandFed, window: OperatorWindow, qtbot: QtBot) -> None:
    window.start()
    window.tick()
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(window, Qt.Key.Key_Period, control)
    qtbot.keyClick(window, Qt.Key.Key_Period, control)
    assert session.stopped == 1
    assert window.header.pill.text() == "Stopping"
    assert window.isVisible()
    session.end()
    window.tick()
    assert window.header.pill.text() == "Ended"


def test_tool_tips_name_the_keys(window: OperatorWindow) -> None:
    controls = window.controls
    tips = [w.toolTip() for w in (controls.start, controls.stop, controls.preview, controls.more)]
    for tip, keys in zip(tips, ("(S)", "(Ctrl+.)", "(P)", "(keys 1 to 4)"), strict=True):
        assert keys in tip


def test_settings_are_swapped_whole(session: HandFed, window: OperatorWindow, qtbot: QtBot) -> None:
    first = session.settings
    qtbot.keyClick(window, Qt.Key.Key_2)
    qtbot.keyClick(window, Qt.Key.Key_P)
    qtbot.keyClick(window, Qt.Key.Key_BracketRight)
    assert first == Settings()
    assert session.swapped == [
        Settings(steps=2),
        Settings(steps=2, preview=False),
        Settings(steps=2, preview=False, strength=0.8),
    ]
    assert window.controls.steps_text.text() == "2"
    assert window.controls.strength_text.text() == "0.80"


def test_what_a_generator_does_not_take_is_not_offered(session: HandFed, qtbot: QtBot) -> None:
    session.takes = frozenset({"seed"})
    controls = Controls(session)
    qtbot.addWidget(controls)
    controls.show()
    for widget in (controls.fewer, controls.steps_text, controls.strength, controls.preview):
        assert not widget.isVisible()
    controls.set_steps(2)
    controls.preview.toggle()
    assert session.swapped == []


def test_settings_set_elsewhere_are_shown_and_not_swapped_again(
    session: HandFed, window: OperatorWindow
) -> None:
    session.settings = Settings(steps=7, strength=0.333, preview=False)
    window.tick()
    assert len(session.swapped) == 1
    assert window.controls.steps_text.text() == "7"
    assert window.controls.strength_text.text() == "0.33"
    assert not window.controls.preview.isChecked()


@pytest.mark.parametrize("steps", [1, 50])
def test_steps_stay_within_what_settings_allow(
    session: HandFed, window: OperatorWindow, qtbot: QtBot, steps: int
) -> None:
    session.settings = Settings(steps=steps)
    button = window.controls.fewer if steps == 1 else window.controls.more
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert session.settings.steps == steps


@pytest.mark.parametrize(
    ("key", "shift", "before", "after"),
    [
        (Qt.Key.Key_G, False, Settings(), Settings(guidance=1.5)),
        (Qt.Key.Key_G, True, Settings(guidance=2.0), Settings(guidance=1.5)),
        (Qt.Key.Key_G, True, Settings(), Settings()),
        (Qt.Key.Key_G, False, Settings(guidance=30.0), Settings(guidance=30.0)),
        (Qt.Key.Key_N, False, Settings(), Settings(samples=2)),
        (Qt.Key.Key_N, True, Settings(samples=2), Settings()),
        (Qt.Key.Key_N, False, Settings(samples=16), Settings(samples=16)),
        (Qt.Key.Key_Plus, False, Settings(), Settings(steps=5)),
        (Qt.Key.Key_Minus, False, Settings(), Settings(steps=3)),
        (Qt.Key.Key_BracketLeft, False, Settings(), Settings(strength=0.7)),
    ],
)
def test_every_setting_has_keys(
    session: HandFed, qtbot: QtBot, key: Qt.Key, shift: bool, before: Settings, after: Settings
) -> None:
    session.takes = frozenset({"steps", "strength", "guidance", "samples", "preview"})
    session.settings = before
    controls = Controls(session)
    qtbot.addWidget(controls)
    with qtbot.waitExposed(controls):
        controls.show()
    with_shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(controls, key, with_shift if shift else Qt.KeyboardModifier.NoModifier)
    assert session.settings == after
    assert type(session.settings.guidance) is float
    assert controls.guidance_text.text() == f"{after.guidance:g}"
    assert controls.samples_text.text() == str(after.samples)


def test_what_is_offered_can_be_clicked(session: HandFed, qtbot: QtBot) -> None:
    session.takes = frozenset({"steps", "strength", "guidance", "samples", "preview"})
    controls = Controls(session)
    qtbot.addWidget(controls)
    with qtbot.waitExposed(controls):
        controls.show()
    for text in (controls.steps_text, controls.guidance_text, controls.samples_text):
        stepper = text.parentWidget()
        assert isinstance(stepper, Stepper)
        assert stepper.isVisible()
        qtbot.mouseClick(stepper.more, Qt.MouseButton.LeftButton)
    assert session.settings == Settings(steps=5, guidance=1.5, samples=2)


def test_full_screen_and_back(window: OperatorWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert window.isFullScreen()
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert not window.isFullScreen()


def test_pause_and_resume_by_key_and_button(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    control, pause = Qt.KeyboardModifier.ControlModifier, window.controls.pause
    assert not pause.isVisible()
    window.start()
    window.tick()
    qtbot.keyClick(window, Qt.Key.Key_P, control)
    window.tick()
    assert session.status.paused
    assert pause.text() == "Resume"
    assert window.header.pill.text().startswith("Paused")
    qtbot.mouseClick(pause, Qt.MouseButton.LeftButton)
    window.tick()
    assert not session.status.paused
    assert pause.text() == "Pause"
    session.end()
    window.tick()
    assert not pause.isEnabled()


def test_a_next_run_is_offered_only_where_there_can_be_one(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    window.start()
    window.tick()
    assert not window.controls.next_run.isVisible()
    asked: list[bool] = []
    window.controls.offer_next(lambda: asked.append(True))
    qtbot.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert asked == [True]


def test_what_cannot_be_paused_from_here_offers_no_pause(
    session: HandFed, window: OperatorWindow
) -> None:
    session.pausable = False
    window.start()
    window.tick()
    assert not window.controls.pause.isVisible()
