"""What the program says is seen: plain, bounded, the newest in sight."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QTextCursor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon.display import theme
from rtrecon.display.log import KEPT, LONGEST, Log

pytestmark = [pytest.mark.timeout(60)]

told = logging.getLogger("rtrecon.somewhere")


@pytest.fixture(autouse=True)
def everything_is_said() -> Iterator[None]:
    logger = logging.getLogger("rtrecon")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(before)


@pytest.fixture
def log(qtbot: QtBot) -> Log:
    view = Log()
    qtbot.addWidget(view)
    view.resize(400, 120)
    view.show()
    return view


def lines(log: Log) -> list[str]:
    """Without their times."""
    return [line.split("  ", 1)[1] for line in log.toPlainText().split("\n") if line]


def test_lines_of_all_threads_in_order_with_their_level_in_words(log: Log) -> None:
    told.info("from the window's thread")
    thread = threading.Thread(target=lambda: told.warning("from %s", "another"))
    thread.start()
    thread.join()
    told.error("it failed")
    told.debug("nobody wants to know")
    log.tick()
    assert lines(log) == [
        "from the window's thread",
        "warning: from another",
        "error: it failed",
    ]


def test_levels_have_colours(log: Log) -> None:
    told.info("a")
    told.warning("b")
    told.error("c")
    log.tick()
    colours = []
    for n in range(3):
        cursor = QTextCursor(log.document().findBlockByNumber(n))
        cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock)
        colours.append(cursor.charFormat().foreground().color())
    assert colours == [QColor(c) for c in (theme.TEXT, theme.ORANGE, theme.VERMILLION)]


def test_nothing_is_taken_for_markup_and_nothing_is_endless(log: Log) -> None:
    told.info("<b>bold</b>\nsecond line %s", "x" * 10_000)
    wrong = logging.LogRecord("rtrecon", logging.INFO, "", 0, "%d", ("no number",), None)
    log._lines.emit(wrong)  # a mistake of whoever says it
    log.tick()
    (line,) = lines(log)
    assert line.startswith("<b>bold</b> second line xxx")
    assert len(line) == LONGEST
    for n in range(KEPT + 100):
        told.info("line %d", n)
        if n % 50 == 0:
            log.tick()
    log.tick()
    assert len(lines(log)) <= KEPT
    assert lines(log)[-1] == f"line {KEPT + 99}"


def test_the_newest_is_in_sight_unless_somebody_reads_further_up(log: Log) -> None:
    for n in range(60):
        told.info("line %d", n)
    log.tick()
    bar = log.verticalScrollBar()
    assert bar.maximum() > 0
    assert bar.value() == bar.maximum()
    bar.setValue(5)
    told.info("one more")
    log.tick()
    assert bar.value() == 5


def test_a_window_that_is_gone_listens_no_more(qtbot: QtBot) -> None:
    logger = logging.getLogger("rtrecon")
    before = list(logger.handlers)
    log = Log()
    assert len(logger.handlers) == len(before) + 1
    log.deleteLater()
    QApplication.sendPostedEvents(log, QEvent.Type.DeferredDelete)
    assert logger.handlers == before
