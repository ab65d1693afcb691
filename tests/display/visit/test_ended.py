"""The page after a run, where the participant has stopped it."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rtrecon.display.visit.ended import STOPPED, RunEnded
from rtrecon.types import VolumeCounts
from rtrecon.visit import Ended


@pytest.mark.parametrize("withdrawn", [False, True])
def test_no_stray_key_begins_another_run_after_a_participants_stop(
    withdrawn: bool, qtbot: QtBot
) -> None:
    page = RunEnded()
    qtbot.addWidget(page)
    page.resize(1280, 720)
    with qtbot.waitExposed(page):
        page.show()
    page.show_ended(Ended(Path("/data/s"), VolumeCounts(received=9), withdrawn=withdrawn), 1)
    pressed: list[str] = []
    page.next_run.clicked.connect(lambda: pressed.append("next run"))
    page.change.clicked.connect(lambda: pressed.append("change"))
    held = page.focusWidget()
    assert held is not None
    qtbot.keyClick(held, Qt.Key.Key_Space)
    assert pressed == (["change"] if withdrawn else ["next run"])
    assert (page.verdict.text() == STOPPED) is withdrawn
    assert ("delete it" in page.folder.text()) is withdrawn
    assert page.verdict.fontMetrics().horizontalAdvance(STOPPED) < page.verdict.width()  # not cut
