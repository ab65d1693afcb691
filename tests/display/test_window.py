"""What the window shows, driven by a session fed by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pylsl import local_clock
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QDialog, QLabel, QPlainTextEdit
from pytestqt.qtbot import QtBot

from rtrecon.display import OperatorWindow
from rtrecon.display.stage import DOUBT, GENERATOR_ONLY
from rtrecon.display.troubles import MOST
from rtrecon.types import Block, Phase, Presentation, Trial, Trouble, VolumeCounts

if TYPE_CHECKING:
    from tests.display.conftest import HandFed

pytestmark = [pytest.mark.timeout(60)]

NewTrial = Callable[..., Trial]


@pytest.fixture
def feed(session: HandFed, window: OperatorWindow, qtbot: QtBot) -> Callable[..., None]:
    """Put one picture in and wait until the window has painted it."""

    def feed(trial: Trial, volume: int, confidence: float = 0.46, step: int = 4) -> None:
        frame = session.draw(session.decode(trial, volume, confidence), step)
        qtbot.waitUntil(lambda: [f.serial for f in session.reported[-1:]] == [frame.serial])

    return feed


def test_the_newest_frame_wins_and_is_reported_once_painted(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, qtbot: QtBot
) -> None:
    decoded = session.decode(new_trial(), volume=10)
    frames = [session.draw(decoded, step) for step in (1, 2, 3, 4)]
    qtbot.waitUntil(lambda: bool(session.reported))
    window.tick()
    assert [frame.serial for frame in session.reported] == [frames[-1].serial]
    assert session.frames.superseded == 3
    times = session.reported[0].times
    assert times.painted >= times.drawn >= times.received


def test_what_is_reported_is_what_is_on_screen(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, qtbot: QtBot
) -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, :16], image[:, 16:] = (200, 20, 20), (20, 20, 200)
    image.flags.writeable = False
    session.draw(session.decode(new_trial(), 10), image=image)
    qtbot.waitUntil(lambda: bool(session.reported))
    picture = window.stage.reconstruction.picture
    grab = picture.grab().toImage()
    quarter, middle = grab.width() // 4, grab.height() // 2
    assert grab.pixelColor(quarter, middle) == QColor(200, 20, 20)
    assert grab.pixelColor(3 * quarter, middle) == QColor(20, 20, 200)


def test_painting_again_is_not_a_second_showing(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, feed: Callable[..., None]
) -> None:
    feed(new_trial(), 10)
    picture = window.stage.reconstruction.picture
    picture.grab()
    assert picture.take_painted() is None


def test_a_hidden_window_reports_nothing(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, qtbot: QtBot
) -> None:
    window.hide()
    session.draw(session.decode(new_trial(), 10))
    qtbot.waitUntil(lambda: not session.frames.peek())
    window.tick()
    assert session.reported == []


def test_the_strip_has_one_picture_a_volume_and_begins_anew_with_a_trial(
    window: OperatorWindow, new_trial: NewTrial, feed: Callable[..., None]
) -> None:
    first, second = new_trial(1), new_trial(2, "cat")
    feed(first, 10, step=1)
    feed(first, 10)
    feed(first, 11)
    assert [t.volume for t in window.strip.thumbnails] == [10, 11]
    assert [t.age_s for t in window.strip.thumbnails] == [6.0, 8.0]
    feed(second, 18)
    assert [t.volume for t in window.strip.thumbnails] == [18]
    assert [t.volume for t in window.strip.previous] == [10, 11]


def test_words_of_a_frame(
    window: OperatorWindow, new_trial: NewTrial, feed: Callable[..., None]
) -> None:
    feed(new_trial(3), 26, confidence=0.46, step=2)
    exhibit = window.stage.reconstruction
    assert exhibit.headline.text() == "dog 46 % (chance 8 %)"
    assert exhibit.caption.text() == "trial 3 · 6.0 s after onset · step 2 of 4"


def test_near_chance_is_said_instead_of_a_name(
    window: OperatorWindow, new_trial: NewTrial, feed: Callable[..., None]
) -> None:
    exhibit = window.stage.reconstruction
    feed(new_trial(), 10, confidence=0.10)
    assert exhibit.headline.text() == DOUBT
    assert exhibit.headline.property("doubt") is True
    assert "10 % (chance 8 %)" in exhibit.remark.text()
    assert GENERATOR_ONLY in exhibit.title.text()
    assert not window.candidates.sure
    feed(new_trial(), 11, confidence=0.46)
    assert exhibit.headline.text().startswith("dog 46 %")
    assert exhibit.headline.property("doubt") is False
    assert exhibit.remark.text() == ""


def test_names_are_never_taken_for_markup(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, feed: Callable[..., None]
) -> None:
    trial = new_trial(1, "<b>x</b>")
    session.become(trial=trial, message="<i>y</i>", stream="<u>z</u>")
    session.candidates = ("<b>x</b>", *session.candidates)
    feed(trial, 10)
    window.tick()
    assert window.stage.stimulus.headline.text() == "<b>x</b>"
    assert window.stage.reconstruction.headline.text() == "<b>x</b> 46 % (chance 8 %)"
    assert window.header.message.text() == "<i>y</i>"
    assert "<i>" not in window.header.message.toolTip()
    labels = window.findChildren(QLabel)
    assert labels
    assert {label.textFormat() for label in labels} == {Qt.TextFormat.PlainText}


def test_a_long_name_does_not_push_the_window_wider(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, feed: Callable[..., None]
) -> None:
    width = window.width()
    trial = new_trial(1, "x" * 500)
    session.become(trial=trial, message="y" * 5000, stream="z" * 500)
    session.candidates = ("x" * 500, *session.candidates)
    feed(trial, 10)
    assert window.width() == width
    assert window.minimumSizeHint().width() <= width


def test_pictures_of_a_pair_belong_to_one_trial(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, feed: Callable[..., None]
) -> None:
    first, second = new_trial(1), new_trial(2, "cat")
    session.pictures[1] = np.full((8, 8, 3), 90, np.uint8)
    session.become(trial=first)
    window.tick()
    stimulus = window.stage.stimulus
    assert stimulus.headline.text() == "dog"
    assert not stimulus.picture.empty
    feed(first, 10)
    session.become(trial=second)
    window.tick()
    assert stimulus.headline.text() == "dog"
    assert stimulus.remark.text() == "now: trial 2, cat"
    feed(second, 18)
    assert stimulus.headline.text() == "cat"
    assert stimulus.remark.text() == ""
    assert stimulus.picture.empty  # that one's picture is not known


def test_candidates_are_sorted_and_the_presented_one_is_among_them(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, feed: Callable[..., None]
) -> None:
    feed(new_trial(1, "boat"), 10)
    rows = window.candidates.rows
    assert rows[0].name == "boat"
    assert rows[0].presented
    assert [row.probability for row in rows] == sorted((r.probability for r in rows), reverse=True)
    decoded = session.decode(new_trial(1, "boat"), 11)
    session.candidates = tuple(reversed(session.candidates))  # boat now ranks low
    window.candidates.show_decoded(decoded, session.candidates)
    last = window.candidates.rows[-1]
    assert last.name == "boat"
    assert last.rank > len(window.candidates.rows)


def test_losses_light_up(session: HandFed, window: OperatorWindow) -> None:
    numbers = window.counts.numbers
    session.become(volumes=VolumeCounts(received=9))
    window.tick()
    assert not any(number.property("alarm") for number in numbers.values())
    session.become(volumes=VolumeCounts(received=9, lost=2, duplicate=3), shown=7, superseded=1)
    window.tick()
    assert {name: n.text() for name, n in numbers.items()} == {
        "received": "9", "lost": "2", "duplicate": "3", "rejected": "0",
        "shown": "7", "superseded": "1",
    }  # fmt: skip
    assert [name for name, n in numbers.items() if n.property("alarm")] == ["lost"]


def test_a_failure_shows_its_message_and_keeps_its_traceback_at_hand(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    assert not window.header.details.isVisible()
    message = "10 volumes in a row were rejected: refit"
    session.become(phase=Phase.FAILED, message=message, traceback="Traceback\n  line 1")
    window.tick()
    assert window.header.pill.text() == "Failed"
    assert window.header.pill.property("phase") == "FAILED"
    assert window.header.message.text() == message
    qtbot.mouseClick(window.header.details, Qt.MouseButton.LeftButton)
    dialog = window.findChild(QDialog)
    assert dialog is not None
    text = dialog.findChild(QPlainTextEdit)
    assert text is not None
    assert "line 1" in text.toPlainText()
    dialog.close()


def test_what_is_in_trouble_stands_above_everything_until_it_is_over(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    assert not window.troubles.isVisible()
    now = local_clock()
    full = Trouble("record", "recording fails (No space left on device): 3 not recorded", now - 7)
    stuck = Trouble("draw", "pictures stand still: volumes are recorded", now - 130)
    session.become(message="fewer steps", troubles=(full, stuck))
    window.tick()
    shown = [line for line in window.troubles.lines if line.isVisible()]
    assert [line.stage.text().split()[-1] for line in shown] == ["Recording", "Pictures"]
    assert [line.age.text() for line in shown] == ["7 s", "2 min"]
    assert [line.what.text() for line in shown] == [full.what, stuck.what]
    assert [line.property("loses") for line in shown] == [True, False]
    assert window.header.message.text() == "fewer steps"
    letter = shown[0].what.fontMetrics().height()
    assert letter > 1.15 * window.header.message.fontMetrics().height()  # seen from two metres
    below = window.troubles.mapTo(window, window.troubles.rect().bottomLeft()).y()
    assert window.panels.y() > below
    session.become(troubles=())
    window.tick()
    assert not window.troubles.isVisible()


def test_troubles_leave_the_layout_alone_however_many_and_long_they_are(
    session: HandFed, window: OperatorWindow, qtbot: QtBot
) -> None:
    stages = ("record", "receive", "decode", "draw", "outputs", "<b>strange</b>" * 9)
    evil = "<img src=x> " + "a long word " * 400
    session.become(troubles=tuple(Trouble(stage, evil, local_clock()) for stage in stages))
    for size in ((1024, 640), (1280, 720), (1920, 1080)):
        window.resize(*size)
        window.tick()
        qtbot.waitUntil(lambda: window.troubles.height() > 60)
        assert (window.width(), window.height()) == size
        assert window.troubles.height() < size[1] / 5
        assert window.stage.reconstruction.picture.height() > 0.2 * size[1]
    shown = [line for line in window.troubles.lines if line.isVisible()]
    assert len(shown) == MOST
    assert shown[-1].what.text().startswith("(and 2 more) <img src=x> a long")
    assert {line.what.textFormat() for line in shown} == {Qt.TextFormat.PlainText}
    assert "&lt;img" in shown[0].what.toolTip()


def test_one_broken_part_of_the_window_is_told_once_and_hides_nothing_else(
    session: HandFed,
    window: OperatorWindow,
    new_trial: NewTrial,
    feed: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(status: object) -> None:
        raise ValueError("a panel is broken")

    window.counts.show_status = broken  # type: ignore[method-assign]
    session.become(message="goes on")
    feed(new_trial(), 10)
    session.become(message="goes on and on")
    feed(new_trial(), 11)
    assert caplog.text.count("the display has an error") == 1
    assert "ValueError: a panel is broken" in caplog.text
    session.end()
    window.tick()
    assert window.close()


def test_one_key_takes_all_pictures_away_when_the_participant_stops(
    session: HandFed, window: OperatorWindow, feed: Callable[..., None], new_trial: NewTrial,
    qtbot: QtBot,
) -> None:  # fmt: skip
    feed(new_trial(), 10)
    picture = window.stage.reconstruction.picture
    assert not picture.empty
    logging.getLogger("rtrecon").warning("trial 1, dog: decoded as dog")
    qtbot.waitUntil(lambda: "decoded as" in window.log.toPlainText())
    session.presentation = Presentation(Phase.RUNNING, block=Block.REGULATE)
    qtbot.waitUntil(lambda: window.score.isVisibleTo(window))
    session.presentation = Presentation(Phase.WITHDRAWN, block=Block.REGULATE, blank=True)
    qtbot.keyClick(window, Qt.Key.Key_F8)
    qtbot.waitUntil(lambda: picture.empty)
    assert window.header.pill.text() == "Stopped by the participant"
    assert window.stage.reconstruction.headline.text() == ""
    assert not window.strip.thumbnails
    for shown in (window.candidates, window.brain, window.score):
        assert not shown.isVisibleTo(window)
    assert "decoded" not in window.log.toPlainText()
    logging.getLogger("rtrecon").warning("the participant has stopped")
    session.become(message="once more")
    window.tick()
    assert window.log.toPlainText().endswith("has stopped")  # what is said since stays
    assert not window.controls.pause.isEnabled()


def test_silence_has_a_length(session: HandFed, window: OperatorWindow) -> None:
    session.arrive(0)
    session.become(phase=Phase.SILENT)
    window.tick()
    assert window.header.pill.text() == "Stream silent 0 s"
    assert window.header.pill.property("phase") == "SILENT"


def test_traces_keep_sixty_volumes_and_begin_anew_with_a_run(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, qtbot: QtBot
) -> None:
    session.become(trial=new_trial())
    for number in range(70):
        session.arrive(number, moved_mm=number / 100)
        window.tick()
    decoded = session.decode(new_trial(), 69)
    rows = window.traces.rows
    session.draw(decoded, step=1)
    qtbot.waitUntil(lambda: np.isfinite(rows[-1].first_ms))
    assert np.isnan(rows[-1].final_ms)
    session.draw(decoded, step=4)
    qtbot.waitUntil(lambda: np.isfinite(rows[-1].final_ms))
    assert [row.number for row in rows] == list(range(10, 70))
    assert rows[-1].displacement_mm == 0.69
    assert rows[-1].interval_ms > 0
    assert 0 < rows[-1].first_ms < rows[-1].final_ms
    session.become(arrival=replace(session.status.arrival, decoded_ms=25.0))
    window.tick()
    assert (rows[-1].number, rows[-1].decoded_ms) == (69, 25.0)
    session.arrive(0)
    window.tick()
    assert [row.number for row in window.traces.rows] == [0]


def test_letters_grow_with_the_window(window: OperatorWindow, qtbot: QtBot) -> None:
    small = window.stage.reconstruction.headline.sizeHint().height()
    window.resize(2560, 1440)
    qtbot.waitUntil(lambda: window.stage.reconstruction.headline.sizeHint().height() > small)


def test_ticks_are_even_while_pictures_come(
    session: HandFed, window: OperatorWindow, new_trial: NewTrial, qtbot: QtBot
) -> None:
    trial = new_trial()
    session.become(trial=trial)
    image = np.zeros((512, 512, 3), np.uint8)

    def draw() -> None:
        session.draw(
            session.decode(trial, 10 + session.serial // 4), 1 + session.serial % 4, 4, image
        )

    source = QTimer()
    source.timeout.connect(draw)
    window.tick_gaps_ms.clear()
    source.start(20)
    qtbot.waitUntil(lambda: len(session.reported) > 30)
    source.stop()
    assert np.median(window.tick_gaps_ms) < 34  # two ticks; the machine may be busy


def test_samples_stand_beside_the_picture_and_are_called_so(
    session: HandFed, window: OperatorWindow, new_trial: Callable[..., Trial], qtbot: QtBot
) -> None:
    """The first large, the others in a column, each in its own place and none over another."""
    decoded = session.decode(new_trial(), 12)
    frame = session.draw(decoded)
    session.frames.take()
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)]
    images = np.stack([np.full((32, 32, 3), colour, np.uint8) for colour in colours])
    session.frames.put(replace(frame, images=images))
    window.tick()
    picture = window.stage.reconstruction.picture
    places = picture.places()
    grabbed = picture.grab().toImage()
    for place, colour in zip(places, colours, strict=True):
        assert picture.rect().contains(place.toRect())
        shown = grabbed.pixelColor(place.center().toPoint())
        assert (shown.red(), shown.green(), shown.blue()) == colour
    assert places[0].width() > 3 * places[1].width()
    assert window.stage.reconstruction.remark.text() == "5 samples: what differs was not decoded"
    session.frames.put(replace(frame, images=images[:1]))
    window.tick()
    assert len(picture.places()) == 1
