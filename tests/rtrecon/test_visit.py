"""Several runs of one person: models loaded once, a folder each, and a pause in between."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtrecon import models
from rtrecon.artifact import Artifact, save_artifact
from rtrecon.config import Session
from rtrecon.errors import BadConfig, BadGenerator, StreamMissing
from rtrecon.generators.apart import load_apart
from rtrecon.pipeline import Pipeline, show_headless
from rtrecon.types import Event, Geometry, Marker, Volume
from rtrecon.visit import Visit, free_folder
from rtrecon.wire import ScannerOutlet
from tests.live import rows
from tests.toy import send, toy_run


@pytest.fixture
def choice(toy_artifact: Artifact, toy_folder: Path, stream_name: str, tmp_path: Path) -> Session:
    save_artifact(toy_artifact, tmp_path / "decoder")
    return Session(
        tmp_path / "decoder", stream_name, str(toy_folder), tmp_path / "session", wait_s=5.0,
        fixed={"steps": 1, "preview": False},
    )  # fmt: skip


@pytest.fixture
def outlet(stream_name: str, toy_geometry: Geometry) -> Iterator[ScannerOutlet]:
    outlet = ScannerOutlet(stream_name, toy_geometry)
    yield outlet
    del outlet


@pytest.fixture
def visit(caplog: pytest.LogCaptureFixture) -> Iterator[Visit]:
    caplog.set_level("INFO", logger="rtrecon")
    with closing(Visit()) as visit:
        yield visit


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In which thread a generator's process was begun, each time."""
    threads: list[str] = []

    def load(name: str) -> object:
        threads.append(threading.current_thread().name)
        return load_apart(name)

    monkeypatch.setattr(models, "load_apart", load)
    return threads


def shown(pipeline: Pipeline, outlet: ScannerOutlet) -> threading.Thread:
    shower = threading.Thread(target=show_headless, args=(pipeline,))
    shower.start()
    assert outlet.wait_for_receiver(10.0)
    return shower


def until(true: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = pylsl.local_clock() + timeout_s
    while not true():
        assert pylsl.local_clock() < deadline
        threading.Event().wait(0.005)


def test_runs_follow_one_another_with_everything_loaded_once(
    visit: Visit, choice: Session, outlet: ScannerOutlet, toy_geometry: Geometry,
    loads: list[str], tmp_path: Path,
) -> None:  # fmt: skip
    assert not [f for f in visit.check(choice) if f.ok is False]
    pipeline = visit.open_run(choice)
    for n, folder in enumerate(("session", "session_run-2"), 1):
        shower = shown(pipeline, outlet)
        send(outlet, toy_run(toy_geometry, 10 + n), pylsl.local_clock())
        shower.join(timeout=30)
        assert pipeline.folder == tmp_path / folder
        if n == 1:
            ended = visit.end_run()
            assert ended is not None
            assert (ended.folder, ended.volumes.received) == (tmp_path / folder, 11)
            assert ended.trials > 0
            assert ended.chance == pytest.approx(1 / 3)
            assert 0 <= ended.top1 <= 1
        if n == 1:
            pipeline = visit.next_run()
    assert visit.end_run() is not None
    assert visit.end_run() is None
    assert loads == ["rtrecon-draw"]
    for n, folder in enumerate(("session", "session_run-2"), 1):
        summary = json.loads((tmp_path / folder / "summary.json").read_text())
        assert summary["volumes"]["received"] == 10 + n
        assert "the session is in" in (tmp_path / folder / "log.txt").read_text()


def test_a_decoder_that_was_fitted_again_is_read_again(
    visit: Visit, choice: Session, toy_artifact: Artifact
) -> None:
    wait = replace(choice, wait_s=0.05)
    texts = [f.text for f in visit.check(wait) if f.name == "decoder"]
    save_artifact(replace(toy_artifact, name="sub-anew"), choice.decoder)
    texts += [f.text for f in visit.check(wait) if f.name == "decoder"]
    assert ["sub-toy" in texts[0], "sub-anew" in texts[1]] == [True, True]


def test_a_run_that_cannot_be_opened_leaves_the_visit_as_it_was(
    visit: Visit, choice: Session, outlet: ScannerOutlet, tmp_path: Path
) -> None:
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "session.json").write_text("{}")
    with pytest.raises(BadConfig, match="already holds a session"):
        visit.open_run(choice)
    with pytest.raises(BadGenerator, match="neither a folder nor a known name"):
        visit.open_run(replace(choice, generator="no-such-thing", output=tmp_path / "other"))
    assert not (tmp_path / "other").exists()
    pipeline = visit.open_run(replace(choice, output=free_folder(choice.output)))
    assert pipeline.folder == tmp_path / "session_run-2"
    ended = visit.end_run()
    assert ended is not None
    assert (ended.volumes.received, ended.trials, np.isnan(ended.top1)) == (0, 0, True)


