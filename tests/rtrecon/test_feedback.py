"""What is decoded goes out over LSL while it is decoded, and into the session's XDF file."""

import csv
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pylsl
import pytest
from pylsl.util import LostError

from rtrecon.artifact import Artifact
from rtrecon.config import Session
from rtrecon.connect import find_stream
from rtrecon.feedback import feedback_of, feedback_stream
from rtrecon.pipeline import show_headless
from rtrecon.session import open_session
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Decoded, Geometry, Marker, Trial, Volume
from rtrecon.wire import ScannerOutlet, marker_stream, text_of
from rtrecon.xdf_runs import items
from tests.toy import NAMES, send, toy_run

COUNT = 20
DECODED = 10  # of them, with evidence of a trial


class Said(logging.Handler):
    """Hears what the recorder says, so that a test can wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._heard = threading.Condition()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        with self._heard:
            self._lines.append(record.getMessage())
            self._heard.notify_all()

    def wait(self, text: str) -> None:
        with self._heard:
            assert self._heard.wait_for(lambda: any(text in line for line in self._lines), 20)


@pytest.fixture
def said() -> Iterator[Said]:
    handler, logger = Said(), logging.getLogger("rtrecon")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_session_is_recorded_whole_and_its_feedback_heard(
    toy_artifact: Artifact,
    toy_folder: Path,
    toy_geometry: Geometry,
    stream_name: str,
    tmp_path: Path,
    said: Said,
) -> None:
    folder = tmp_path / "session"
    outlet = ScannerOutlet(stream_name, toy_geometry)
    session = Session(
        tmp_path / "decoder", stream_name, str(toy_folder), output=folder, xdf=True,
        fixed={"steps": 2},
    )  # fmt: skip
    with open_session(session, toy_artifact, threading.Event()) as pipeline:
        (found,) = pylsl.resolve_byprop("name", feedback_stream(stream_name), timeout=10)
        inlet = pylsl.StreamInlet(found, recover=False)
        inlet.open_stream(timeout=10)
        shower = threading.Thread(target=show_headless, args=(pipeline,))
        shower.start()
        for stream in (stream_name, marker_stream(stream_name), feedback_stream(stream_name)):
            said.wait(f"stream '{stream}' is recorded to session.xdf")
        assert find_stream(stream_name, 10, threading.Event()).type() == "fMRI"
        send(outlet, toy_run(toy_geometry, COUNT), pylsl.local_clock())
        shower.join(timeout=60)
        heard, stamps = inlet.pull_chunk(5.0, max_samples=100, min_samples=DECODED)
    with pytest.raises(LostError):  # it ends with its session
        inlet.pull_sample(timeout=20)
    assert_feedback(folder, [json.loads(text) for (text,) in heard], stamps)
    assert_xdf_is_the_folder(folder)
    assert b"-view" not in (folder / "session.xdf").read_bytes()  # all that it tells is recorded


def assert_feedback(folder: Path, told: list[dict[str, object]], stamps: list[float]) -> None:
    """Against what the session's own table says."""
    with (folder / "trials.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(told) == len(rows) == DECODED
    for row, one, stamp in zip(rows, told, stamps, strict=True):
        assert (row["trial"], row["volume"]) == (str(one["trial"]), str(one["volume"]))
        assert row["predicted"] == one["predicted"]
        assert float(row["confidence"]) == pytest.approx(one["confidence"], abs=1e-5)
        assert float(row["age_s"]) == pytest.approx(one["age_s"], abs=1e-5)
        assert float(row["decoded"]) == pytest.approx(stamp, abs=1e-5)
        assert set(one["probabilities"]) == set(NAMES)  # type: ignore[call-overload]


def assert_xdf_is_the_folder(folder: Path) -> None:
    recorded = open_session_folder(folder)
    geometry, found = items(folder / "session.xdf")
    assert geometry.shape == recorded.geometry.shape
    walked = list(recorded.walk())
    volumes, own = ([i for i in these if isinstance(i, Volume)] for these in (found, walked))
    assert [v.number for v in volumes] == [v.number for v in own] == list(range(COUNT))
    for a, b in zip(volumes, own, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
        assert a.times.acquired == pytest.approx(b.times.acquired, abs=1e-3)
    markers, known = ([i for i in these if isinstance(i, Marker)] for these in (found, walked))
    assert [text_of(m) for m in markers] == [text_of(m) for m in known]
    for a, b in zip(markers, known, strict=True):
        assert a.stamp == pytest.approx(b.stamp, abs=1e-3)


def test_feedback_is_one_json_object() -> None:
    decoded = Decoded(
        Trial(3, "dog", 12.0, 6.0), 9, 8.0, None, np.zeros((1, 1), np.float32),
        np.zeros(2, np.float32), np.array([0.25, 0.75], np.float32), "cat", 0.75,
    )  # fmt: skip
    assert json.loads(feedback_of(decoded, ("dog", "cat"))) == {
        "trial": 3, "trial_type": "dog", "onset_s": 12.0, "volume": 9, "age_s": 8.0,
        "predicted": "cat", "confidence": 0.75, "chance": 0.5,
        "probabilities": {"dog": 0.25, "cat": 0.75},
    }  # fmt: skip
