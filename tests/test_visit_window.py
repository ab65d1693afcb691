"""A whole visit by clicks and keys: real streams, the miniature model, the program as it is called."""

import csv
import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl
import pytest
from PySide6.QtCore import QEvent, QSettings, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from rtrecon.__main__ import main
from rtrecon.artifact import load_artifact, save_artifact
from rtrecon.bids import load_run
from rtrecon.display.panels import remembered
from rtrecon.display.visit import VisitWindow
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Event, Volume
from rtrecon.wire import ScannerOutlet

SPEED = 8.0
ALT, CONTROL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier

Script = Iterator[Callable[[], object]]


class Scanner:
    """Plays the person's unseen run to whoever listens, from its start each time; it never ends."""

    def __init__(self, name: str, file: Path) -> None:
        run = load_run(file)
        self._items = list(run.walk())
        self.outlet = ScannerOutlet(name, replace(run.geometry, speed=SPEED))
        self._every_s = run.geometry.tr_s / SPEED
        self._next = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, name="rtrecon-test-scanner")
        self._thread.start()

    def _play(self) -> None:
        while not self._stop.wait(0.01):
            if not self.outlet.has_receiver:
                self._next = 0
                continue
            item = self._items[self._next % len(self._items)]
            self._next += 1
            if isinstance(item, Volume):
                self._stop.wait(self._every_s)
                self.outlet.send_volume(item.number, item.data, pylsl.local_clock())
            elif item.event is not Event.RUN_END:
                self.outlet.send_marker(item, pylsl.local_clock())

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)


@pytest.fixture
def scanner(person: Path, stream_name: str) -> Iterator[Scanner]:
    scanner = Scanner(stream_name, sorted((person / "data").rglob("*_bold.nii.gz"))[-1])
    yield scanner
    scanner.close()
    del scanner


@pytest.fixture(autouse=True)
def memory(tmp_path: Path) -> None:
    """Choices are remembered here and not in the home of whoever runs the tests."""
    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "remembered")
    )


@pytest.fixture
def no_leaks(qapp: QApplication) -> Iterator[None]:
    gc.collect()
    before = QApplication.topLevelWidgets()  # themselves: an address may be another's later
    yield
    gc.collect()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert [w for w in QApplication.topLevelWidgets() if w not in before] == []


def run_by(script: Callable[[VisitWindow], Script], *arguments: object) -> int:
    """`rtrecon run`, with somebody at its keys: `script` yields what is to be waited for."""
    failure: list[BaseException] = []
    going: list[tuple[Script, float]] = []
    waiting: list[Callable[[], object]] = []

    def act() -> None:
        windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, VisitWindow)]
        if not windows or failure:
            return
        if not going:
            going.append((script(windows[0]), 0.0))
        try:
            if waiting and not waiting[0]():
                assert time.monotonic() < going[0][1], "waited for too long"
                return
            waiting[:] = [next(going[0][0])]
            going[0] = going[0][0], time.monotonic() + 40
        except StopIteration:
            timer.stop()
        except BaseException as error:
            failure.append(error)
            timer.stop()
            windows[0].leave()
            windows[0].leave()

    timer = QTimer()
    timer.timeout.connect(act)
    timer.start(20)
    code = main(["run", *map(str, arguments)])
    timer.stop()
    if failure:
        raise failure[0]
    assert not [*going[0][0]], "the window closed before its time"
    return code


def type_into(widget: QWidget, text: object) -> None:
    """As a hand would: what was there is replaced, Return settles it."""
    widget.setFocus()
    line = QApplication.focusWidget()
    assert line is not None
    QTest.keyClick(line, Qt.Key.Key_A, CONTROL)
    QTest.keyClicks(line, str(text))
    QTest.keyClick(line, Qt.Key.Key_Return)


def colours(window: VisitWindow) -> dict[str, bool | None]:
    assert window.set_up is not None
    return {finding.name: finding.ok for finding in window.set_up.findings.found}


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


