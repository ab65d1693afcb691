"""Whole sessions over real streams: nothing waits, nothing is lost, and faults are survived."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path

import numpy as np
import pylsl
import pytest
from PIL import Image

from calibration.data.samples import patterns_of
from rtrecon import wire
from rtrecon.artifact import Artifact
from rtrecon.bids import Run
from rtrecon.decode import Decode
from rtrecon.generators import Step
from rtrecon.preprocess import Preprocess
from rtrecon.session_folder import open_session_folder
from rtrecon.stimuli import find_pictures
from rtrecon.types import Event, Geometry, Marker, Phase, Volume
from tests.full_disk import files_end_at
from tests.live import SETTINGS, Live, Toy, rows
from tests.toy import NAMES, send, toy_run, toy_volumes


def test_a_session_leaves_a_complete_folder(live: Live, toy_geometry: Geometry) -> None:
    live.begin()
    send(live.outlet, toy_run(toy_geometry, 20), pylsl.local_clock())
    summary = live.finish()
    assert summary["volumes"] == {"received": 20, "lost": 0, "duplicate": 0, "rejected": 0}
    sent = toy_volumes(toy_geometry, 20)
    np.testing.assert_array_equal(np.load(live.folder / "volumes.npy"), np.moveaxis(sent, 3, 0))
    trials, frames = rows(live.folder / "trials.tsv"), rows(live.folder / "frames.tsv")
    assert len(np.load(live.folder / "z.npy")) == len(np.load(live.folder / "c.npy")) == len(trials)
    assert {row["trial_type"] for row in trials} <= set(NAMES)
    for row in frames:
        with Image.open(live.folder / "frames" / f"{int(row['frame']):06d}.png") as picture:
            assert picture.size == (8, 8)
        times = [float(row[key]) for key in ("received", "decoded", "drawn", "painted")]
        assert times == sorted(times)
    markers = (live.folder / "markers.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in markers][-1] == "run_end"
    assert live.pipeline.status.phase is Phase.ENDED
    assert summary["frames"]["shown"] == len(frames)  # type: ignore[index]
    assert json.loads((live.folder / "session.json").read_text())["geometry"]["tr_s"] == 2.0


def test_the_live_run_decodes_what_calibrations_code_decodes(
    live: Live, toy_artifact: Artifact, toy_geometry: Geometry
) -> None:
    """The same volumes, once over LSL and once from memory: equal to the bit."""
    items = list(toy_run(toy_geometry, 25))
    live.begin()
    send(live.outlet, iter(items), pylsl.local_clock())
    live.finish()
    trials = tuple(i for i in items if isinstance(i, Marker) and i.event is Event.TRIAL)
    run = Run("run", toy_geometry, toy_volumes(toy_geometry, 25), trials, Path())
    preprocess = toy_artifact.preprocess(toy_geometry.affine)
    offline = [Decode(toy_artifact)(pattern) for pattern in patterns_of(run, preprocess)]
    assert len(offline) > 10
    assert np.load(live.folder / "c.npy").tobytes() == np.stack([d.c for d in offline]).tobytes()
    z = np.stack([d.z for d in offline if d.z is not None])
    assert np.load(live.folder / "z.npy").tobytes() == z.tobytes()


def test_free_viewing_needs_no_marker_but_the_end(
    going_live: Callable[..., Live], toy: Toy, toy_geometry: Geometry
) -> None:
    """Every volume moves one picture on, and none is cut short by the next."""
    live = going_live(free_viewing=True)
    items = [
        item for item in toy_run(toy_geometry, 25)
        if isinstance(item, Volume) or item.event is not Event.TRIAL
    ]  # fmt: skip
    live.begin()
    send(live.outlet, iter(items), pylsl.local_clock())
    summary = live.finish()
    decoded, frames = rows(live.folder / "trials.tsv"), rows(live.folder / "frames.tsv")
    assert {row["trial"] for row in decoded} == {"0"}
    assert [int(row["volume"]) for row in decoded] == list(range(int(decoded[0]["volume"]), 25))
    assert len(decoded) > 15
    onsets = [float(row["onset_s"]) for row in decoded]
    assert onsets == sorted(set(onsets))
    assert frames[-1]["step"] == frames[-1]["steps"]
    assert toy.images_finished == toy.images_begun > 0
    assert summary["identification"]["trials"] == 0  # type: ignore[index]


def test_a_slow_generator_holds_up_nobody(live: Live, toy: Toy, toy_geometry: Geometry) -> None:
    """While one image is being made 50 volumes come: all are decoded, only the newest is drawn."""
    toy.gated = True
    live.begin()
    send(live.outlet, toy_run(toy_geometry, 50), pylsl.local_clock())
    assert live.pipeline._ingest.join(30)
    assert toy.images_begun == 1
    toy.gated = False
    toy.gate.release()
    summary = live.finish()
    assert summary["volumes"]["received"] == 50  # type: ignore[index]
    decoded = rows(live.folder / "trials.tsv")
    drawn = [int(row["volume"]) for row in rows(live.folder / "frames.tsv")]
    assert drawn[-1] == 49
    assert len(set(drawn)) <= 2
    never_drawn = len(decoded) - toy.images_begun
    assert live.pipeline._newest.superseded == never_drawn > 20
    assert summary["frames"]["superseded"] >= never_drawn  # type: ignore[index]


def test_a_marker_never_becomes_a_path(tmp_path: Path) -> None:
    (tmp_path / "stimuli").mkdir()
    for file in (tmp_path / "secret.png", tmp_path / "stimuli" / "dog.png"):
        Image.new("RGB", (4, 4)).save(file)
    pictures = find_pictures(tmp_path / "stimuli")
    assert "dog.png" in pictures
    assert pictures.get("../secret.png") is None
    assert pictures.get(str(tmp_path / "secret.png")) is None
    assert find_pictures(None) == {}


def test_what_is_shown_is_never_older_than_one_image_and_one_tr(
    going_live: Callable[..., Live], toy_artifact: Artifact, toy: Toy, toy_geometry: Geometry
) -> None:
    """TR 0.5 s and an image of 1.5 s, at a fifth of the time: real streams, real clock.

    Whenever an image is begun it is of the newest volume, which is a TR old at most; so when it is
    done it is an image and a TR old at most. Held by the order of events, which a busy machine
    does not change, and for the median by the clock.
    """
    geometry = replace(toy_geometry, tr_s=0.5, speed=5.0)
    live = going_live(replace(toy_artifact, tr_s=0.5), geometry)
    tr_s, image_s = 0.1, 0.3
    pause, real_images, begun = threading.Event(), toy.images, []

    def slow(*arguments: object) -> Iterator[Step]:
        begun.append(pylsl.local_clock())
        pause.wait(image_s)  # the generator's own time, not the test's
        yield from real_images(*arguments)  # type: ignore[arg-type]

    toy.images = slow  # type: ignore[method-assign]
    live.begin()
    start = pylsl.local_clock()
    one_long_trial = Marker(Event.TRIAL, "dog", 0.5, 40.0)
    volumes = (item for item in toy_run(geometry, 40) if isinstance(item, Volume))
    for item in (one_long_trial, *volumes, Marker(Event.RUN_END, volumes=40)):
        if isinstance(item, Volume):
            pause.wait(max(0.0, start + (item.number + 1) * tr_s - pylsl.local_clock()))
        send(live.outlet, iter([item]), start)
    summary = live.finish()
    assert summary["volumes"]["received"] == 40  # type: ignore[index]
    assert summary["frames"]["superseded"] > 10  # type: ignore[index]
    decoded = {int(r["volume"]): float(r["decoded"]) for r in rows(live.folder / "trials.tsv")}
    finals = [r for r in rows(live.folder / "frames.tsv") if r["step"] == r["steps"]]
    drawn = [int(row["volume"]) for row in finals]
    assert len(drawn) > 5
    for volume, moment in zip(drawn, begun[: len(drawn)], strict=True):
        newest = max((n for n, t in decoded.items() if t < moment - 0.02), default=0)
        assert volume >= newest
    ages = [float(row["painted"]) - float(row["received"]) for row in finals]
    assert np.median(ages) <= image_s + tr_s + 0.1


def test_a_rejected_volume_is_recorded_and_takes_part_in_nothing(
    live: Live, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    """What is decoded is the same as with the volume lost; read back it is the run that came."""
    items = [
        replace(item, data=np.full_like(item.data, np.nan))
        if isinstance(item, Volume) and item.number == 6
        else item
        for item in toy_run(toy_geometry, 20)
    ]
    live.begin()
    send(live.outlet, iter(items), pylsl.local_clock())
    summary = live.finish()
    assert summary["volumes"] == {"received": 19, "lost": 0, "duplicate": 0, "rejected": 1}
    session = open_session_folder(live.folder)
    assert [int(row["number"]) for row in session.rows] == list(range(20))
    assert [row["number"] for row in session.rows if row["fault"] != "n/a"] == ["6"]
    used = [item.number for item in session.walk() if isinstance(item, Volume)]
    assert used == [n for n in range(20) if n != 6]
    assert "6" not in [row["number"] for row in session.table("quality.tsv")]
    trials = session.table("trials.tsv")
    patterns, probabilities = (
        np.load(live.folder / f"{name}.npy") for name in ("patterns", "probabilities")
    )
    assert len(patterns) == len(probabilities) == len(trials)
    np.testing.assert_allclose(
        probabilities.max(axis=1), [float(row["confidence"]) for row in trials], atol=1e-6
    )
    swaps = (live.folder / "settings.jsonl").read_text().splitlines()
    assert {key: json.loads(swaps[0])[key] for key in asdict(SETTINGS)} == asdict(SETTINGS)
    # One line, and one more for each time that a slow machine made pictures lighter, which is told.
    assert len(swaps) == 1 + caplog.text.count("from now on")
    phases = [json.loads(line) for line in (live.folder / "status.jsonl").read_text().splitlines()]
    told = [line["phase"] for line in phases if line["phase"] != Phase.SILENT.value]
    assert (told[0], told[-1]) == (Phase.WAITING.value, Phase.ENDED.value)
    times = [line["time"] for line in phases]
    assert times == sorted(times)


@pytest.mark.parametrize("where", ["marker", "volume", "receiving"])
def test_a_fault_of_ours_in_the_ingest_thread_costs_what_it_befell_and_no_more(
    live: Live, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Whatever raises, and wherever: the volumes and markers that follow are recorded."""
    seams = {
        "marker": (Preprocess, "mark"), "volume": (Preprocess, "add"), "receiving": (wire, "volume_of"),
    }  # fmt: skip
    owner, name = seams[where]
    right, times = getattr(owner, name), count(1)

    def wrong_once(*arguments: object) -> object:
        if next(times) == 3:
            raise ZeroDivisionError("a mistake")
        return right(*arguments)

    monkeypatch.setattr(owner, name, wrong_once)
    live.begin()
    send(live.outlet, toy_run(toy_geometry, 20), pylsl.local_clock())
    summary = live.finish()
    lost = int(where == "receiving")
    assert summary["volumes"]["received"] == 20 - lost  # type: ignore[index]
    assert live.pipeline.status.phase is Phase.ENDED
    assert "ZeroDivisionError: a mistake" in live.pipeline.status.traceback
    session = open_session_folder(live.folder)
    assert len(session.rows) == 20 - lost
    assert sum(marker.event is Event.TRIAL for _, marker in session.markers) == 4


