"""The set-up page: what is amber is accepted by hand, and a change makes all outdated."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QSettings, Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from rtrecon.artifact import Artifact, save_artifact
from rtrecon.check.findings import Finding
from rtrecon.config import Session
from rtrecon.display.theme import Words
from rtrecon.display.visit import VisitWindow, run_visit
from rtrecon.display.visit.set_up import SetUp
from rtrecon.streams import Source
from rtrecon.types import Geometry
from rtrecon.visit import Visit
from rtrecon.wire import ScannerOutlet

pytestmark = [pytest.mark.timeout(60)]

GOOD, AMBER = Finding("one", True, "is well"), Finding("two", None, "is odd", "look at it")
RED = Finding("three", False, "is broken", "mend it")


@pytest.fixture(autouse=True)
def memory(tmp_path: Path) -> None:
    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "remembered")
    )


@pytest.fixture
def page(qtbot: QtBot) -> Iterator[SetUp]:
    page = SetUp(Session(Path("decoder")))
    with qtbot.waitExposed(page):
        page.show()
    yield page
    page.close()
    page.deleteLater()
    QApplication.sendPostedEvents(page, QEvent.Type.DeferredDelete)


def test_what_is_red_keeps_from_starting_and_amber_has_to_be_accepted(
    page: SetUp, qtbot: QtBot
) -> None:
    def start_after(*found: Finding) -> bool:
        page.begin_look()
        page.show_found(list(found), whole=True)
        return page.start.isEnabled()

    assert start_after(GOOD)
    assert not start_after(GOOD, RED)
    assert not page.accept.isVisible()
    assert page.verdict.text() == "1 to mend before a run can start"
    assert not start_after(GOOD, AMBER)
    qtbot.keyClick(page, Qt.Key.Key_I, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(page.start.isEnabled)
    assert not start_after(GOOD, AMBER)  # accepted once is not for ever


def test_nothing_starts_before_all_is_looked_at_or_after_a_change(
    page: SetUp, qtbot: QtBot
) -> None:
    page.begin_look()
    page.show_found([GOOD], whole=False)
    assert not page.start.isEnabled()
    page.show_found([GOOD, GOOD], whole=True)
    assert page.start.isEnabled()
    with qtbot.waitSignal(page.asked):
        page.free_viewing.click()
        assert not page.start.isEnabled()


def test_half_a_path_never_starts(page: SetUp, qtbot: QtBot) -> None:
    """And typed anew as it was, it is looked at again."""
    page.begin_look()
    page.show_found([GOOD], whole=True)
    line = page.decoder.edit.lineEdit()
    qtbot.keyClicks(line, "x")
    assert not page.start.isEnabled()
    qtbot.keyClick(line, Qt.Key.Key_Backspace)
    assert not page.start.isEnabled()
    with qtbot.waitSignal(page.asked):
        qtbot.keyClick(line, Qt.Key.Key_Return)
    assert page.chosen.decoder == Path("decoder")


def test_a_finding_is_told_by_word_and_shape_and_never_as_markup(page: SetUp) -> None:
    hostile = Finding("stream", False, "<b>bold</b> " + "x" * 500, "<img src=x>")
    width = page.width()
    page.begin_look()
    page.show_found([GOOD, AMBER, hostile], whole=True)
    labels = page.findings.findChildren(Words)
    marks = [label.text() for label in labels if label.property("role") == "mark"]
    assert marks == ["\u25cf OK", "\u25b2 LOOK", "\u25a0 BAD"]
    assert any(label.text().startswith("<b>bold</b>") for label in labels)
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)
    QApplication.processEvents()
    assert page.width() == width


def test_everything_is_reached_by_tab(page: SetUp, qtbot: QtBot) -> None:
    page.show_found([AMBER], whole=True)
    page.accept.setChecked(True)
    page.streams.setFocus()
    reached: list[QWidget | None] = []
    while (widget := QApplication.focusWidget()) not in reached:
        reached.append(widget)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    fields = (page.decoder, page.generator, page.output, page.stimuli, page.yoked, page.code)
    wanted = [field.edit for field in fields] + [field.browse for field in fields[:-1]]
    wanted += [page.streams, page.free_viewing, page.findings, page.again, page.accept, page.start]
    assert {id(widget) for widget in wanted} <= {id(widget) for widget in reached}


def test_a_chosen_stream_stays_chosen_while_it_is_away(page: SetUp) -> None:
    here = Source("scanner", "console", fault="does not answer")
    page.streams.chosen = "scanner"
    page.show_seen((Source("another", "x"), here))
    assert page.streams.is_there
    page.show_seen((Source("another", "x"),))
    assert page.streams.chosen == "scanner"
    assert not page.streams.is_there
    assert page.streams.item(0).text().startswith("scanner\n     not on the network")


def test_a_stream_that_comes_while_it_is_looked_for_is_looked_at(page: SetUp, qtbot: QtBot) -> None:
    here = (Source("scanner", "console", fault="does not answer"),)
    missing = Finding("stream", False, "there is none", "start it")
    page.streams.chosen = "scanner"
    page.look()
    page.begin_look()
    page.show_seen(here)
    page.show_found([GOOD, missing], whole=True)
    with qtbot.waitSignal(page.asked):
        page.show_seen(here)
    page.begin_look()
    page.show_found([GOOD, missing], whole=True)  # twice of one name, say: not for ever
    page.show_seen(here)
    assert page.verdict.text() == "1 to mend before a run can start"


@pytest.fixture
def window(
    toy_artifact: Artifact, toy_folder: Path, stream_name: str, tmp_path: Path, qtbot: QtBot
) -> Iterator[VisitWindow]:
    save_artifact(toy_artifact, tmp_path / "decoder")
    session = Session(
        tmp_path / "decoder", stream_name, str(toy_folder), tmp_path / "session", wait_s=0.5,
        free_viewing=True, fixed={"steps": 1},
    )  # fmt: skip
    with closing(Visit()) as visit:
        window = VisitWindow(visit, session)
        with qtbot.waitExposed(window):
            window.show()
        yield window
        window.close()
        window.worker.submit(visit.close).result(timeout=30)
        window.worker.close(timeout_s=5)
        window.deleteLater()
        QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)


def test_a_stream_that_comes_is_looked_at_and_a_run_that_cannot_open_comes_back(
    window: VisitWindow, toy_geometry: Geometry, stream_name: str, qtbot: QtBot
) -> None:
    page = window.set_up
    assert page is not None

    def told(words: str) -> None:
        qtbot.waitUntil(lambda: words in page.verdict.text(), timeout=20_000)

    told("1 to mend")
    outlet = ScannerOutlet(stream_name, replace(toy_geometry, speed=1.0))
    told("Ready")
    page.accept.setChecked(True)
    del outlet
    qtbot.waitUntil(lambda: not page.streams.is_there, timeout=20_000)
    assert page.start.isEnabled()
    page.start.click()
    told("1 to mend")
    assert window.pages.currentWidget() is page
    (found,) = page.findings.found
    assert (found.name, found.ok) == ("run", False)
    assert "start the scanner's bridge" in found.way_out
    assert not page.chosen.output.exists()  # type: ignore[union-attr]


def test_it_can_be_closed_while_it_looks(window: VisitWindow, qtbot: QtBot) -> None:
    page = window.set_up
    assert page is not None
    qtbot.waitUntil(lambda: bool(page.findings.found))
    assert not page.start.isEnabled()
    with qtbot.waitSignal(window.closed):
        window.close()
    assert not window.isVisible()


def test_a_signal_that_came_while_the_window_was_made_closes_it(stream_name: str) -> None:
    visit = Visit()
    visit.stop.set()
    run_visit(visit, Session(Path("decoder"), stream_name))
    assert not [w for w in QApplication.topLevelWidgets() if isinstance(w, VisitWindow)]
