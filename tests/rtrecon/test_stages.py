"""Stages that hang in a session with real streams: told, shown while it lasts, and nothing is lost."""

import threading
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtrecon import watchdogs
from rtrecon.types import Frame, Geometry, Volume
from rtrecon.wire import ScannerOutlet
from tests.live import Live, Toy, rows
from tests.told import eventually
from tests.toy import send, toy_run, toy_volumes
from tests.victim import json_lines


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets of a machine that has nothing else to do."""
    monkeypatch.setattr(watchdogs, "LEAST_S", 0.3)
    monkeypatch.setattr(watchdogs, "OVER_S", 0.2)


@pytest.fixture
def watched(quick: None, going_live: Callable[..., Live]) -> Live:
    return going_live()


@pytest.fixture
def free() -> Iterator[threading.Event]:
    """What a stage waits for that hangs; it does not hang longer than the test."""
    event = threading.Event()
    yield event
    event.set()


def stages(live: Live) -> list[str]:
    return [trouble.stage for trouble in live.pipeline.status.troubles]


def told(folder: Path) -> list[list[str]]:
    """The stages in trouble in each line of status.jsonl, as often as they change."""
    lines = [[t["stage"] for t in line["troubles"]] for line in json_lines(folder / "status.jsonl")]
    return lines[:1] + [b for a, b in pairwise(lines) if a != b]


def all_there(folder: Path, geometry: Geometry, count: int) -> None:
    """Every volume, to the bit, and each decoded that can be."""
    sent = toy_volumes(geometry, count)
    np.testing.assert_array_equal(np.load(folder / "volumes.npy"), np.moveaxis(sent, 3, 0))
    assert len(rows(folder / "trials.tsv")) > count // 2


def test_a_drawing_and_a_display_that_hang_are_told_and_hold_up_nothing(
    watched: Live, toy: Toy, toy_geometry: Geometry, free: threading.Event,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    live, pipeline = watched, watched.pipeline
    shown: list[Frame] = []

    def hang(frame: Frame) -> None:
        shown.append(frame)
        free.wait(30)

    pipeline.shown = hang  # type: ignore[method-assign]
    toy.gated = True
    *items, end = toy_run(toy_geometry, 40)
    live.begin()
    send(live.outlet, iter(items), pylsl.local_clock())
    eventually(lambda: "draw" in stages(live))
    (trouble,) = [t for t in pipeline.status.troubles if t.stage == "draw"]
    assert trouble.wrong == "pictures stand still, the generator does not answer"
    eventually(lambda: pipeline.status.volumes.received == 40)
    eventually(lambda: pipeline.decoded is not None and pipeline.decoded.volume == 39)
    toy.gate.release(1000)
    eventually(lambda: "display" in stages(live) and "draw" not in stages(live))
    assert len(shown) == 1
    free.set()
    eventually(lambda: "display" not in stages(live))
    assert shown[1].decoded.volume == 39  # the newest, at once
    assert shown[1].final
    send(live.outlet, iter([end]), pylsl.local_clock())
    live.finish()
    all_there(live.folder, toy_geometry, 40)
    changes = [set(one) - {"receive", "decode"} for one in told(live.folder)]
    assert {"draw"} in changes
    assert {"display"} in changes
    assert changes[-1] == set()
    for what in ("pictures stand still", "the display takes nothing"):
        assert len([m for m in caplog.messages if m.startswith(what)]) == 1
        assert len([m for m in caplog.messages if m.startswith("over") and what in m]) == 1


def test_work_that_hangs_is_told_and_what_comes_meanwhile_waits(
    watched: Live, toy_geometry: Geometry, free: threading.Event
) -> None:
    live, pipeline = watched, watched.pipeline
    decode = pipeline._ingest._decode

    def hang(pattern: object) -> object:
        free.wait(30)
        return decode(pattern)  # type: ignore[arg-type]

    pipeline._ingest._decode = hang  # type: ignore[assignment]
    live.begin()
    send(live.outlet, toy_run(toy_geometry, 40), pylsl.local_clock())
    hangs = "volume 4 is still being worked on"  # before it there is nothing to decode
    eventually(lambda: hangs in [trouble.wrong for trouble in pipeline.status.troubles])
    at = pipeline.status.volumes.received - 1
    assert at == 4
    eventually(lambda: pipeline._receiver.waiting == 40 - at - 1)
    free.set()
    summary = live.finish()
    assert summary["volumes"]["received"] == 40  # type: ignore[index]
    all_there(live.folder, toy_geometry, 40)
    assert ["decode"] in told(live.folder)


def test_a_backlog_is_told_while_it_lasts(
    watched: Live, toy_geometry: Geometry, free: threading.Event
) -> None:
    """Each volume takes far longer than the next is away, and none so long that it hangs."""
    pipeline = watched.pipeline
    work = pipeline._ingest._take_volume

    def slow(volume: Volume) -> None:
        free.wait(0.06)
        work(volume)

    pipeline._ingest._take_volume = slow  # type: ignore[method-assign]
    watched.begin()
    send(watched.outlet, toy_run(toy_geometry, 40), pylsl.local_clock())
    eventually(lambda: "decode" in stages(watched))
    (trouble,) = [t for t in pipeline.status.troubles if t.stage == "decode"]
    assert trouble.wrong == "volumes come faster than they are decoded"
    free.set()
    watched.finish()
    all_there(watched.folder, toy_geometry, 40)


def test_a_second_scanner_and_a_volume_that_is_left_out_are_told(
    watched: Live, stream_name: str, toy_geometry: Geometry
) -> None:
    live, pipeline = watched, watched.pipeline
    data, numbers = np.moveaxis(toy_volumes(toy_geometry, 40), 3, 0), count()
    start = pylsl.local_clock()

    def send_one() -> None:
        number = next(numbers)
        moved = np.roll(data[number % 40], 3 if number == 8 else 0, axis=1)
        send(live.outlet, iter([Volume(number, moved)]), start)

    def told_of_the_other() -> bool:
        send_one()
        return any("sends too" in trouble.what for trouble in pipeline.status.troubles)

    live.begin()
    for _ in range(10):
        send_one()
    eventually(lambda: pipeline.status.message.startswith("volume 8 counts 0 %: DVARS"))
    other = ScannerOutlet(stream_name, toy_geometry, "another")
    eventually(told_of_the_other)
    (trouble,) = [t for t in pipeline.status.troubles if t.stage == "receive"]
    assert "with source id 'another'" in trouble.what
    assert "only the first is heard; stop or rename the other" in trouble.what
    pipeline.stop()
    live.finish()
    del other
    messages = [line["message"] for line in json_lines(live.folder / "status.jsonl")]
    assert not any("start-up" in message for message in messages)  # as every run begins


@pytest.mark.usefixtures("quick")
def test_by_a_code_nothing_is_told_of_how_pictures_come(
    going_live: Callable[..., Live], toy: Toy, toy_geometry: Geometry
) -> None:
    """A generator that hangs would tell that there is one."""
    from rtrecon.sham import Coded

    live = going_live(coded=Coded("P01", None))
    toy.gated = True
    live.begin()
    send(live.outlet, toy_run(toy_geometry, 20), pylsl.local_clock())
    eventually(lambda: live.pipeline.status.volumes.received == 20)
    looked = live.pipeline.watchdogs
    assert "draw" not in [stage.name for stage in looked._stages]
    assert {"record", "receive", "decode", "display"} == {stage.name for stage in looked._stages}
    toy.gate.release(1000)
    live.finish()
