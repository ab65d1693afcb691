"""A session set up and taken down in this process."""

import gc
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl
import pytest
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

from rtrecon import models
from rtrecon.artifact import Artifact, save_artifact
from rtrecon.config import Session
from rtrecon.errors import BadInput
from rtrecon.generators.adversarial import Adversarial
from rtrecon.generators.apart import Apart, load_apart
from rtrecon.generators.diffusion import Diffusion
from rtrecon.models import Models
from rtrecon.pipeline import show_headless
from rtrecon.session import open_session
from rtrecon.types import Event, Geometry, Marker, Phase, Volume
from rtrecon.verify import verify
from rtrecon.wire import ScannerOutlet
from tests import toy_models
from tests.live import rows
from tests.told import eventually
from tests.toy import artifact_for, send, toy_run


def blas_threads() -> set[int]:
    return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}


def test_while_it_lives_no_second_thread_and_no_large_collection_hold_it_up(
    toy_artifact: Artifact,
    toy_folder: Path,
    toy_geometry: Geometry,
    stream_name: str,
    tmp_path: Path,
) -> None:
    """Of matrix products; and of what was loaded before."""
    outlet = ScannerOutlet(stream_name, toy_geometry)
    session = Session(
        tmp_path / "decoder", stream_name, str(toy_folder), output=tmp_path / "session"
    )
    with threadpool_limits(2, user_api="blas"):
        with open_session(session, toy_artifact, threading.Event()):
            assert blas_threads() == {1}
            assert gc.get_freeze_count() > 10_000
        assert blas_threads() == {2}
        assert gc.get_freeze_count() == 0
    del outlet


def test_the_thread_that_warms_the_model_up_is_the_one_that_draws(
    toy_artifact: Artifact,
    toy_folder: Path,
    toy_geometry: Geometry,
    stream_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is compiled for a GPU belongs to one thread of one process, which is not this one."""
    notes = tmp_path / "notes"

    def load(name: str) -> Apart:
        return load_apart(f"{notes}|{name}", "tests.faulty:load_noting")

    monkeypatch.setattr(models, "load_apart", load)
    outlet = ScannerOutlet(stream_name, toy_geometry)
    session = Session(
        tmp_path / "decoder", stream_name, str(toy_folder), output=tmp_path / "session",
        fixed={"steps": 2},
    )  # fmt: skip
    with open_session(session, toy_artifact, threading.Event()) as pipeline:
        warmed_up = len(notes.read_text().splitlines())
        shower = threading.Thread(target=show_headless, args=(pipeline,))
        shower.start()
        assert outlet.wait_for_receiver(10.0)
        send(outlet, toy_run(toy_geometry, 20), pylsl.local_clock())
        shower.join(timeout=60)
    noted = [json.loads(line) for line in notes.read_text().splitlines()]
    assert len(noted) > warmed_up > 4
    assert [noted[0][0], noted[warmed_up - 1][0]] == ["load", "settle"]
    (where,) = {(pid, thread) for _, pid, thread, _ in noted}
    assert where[0] != os.getpid()
    about = json.loads((tmp_path / "session" / "session.json").read_text())
    assert about["settings"]["steps"] == 2
    assert about["settings"]["guidance"] == 5.0
    assert about["picture_s"] > 0


def test_what_cannot_be_begun_leaves_nothing_open(
    toy_artifact: Artifact, toy_generator: Diffusion, toy_geometry: Geometry, stream_name: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Found out when the record is open already: no thread may keep the program from ending."""
    monkeypatch.setattr(models, "load_apart", lambda name: toy_generator)
    monkeypatch.setattr(toy_generator, "close", lambda: None, raising=False)
    empty = replace(toy_artifact, reference=np.zeros(toy_artifact.shape, np.float32))
    session = Session(tmp_path / "decoder", stream_name, "toy", output=tmp_path / "session")
    outlet = ScannerOutlet(stream_name, toy_geometry)
    with (
        pytest.raises(BadInput, match="reference"),
        open_session(session, empty, threading.Event()),
    ):
        pass
    # The keeper's may still be waiting for its process, which it then says goodbye to.
    eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("rtrecon")], 60.0)

    def left_alone() -> bool:
        """LSL finds out that a process is gone when it has something to send to it."""
        outlet.send_volume(0, np.ones(toy_geometry.shape, np.float32), pylsl.local_clock())
        outlet.send_marker(Marker(Event.TRIGGER), pylsl.local_clock())
        return not outlet.has_receiver

    eventually(left_alone, 30.0)


