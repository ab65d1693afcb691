"""Panels: all there by default, moved, remembered, put back; every one of them by a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import QByteArray, QEvent, QSettings, Qt
from PySide6.QtWidgets import QApplication, QLabel, QStackedWidget
from pytestqt.qtbot import QtBot

from rtrecon.display import OperatorWindow
from rtrecon.display.keys import KeyList
from rtrecon.display.panels import LAYOUT, SHARES, VERSION, in_front
from rtrecon.types import Block, Presentation
from tests.display.conftest import OFFSCREEN_ONLY

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

pytestmark = [pytest.mark.timeout(60)]

Open = Callable[[], OperatorWindow]
FRONT = {"evolution", "candidates", "confidence", "brain", "latency"}
RIGHT = Qt.DockWidgetArea.RightDockWidgetArea


@pytest.fixture(autouse=True)
def quiet_qt(qtlog: Any) -> Iterator[None]:
    """As everywhere, but windows that float cannot be raised offscreen."""
    yield
    known = {OFFSCREEN_ONLY, "This plugin does not support raise()"}
    assert {record.message for record in qtlog.records} <= known


@pytest.fixture
def memory(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "layout.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def open_window(session: HandFed, memory: QSettings, qtbot: QtBot) -> Iterator[Open]:
    """Opens windows one after the other that remember each other's layout."""
    opened: list[OperatorWindow] = []

    def open_window() -> OperatorWindow:
        window = OperatorWindow(session, memory=memory)
        opened.append(window)
        with qtbot.waitExposed(window):
            window.show()
        settled(window, qtbot)
        window.tick()
        return window

    yield open_window
    session.ended = True
    for window in opened:
        window.close()
        window.deleteLater()
        QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)


def settled(window: OperatorWindow, qtbot: QtBot) -> None:
    panels = window.panels
    qtbot.waitUntil(lambda: panels.size() == panels._sized and not panels._folding.isActive())
    QApplication.sendPostedEvents()


def shown(window: OperatorWindow) -> set[str]:
    return {name for name, panel in window.panels.panels.items() if in_front(panel)}


def test_by_default_what_matters_is_seen_at_once(window: OperatorWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: shown(window) == FRONT)
    stage = window.stage
    for exhibit in (stage.reconstruction, stage.stimulus, stage.z_only, stage.control):
        assert not exhibit.visibleRegion().isEmpty()
    assert stage.width() > window.width() / 2


def test_a_layout_is_remembered(open_window: Open, session: HandFed, qtbot: QtBot) -> None:
    """Hidden, floated, moved and made wider in one window, so in the next."""
    first = open_window()
    panels = first.panels.panels
    panels["brain"].hide()
    panels["log"].setFloating(True)
    panels["log"].show()
    first.panels.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, panels["candidates"])
    first.panels.resizeDocks([panels["candidates"]], [333], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: panels["candidates"].width() == 333)
    first.tick()
    session.ended = True
    assert first.close()
    second = open_window()
    again = second.panels.panels
    assert again["brain"].isHidden()
    assert again["log"].isFloating()
    assert again["log"].isVisible()
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    assert second.panels.dockWidgetArea(again["candidates"]) == left
    qtbot.waitUntil(lambda: abs(again["candidates"].width() - 333) <= 2)


def test_reset_puts_everything_back(open_window: Open, memory: QSettings, qtbot: QtBot) -> None:
    window = open_window()
    before = {name: panel.geometry() for name, panel in window.panels.panels.items()}
    for name, panel in window.panels.panels.items():
        panel.setFloating(name == "log")
        panel.setVisible(name == "log")
    window.panels.remember()
    assert memory.contains(LAYOUT)
    qtbot.keyClick(window, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: shown(window) == FRONT)
    settled(window, qtbot)
    for name in FRONT:
        after = window.panels.panels[name].geometry()
        assert after.getRect() == pytest.approx(before[name].getRect(), abs=4), name
    assert not memory.contains(LAYOUT)
    assert not memory.contains(SHARES)


@pytest.mark.parametrize("kept", ["text", QByteArray(b"\x00\xff garbage"), None, "newer"])
def test_what_is_no_layout_of_this_version_changes_nothing(
    open_window: Open, memory: QSettings, qtbot: QtBot, kept: object
) -> None:
    if kept == "newer":
        first = open_window()
        first.panels.panels["brain"].hide()
        kept = first.panels.saveState(VERSION + 1)
    memory.setValue(LAYOUT, kept)
    memory.setValue(SHARES, '{"brain": ["wide", -3], "log": 7}')
    window = open_window()
    qtbot.waitUntil(lambda: shown(window) == FRONT)


