"""Settings of the real window, in a real session: from the next image on, and recorded."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl
import pytest
from PIL import Image
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon.display import OperatorWindow
from rtrecon.types import Geometry, Marker, Volume
from tests.live import Live, rows
from tests.toy import send, toy_run

pytestmark = [pytest.mark.timeout(90)]

CHANGES = (  # volumes after which a key is pressed, and the key
    (6, Qt.Key.Key_3, Qt.KeyboardModifier.NoModifier, {"steps": 3}),
    (8, Qt.Key.Key_BracketRight, Qt.KeyboardModifier.NoModifier, {"strength": 0.65}),
    (10, Qt.Key.Key_G, Qt.KeyboardModifier.NoModifier, {"guidance": 1.5}),
    (12, Qt.Key.Key_N, Qt.KeyboardModifier.NoModifier, {"samples": 2}),
    (14, Qt.Key.Key_P, Qt.KeyboardModifier.NoModifier, {"preview": False}),
)


@pytest.fixture
def live(going_live: Callable[..., Live], toy_geometry: Geometry) -> Live:
    return going_live(geometry=replace(toy_geometry, speed=1.0), compares=True)


@pytest.fixture
def window(live: Live, qtbot: QtBot) -> Iterator[OperatorWindow]:
    window = OperatorWindow(live.pipeline)
    with qtbot.waitExposed(window):
        window.show()
    yield window
    window.leave()
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)


def test_a_key_changes_the_next_picture_and_is_recorded(
    live: Live, window: OperatorWindow, qtbot: QtBot, toy_geometry: Geometry
) -> None:
    pipeline = live.pipeline
    qtbot.keyClick(window, Qt.Key.Key_S)
    assert live.outlet.wait_for_receiver(10.0)
    start = pylsl.local_clock()
    keys = {after: (key, modifier) for after, key, modifier, _ in CHANGES}
    for item in toy_run(toy_geometry, 18):
        if isinstance(item, Marker) and item.volumes is None and item.onset_s > 5:
            continue  # one long trial: only settings change the noise's pictures, and evidence
        send(live.outlet, iter([item]), start)
        if not isinstance(item, Volume):
            continue
        seen = item.number
        qtbot.waitUntil(lambda n=seen: pipeline.status.volumes.received > n)
        if seen >= 5:  # painted, whole, before anything changes
            qtbot.waitUntil(lambda n=seen: whole(window, n))
        if seen in keys:
            qtbot.keyClick(window, *keys[seen])
    qtbot.waitUntil(lambda: pipeline.ended, timeout=30_000)
    window.tick()
    pipeline.finish()
    live.finished = True
    told = [json.loads(line) for line in (live.folder / "settings.jsonl").read_text().splitlines()]
    expected = {key: told[0][key] for key in told[0] if key != "time"}
    frames = rows(live.folder / "frames.tsv")
    for n, (after, _, _, change) in enumerate(CHANGES, 1):
        expected |= change
        assert {key: told[n][key] for key in expected} == expected
        before = [row for row in frames if int(row["volume"]) <= after]
        assert max(int(row["settings"]) for row in before) == n - 1
        first = [row for row in frames if int(row["volume"]) == after + 1]
        assert {row["settings"] for row in first} == {str(n)}
    assert len(told) == len(CHANGES) + 1
    by_volume = {int(row["volume"]): row for row in frames if row["step"] == row["steps"]}
    assert [by_volume[v]["steps"] for v in (6, 7)] == ["2", "3"]
    assert not second_sample(live.folder, by_volume[12]).exists()
    assert second_sample(live.folder, by_volume[13]).exists()
    previews = [v for v in (14, 15) if any(
        int(row["volume"]) == v and row["step"] != row["steps"] for row in frames
    )]  # fmt: skip
    assert 15 not in previews


def whole(window: OperatorWindow, volume: int) -> bool:
    """Whether a volume's finished picture was painted, and something stands beside it if it can."""
    newest = window.traces.rows[-1]
    comparison = window.session.comparison
    beside = comparison is not None and comparison.decoded.volume == volume
    beside |= bool(window.session.uncompared)  # on a machine that is busy with other things
    return newest.number == volume and bool(np.isfinite(newest.final_ms)) and beside


def second_sample(folder: Path, row: dict[str, str]) -> Path:
    file = folder / "frames" / f"{int(row['frame']):06d}_sample-2.png"
    if file.exists():
        with Image.open(file) as picture:
            assert np.asarray(picture).std() > 0
    return file