def test_while_paused_nothing_is_shown_or_told_and_everything_recorded(
    visit: Visit, choice: Session, outlet: ScannerOutlet, toy_geometry: Geometry, tmp_path: Path
) -> None:
    items = list(toy_run(toy_geometry, 30))
    parts = [[i for i in items if _part(i) == part] for part in range(3)]
    pipeline = visit.open_run(choice)
    (heard,) = pylsl.resolve_byprop("name", f"{choice.stream}-feedback", 1, 10.0)
    feedback = pylsl.StreamInlet(heard, recover=False)
    feedback.open_stream(timeout=10.0)
    shower = shown(pipeline, outlet)
    for part, volumes in ((0, 10), (1, 20)):
        pipeline.pause(part == 1)
        send(outlet, iter(parts[part]), pylsl.local_clock())
        until(lambda volumes=volumes: pipeline.status.volumes.received == volumes)
        until(lambda part=part: part == 1 or pipeline.status.shown > 0)
        until(lambda volumes=volumes: pipeline.decoded and pipeline.decoded.volume == volumes - 1)
    assert pipeline.status.paused
    assert pipeline.presentation.blank
    pipeline.pause(False)
    assert not pipeline.status.paused
    assert not pipeline.presentation.blank
    send(outlet, iter(parts[2]), pylsl.local_clock())
    shower.join(timeout=30)
    told = {json.loads(text[0])["volume"] for text in feedback.pull_chunk(0.5, 100)[0]}
    visit.end_run()
    folder = tmp_path / "session"
    decoded = {int(row["volume"]) for row in rows(folder / "trials.tsv")}
    assert len(decoded & set(range(10, 20))) >= 5  # between its onset and its rise none is
    drawn = {int(row["volume"]) for row in rows(folder / "frames.tsv")}
    assert drawn & set(range(10))
    assert not drawn & set(range(10, 20))
    assert drawn & set(range(20, 30))
    assert len(np.load(folder / "volumes.npy")) == 30
    assert told & set(range(10))
    assert not told & set(range(10, 20))
    lines = [json.loads(line) for line in (folder / "status.jsonl").read_text().splitlines()]
    paused = [line["paused"] for line in lines if line["phase"] == "running"]
    assert [on for on, _ in groupby(paused)] == [False, True, False]
    assert "paused: volumes are recorded" in (folder / "log.txt").read_text()


def _part(item: Volume | Marker) -> int:
    """Which ten volumes it belongs to."""
    if isinstance(item, Volume):
        return item.number // 10
    if item.event is Event.TRIAL:
        return int(item.onset_s // 20)
    return 0 if item.event is Event.RUN_START else 2


def test_the_next_folder(tmp_path: Path) -> None:
    def taken(name: str) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "session.json").write_text("{}")
        return tmp_path / name

    assert free_folder(tmp_path / "a_run-2") == tmp_path / "a_run-2"
    a = taken("a")
    assert free_folder(a) == tmp_path / "a_run-2"
    second = taken("a_run-2")
    assert free_folder(a) == free_folder(second) == tmp_path / "a_run-3"
    assert free_folder(tmp_path / "b") == tmp_path / "b"
    assert free_folder(None).parent == Path("sessions")


def test_a_stop_before_the_first_run_is_not_forgotten(choice: Session) -> None:
    """As by Ctrl-C while models load: nothing waits for a stream any more."""
    stop = threading.Event()
    stop.set()
    with closing(Visit(stop)) as visit:
        began = pylsl.local_clock()
        with pytest.raises(StreamMissing):
            visit.open_run(replace(choice, wait_s=60.0))
        assert pylsl.local_clock() - began < 30
