"""A session set up and taken down in this process."""

import gc
import json
import threading
from pathlib import Path
from typing import Any

import pylsl
import pytest
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

from rtrecon.artifact import Artifact
from rtrecon.config import Session
from rtrecon.generators.adversarial import Adversarial
from rtrecon.generators.schedule import Schedule
from rtrecon.pipeline import show_headless
from rtrecon.session import open_session
from rtrecon.types import Geometry
from rtrecon.wire import ScannerOutlet
from tests import toy_models
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
    """What is compiled for a GPU belongs to one thread."""
    threads: list[str] = []
    begin = Schedule.begin

    def noted(self: Schedule, *arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        return begin(self, *arguments)

    monkeypatch.setattr(Schedule, "begin", noted)
    outlet = ScannerOutlet(stream_name, toy_geometry)
    session = Session(
        tmp_path / "decoder", stream_name, str(toy_folder), output=tmp_path / "session",
        fixed={"steps": 2},
    )  # fmt: skip
    with open_session(session, toy_artifact, threading.Event()) as pipeline:
        warmed_up = len(threads)
        shower = threading.Thread(target=show_headless, args=(pipeline,))
        shower.start()
        assert outlet.wait_for_receiver(10.0)
        send(outlet, toy_run(toy_geometry, 20), pylsl.local_clock())
        shower.join(timeout=60)
    assert len(threads) > warmed_up > 2
    assert set(threads) == {"rtrecon-draw"}
    about = json.loads((tmp_path / "session" / "session.json").read_text())
    assert about["settings"]["steps"] == 2
    assert about["settings"]["guidance"] == 5.0
    assert about["picture_s"] > 0


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