def test_receiving_may_fail_now_and_then_for_as_long_as_a_session_lasts(
    live: Live, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, times = wire.volume_of, count(1)

    def wrong_now_and_then(*arguments: object) -> object:
        if next(times) % 3 == 1:
            raise ZeroDivisionError("a mistake")
        return right(*arguments)

    monkeypatch.setattr(wire, "volume_of", wrong_now_and_then)
    live.begin()
    send(live.outlet, toy_run(toy_geometry, 30), pylsl.local_clock())
    summary = live.finish()
    assert summary["volumes"]["received"] == 20  # type: ignore[index]
    assert live.pipeline.status.phase is Phase.ENDED


def test_a_mistake_at_the_end_keeps_nobody_waiting_for_it(
    live: Live, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = live.pipeline._receiver.close

    def wrong() -> None:
        real()
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(live.pipeline._receiver, "close", wrong)
    live.begin()
    send(live.outlet, toy_run(toy_geometry, 5), pylsl.local_clock())
    assert live.finish()["volumes"]["received"] == 5  # type: ignore[index]
    assert "did not end as it should: ZeroDivisionError" in live.pipeline.status.message
    assert live.pipeline.status.phase is Phase.ENDED


def test_a_full_disk_ends_no_session(live: Live, toy_geometry: Geometry) -> None:
    """What it refused is written as soon as there is room again."""
    items = list(toy_run(toy_geometry, 20))
    live.begin()
    with files_end_at(3000):
        send(live.outlet, iter(items), pylsl.local_clock())
        assert live.pipeline._ingest.join(30)
        assert live.pipeline.status.recording.startswith("recording fails (File too large)")
    summary = live.finish()
    assert live.pipeline.status.phase is Phase.ENDED
    assert summary["volumes"]["received"] == 20  # type: ignore[index]
    assert summary["recording"]["failed_writes"] == 0  # type: ignore[index]
    session = open_session_folder(live.folder)
    assert len(session.rows) == 20
    sent = toy_volumes(toy_geometry, 20)
    for row, volume in zip(session.rows, session.volumes, strict=True):
        np.testing.assert_array_equal(volume, sent[..., int(row["number"])])


def test_a_picture_begun_before_a_pause_is_not_shown_in_it(
    live: Live, toy: Toy, toy_geometry: Geometry
) -> None:
    toy.gated = True
    *items, end = toy_run(toy_geometry, 20)
    live.begin()
    send(live.outlet, iter(items), pylsl.local_clock())
    until(lambda: toy.images_begun > 0 and live.pipeline.status.volumes.received == 20)
    live.pipeline.pause(True)
    toy.gate.release(1000)
    send(live.outlet, iter([end]), pylsl.local_clock())
    summary = live.finish()
    assert summary["frames"]["shown"] == 0  # type: ignore[index]
    assert len(np.load(live.folder / "z.npy")) > 5


def until(true: Callable[[], bool]) -> None:
    deadline = pylsl.local_clock() + 20
    while not true():
        assert pylsl.local_clock() < deadline
        threading.Event().wait(0.005)