@pytest.mark.timeout(200)
@pytest.mark.usefixtures("no_leaks")
def test_a_whole_visit(person: Path, scanner: Scanner, stream_name: str, tmp_path: Path) -> None:
    wrong, output = tmp_path / "wrong", tmp_path / "P07"
    save_artifact(replace(load_artifact(person / "decoder"), tr_s=1.0), wrong)
    noted: dict[str, float] = {}

    def visit(window: VisitWindow) -> Script:
        page = window.set_up
        assert page is not None
        yield lambda: page.streams.count() == 2
        assert not page.start.isEnabled()
        while page.streams.chosen != stream_name:  # the default one is not on the network
            QTest.keyClick(page.streams, Qt.Key.Key_Down)
        type_into(page.output, output)
        type_into(page.stimuli, person / "data" / "stimuli")
        type_into(page.decoder, wrong)
        yield lambda: colours(window).get("disk") is not None and page.verdict.text() != "Looking…"
        assert [name for name, ok in colours(window).items() if ok is False] == ["TR"]
        assert not page.start.isEnabled()
        QTest.keyClick(window, Qt.Key.Key_Return, CONTROL)
        assert window.live is None

        type_into(page.decoder, person / "decoder")
        assert not page.start.isEnabled()
        yield lambda: "disk" in colours(window) and page.verdict.text().startswith("Ready")
        found = colours(window)
        assert found["TR"] is found["volume size"] is found["decoder's generator"] is True
        assert False not in found.values()
        if None in found.values():  # pictures may be slow on a busy machine
            assert not page.start.isEnabled()
            QTest.keyClick(window, Qt.Key.Key_I, ALT)
        yield page.start.isEnabled
        QTest.keyClick(window, Qt.Key.Key_Return, CONTROL)
        yield lambda: window.live is not None
        live = window.live
        assert live is not None
        pipeline = live.session
        yield lambda: pipeline.status.shown >= 2

        noted["before"] = pipeline.settings.steps
        QTest.keyClick(live, Qt.Key.Key_3)
        QTest.keyClick(live, Qt.Key.Key_BracketLeft)
        assert pipeline.settings.steps == 3
        noted["strength"] = pipeline.settings.strength
        shown = pipeline.status.shown
        yield lambda: pipeline.status.shown >= shown + 3

        QTest.keyClick(live, Qt.Key.Key_P, CONTROL)
        assert pipeline.status.paused
        assert pipeline.decoded is not None
        noted["paused"] = pipeline.decoded.volume
        yield lambda: live.header.pill.text().startswith("Paused")
        received, shown = pipeline.status.volumes.received, pipeline.status.shown
        yield lambda: pipeline.status.volumes.received >= received + 8
        assert pipeline.status.shown <= shown + 1  # one was on its way to the screen
        noted["resumed"] = pipeline.decoded.volume
        QTest.mouseClick(live.controls.pause, Qt.MouseButton.LeftButton)
        assert not pipeline.status.paused
        shown = pipeline.status.shown
        yield lambda: pipeline.status.shown >= shown + 2

        QTest.mouseClick(live.controls.next_run, Qt.MouseButton.LeftButton)
        yield lambda: window.live not in (None, live)
        second = window.live
        assert second is not None
        yield lambda: second.session.status.shown >= 2
        QTest.keyClick(second, Qt.Key.Key_Period, CONTROL)
        yield lambda: window.pages.currentWidget() is window.run_ended
        assert "run 2 has ended" in window.run_ended.title.text()
        assert window.run_ended.figures["lost"].text() == "0"
        assert int(window.run_ended.figures["pictures"].text()) >= 2
        assert str(output) in window.run_ended.folder.text()
        QTest.keyClick(window, Qt.Key.Key_C, ALT)

    assert run_by(visit) == 0
    first, second = output, output.with_name("P07_run-2")
    for folder in (first, second):
        assert json.loads((folder / "summary.json").read_text())["volumes"]["lost"] == 0
        assert (folder / "contact_sheet.png").is_file()
        assert open_session_folder(folder).about["decoder"]["name"] == "sub-01"
    assert_settings_were_taken(first, noted)
    assert_pause_was_kept(first, noted)

    def again(window: VisitWindow) -> Script:
        page = window.set_up
        assert page is not None
        assert page.streams.chosen == stream_name
        assert page.decoder.text == str(person / "decoder")
        assert page.decoder.edit.itemText(0) == str(person / "decoder")
        assert page.output.text == str(output)
        assert page.stimuli.text == str(person / "data" / "stimuli")
        assert page.chosen.output == output.with_name("P07_run-3")
        yield lambda: page.verdict.text().startswith("Ready")
        QTest.keyClick(window, Qt.Key.Key_Q, CONTROL)

    assert run_by(again) == 0
    assert not output.with_name("P07_run-3").exists()
    assert Path(remembered().fileName()).is_relative_to(tmp_path)


def assert_settings_were_taken(folder: Path, noted: dict[str, float]) -> None:
    """Recorded, and every picture names the line that it was drawn with."""
    lines = [json.loads(line) for line in (folder / "settings.jsonl").read_text().splitlines()]
    assert lines[0]["steps"] == noted["before"]
    assert lines[0]["strength"] == pytest.approx(noted["strength"] + 0.05)
    chosen = next(n for n, line in enumerate(lines) if line["strength"] == noted["strength"])
    assert lines[chosen]["steps"] == 3
    frames = table(folder / "frames.tsv")
    with_it = [row for row in frames if int(row["settings"]) == chosen]
    assert with_it
    assert all(row["steps"] != "1" for row in with_it)
    assert frames[0]["settings"] == "0"
    assert all(float(row["drawn"]) > lines[chosen]["time"] for row in with_it)


def assert_pause_was_kept(folder: Path, noted: dict[str, float]) -> None:
    """Volumes of the pause are recorded and decoded, and none was drawn."""
    during = range(int(noted["paused"]) + 1, int(noted["resumed"]) + 1)
    assert len(during) > 3
    numbers = [int(row["number"]) for row in table(folder / "volumes.tsv")]
    assert numbers == list(range(len(numbers)))
    assert len(np.load(folder / "volumes.npy", mmap_mode="r")) == len(numbers)
    assert {int(row["volume"]) for row in table(folder / "trials.tsv")} & set(during)
    drawn = {int(row["volume"]) for row in table(folder / "frames.tsv")}
    assert not drawn & set(during)
    assert max(drawn) > during[-1]
    lines = [json.loads(line) for line in (folder / "status.jsonl").read_text().splitlines()]
    changes = [line["paused"] for line in lines]
    assert [b for a, b in zip([False, *changes], changes, strict=False) if a != b] == [True, False]
