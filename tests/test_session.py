"""A session set up and taken down in this process."""

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


def test_while_it_lives_matrix_products_take_one_thread(
    toy_artifact: Artifact,
    toy_folder: Path,
    toy_geometry: Geometry,
    stream_name: str,
    tmp_path: Path,
) -> None:
    """A second one would wait for the display's core."""
    outlet = ScannerOutlet(stream_name, toy_geometry)
    session = Session(
        tmp_path / "decoder", stream_name, str(toy_folder), output=tmp_path / "session"
    )
    with threadpool_limits(2, user_api="blas"):
        with open_session(session, toy_artifact, threading.Event()):
            assert blas_threads() == {1}
        assert blas_threads() == {2}
    del outlet
