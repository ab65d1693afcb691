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
from rtrecon.display.controls import Controls
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


def test_full_screen_and_back(window: OperatorWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert window.isFullScreen()
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert not window.isFullScreen()