def test_panels_keep_their_share_of_a_larger_window(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    panel = window.panels.panels["candidates"]
    share = panel.width() / window.panels.width()
    window.resize(1920, 1080)
    qtbot.waitUntil(lambda: abs(panel.width() / window.panels.width() - share) < 0.02)
    assert panel.width() > 500


def test_every_panel_has_a_key(session: HandFed, window: OperatorWindow, qtbot: QtBot) -> None:
    session.presentation = Presentation(block=Block.REST)
    window.tick()
    control = Qt.KeyboardModifier.ControlModifier
    for n, (name, panel) in enumerate(window.panels.panels.items(), 1):
        if not in_front(panel):
            qtbot.keyClick(window, f"{n}", control)
            qtbot.waitUntil(lambda p=panel: in_front(p))
        qtbot.keyClick(window, f"{n}", control)
        assert panel.isHidden(), name
        qtbot.keyClick(window, f"{n}", control)
        qtbot.waitUntil(lambda p=panel: in_front(p))


def test_the_menu_shows_and_hides_panels_and_names_their_keys(window: OperatorWindow) -> None:
    actions = {a.text().split("\t")[0]: a for a in window.panels.menu.actions() if a.text()}
    assert actions["Brain"].text().split("\t")[1] == "Ctrl+6"
    assert actions["Brain"].isChecked()
    actions["Brain"].trigger()
    assert window.panels.panels["brain"].isHidden()
    actions["Reset layout"].trigger()
    assert not window.panels.panels["brain"].isHidden()


def test_the_feedbacks_panel_is_there_only_with_a_protocol(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    panel = window.panels.panels["score"]
    window.tick()
    assert panel.isHidden()
    assert not panel.toggleViewAction().isVisible()
    window.panels.toggle("score")
    window.panels.reset()
    assert panel.isHidden()
    session.presentation = Presentation(block=Block.REST)
    window.tick()
    qtbot.waitUntil(lambda: in_front(panel))
    session.presentation = Presentation()
    window.tick()
    assert panel.isHidden()


@pytest.mark.parametrize("key", [Qt.Key.Key_F1, Qt.Key.Key_Question])
def test_the_list_of_keys_has_all_of_them_and_goes_with_any(
    session: HandFed, window: OperatorWindow, qtbot: QtBot, key: Qt.Key
) -> None:
    qtbot.keyClick(window, key)
    listed = window.findChild(KeyList)
    assert listed is not None
    assert listed.geometry() == window.rect()
    words = {label.text() for label in listed.findChildren(QLabel)}
    for keys, does in window.keys.told:
        assert {keys, does} <= words
    assert {"1 to 4", "Ctrl+.", "F11", "G", "Shift+N", "Ctrl+9"} <= words
    qtbot.keyClick(listed, Qt.Key.Key_Escape)
    QApplication.sendPostedEvents(listed, QEvent.Type.DeferredDelete)
    assert window.findChild(KeyList) is None
    assert session.stopped == session.started == 0


def test_keys_behind_panels_that_float_still_hold(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    panel = window.panels.panels["log"]
    panel.setFloating(True)
    panel.show()
    qtbot.keyClick(window, Qt.Key.Key_2)
    assert session.settings.steps == 2


def test_panels_that_float_come_and_go_with_the_window(session: HandFed, qtbot: QtBot) -> None:
    pages = QStackedWidget()
    qtbot.addWidget(pages)
    window = OperatorWindow(session)
    for page in (window, QLabel("another")):
        pages.addWidget(page)
    with qtbot.waitExposed(pages):
        pages.show()
    log = window.panels.panels["log"]
    log.setFloating(True)
    log.show()
    pages.setCurrentIndex(1)
    assert not log.isVisible()
    pages.setCurrentIndex(0)
    assert log.isVisible()
    assert log.isFloating()
    session.ended = True
    window.close()
    assert not log.isVisible()


def test_as_a_page_of_another_window(session: HandFed, qtbot: QtBot) -> None:
    """It is no window of its own then, keys work, and full screen is its host's."""
    pages = QStackedWidget()
    qtbot.addWidget(pages)
    window = OperatorWindow(session)
    pages.addWidget(window)
    pages.resize(1280, 720)
    with qtbot.waitExposed(pages):
        pages.show()
    qtbot.waitUntil(lambda: shown(window) == FRONT)
    assert window.window() is pages
    qtbot.keyClick(pages, Qt.Key.Key_3)
    assert session.settings.steps == 3
    qtbot.keyClick(pages, Qt.Key.Key_F11)
    assert pages.isFullScreen()
    qtbot.keyClick(pages, Qt.Key.Key_F11)
    session.ended = True
    window.close()
