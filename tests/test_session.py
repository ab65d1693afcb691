"""A session set up and taken down in this process."""

import gc
import threading
from pathlib import Path

from threadpoolctl import threadpool_info, threadpool_limits

from rtrecon.artifact import Artifact
from rtrecon.config import Session
from rtrecon.session import open_session
from rtrecon.types import Geometry
from rtrecon.wire import ScannerOutlet


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