def test_a_session_loses_its_generator_and_no_volume(
    toy_artifact: Artifact, toy_folder: Path, toy_geometry: Geometry, stream_name: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Killed in the middle of a run: told, pictures go on by themselves, and all of it verifies."""
    save_artifact(toy_artifact, tmp_path / "decoder")
    session = Session(
        tmp_path / "decoder", stream_name, str(toy_folder), output=tmp_path / "session",
        fixed={"steps": 2},
    )  # fmt: skip
    outlet, start = ScannerOutlet(stream_name, toy_geometry), pylsl.local_clock()
    items = list(toy_run(toy_geometry, 60))
    middle = items.index(next(i for i in items if isinstance(i, Volume) and i.number == 20))
    with (
        closing(Models()) as loaded,
        open_session(session, toy_artifact, threading.Event(), loaded) as pipeline,
    ):
        shower = threading.Thread(target=show_headless, args=(pipeline,))
        shower.start()
        assert outlet.wait_for_receiver(10.0)
        send(outlet, iter(items[:middle]), start)
        _until(lambda: pipeline.status.shown > 0)
        generator = loaded._generators[str(toy_folder)]
        assert generator._child is not None
        os.kill(generator._child._process.pid, signal.SIGKILL)
        send(outlet, iter(items[middle : middle + 10]), start)
        _until(lambda: "the generator's process ended (signal 9" in pipeline.status.message)
        _until(lambda: generator.trouble == "")
        before = pipeline.status.shown
        send(outlet, iter(items[middle + 10 : -1]), start)
        _until(lambda: pipeline.status.shown > before)
        assert pipeline.status.phase is not Phase.FAILED
        send(outlet, iter(items[-1:]), start)
        shower.join(timeout=60)
    assert len(np.load(tmp_path / "session" / "volumes.npy")) == 60
    frames = rows(tmp_path / "session" / "frames.tsv")
    assert min(int(row["volume"]) for row in frames) < 20 < int(frames[-1]["volume"])
    verdict = verify(tmp_path / "session", generator=str(toy_folder))
    assert not verdict.first
    assert "frames" in verdict.table()


def _until(true: Callable[[], object]) -> None:
    deadline = pylsl.local_clock() + 30
    while not true():
        assert pylsl.local_clock() < deadline
        threading.Event().wait(0.005)


def test_a_session_is_the_same_whatever_draws(
    toy_geometry: Geometry, stream_name: str, tmp_path: Path
) -> None:
    """An adversarial generator in the place of a diffusion model; one that has no steps."""
    folder = toy_models.adversarial(tmp_path / "gan")
    outlet = ScannerOutlet(stream_name, toy_geometry)
    session = Session(tmp_path / "decoder", stream_name, str(folder), output=tmp_path / "session")
    artifact = artifact_for(Adversarial(folder, "toy"), toy_geometry)
    with open_session(session, artifact, threading.Event()) as pipeline:
        shower = threading.Thread(target=show_headless, args=(pipeline,))
        shower.start()
        assert outlet.wait_for_receiver(10.0)
        send(outlet, toy_run(toy_geometry, 20), pylsl.local_clock())
        shower.join(timeout=60)
    counts = json.loads((tmp_path / "session" / "summary.json").read_text())["volumes"]
    assert (counts["received"], counts["lost"]) == (20, 0)
    with Image.open(next((tmp_path / "session" / "frames").glob("*.png"))) as picture:
        assert picture.size == (64, 64)
