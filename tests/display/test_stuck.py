"""A window whose thread hangs while a session with real streams goes on."""

from collections.abc import Callable

import pylsl
import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon import watchdogs
from rtrecon.display import OperatorWindow
from rtrecon.types import Geometry
from tests.live import Live, rows
from tests.told import eventually
from tests.toy import send, toy_run


def test_a_window_that_hangs_holds_up_nothing_and_then_shows_the_newest_at_once(
    going_live: Callable[..., Live], toy_geometry: Geometry, qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(watchdogs, "LEAST_S", 0.3)
    monkeypatch.setattr(watchdogs, "OVER_S", 0.2)
    live = going_live()
    pipeline = live.pipeline
    window = OperatorWindow(pipeline)
    with qtbot.waitExposed(window):
        window.show()
    window.start()
    assert live.outlet.wait_for_receiver(10.0)
    *items, end = toy_run(toy_geometry, 40)
    send(live.outlet, iter(items), pylsl.local_clock())
    # Qt's thread is in here, and nothing of it moves.
    eventually(lambda: "display" in [t.stage for t in pipeline.status.troubles])
    eventually(lambda: pipeline.status.volumes.received == 40)
    frames = pipeline.frames
    eventually(lambda: frames.newest is not None and frames.newest.decoded.volume == 39)
    assert pipeline.status.shown == 0
    qtbot.waitUntil(lambda: pipeline.status.shown > 0)
    assert pipeline.status.shown == 1
    assert window.troubles.isVisible()
    qtbot.waitUntil(lambda: not window.troubles.isVisible())
    send(live.outlet, iter([end]), pylsl.local_clock())
    qtbot.waitUntil(lambda: pipeline.ended, timeout=20_000)
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)
    live.close()
    (shown,) = rows(live.folder / "frames.tsv")
    assert (shown["volume"], shown["step"]) == ("39", shown["steps"])
