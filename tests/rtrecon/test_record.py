"""What is recorded can be read at any moment, after a kill too."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtrecon.errors import BadConfig
from rtrecon.growing import GrowingArray
from rtrecon.record import Recorder, open_folder
from rtrecon.types import Decoded, Event, Frame, Geometry, Marker, Times, Trial, Volume


def test_a_growing_array_is_an_npy_file_after_every_row(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(12, 3, 4)).astype(np.float32)
    growing = GrowingArray(tmp_path / "x.npy", (3, 4), np.float32)
    for n, row in enumerate(rows, 1):
        growing.append(row)
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), rows[:n])
    growing.close()


def test_a_row_cut_off_by_a_kill_harms_no_other(tmp_path: Path) -> None:
    growing = GrowingArray(tmp_path / "x.npy", (100,), np.int16)
    growing.append(np.arange(100))
    growing.close()
    with (tmp_path / "x.npy").open("ab") as file:
        file.write(b"half a row")
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.arange(100)[None])


def test_a_killed_recorder_leaves_what_it_was_given(tmp_path: Path) -> None:
    """A process records five volumes and is killed without closing anything."""
    program = f"""
import os, signal, numpy as np
from pathlib import Path
from rtrecon.record import Recorder
from rtrecon.types import Geometry, Volume
recorder = Recorder(Path({str(tmp_path)!r}), Geometry((4, 4, 3), np.eye(4), 2.0), {{}})
for n in range(5):
    recorder.volume(Volume(n, np.full((4, 4, 3), n, np.int16)))
recorder._raw.put("", lambda: os.kill(os.getpid(), signal.SIGKILL))
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == -9
    volumes = np.load(tmp_path / "volumes.npy")
    assert volumes[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert len((tmp_path / "volumes.tsv").read_text().splitlines()) == 6
    assert json.loads((tmp_path / "session.json").read_text())["geometry"]["shape"] == [4, 4, 3]


def test_markers_cannot_break_out_of_a_table(tmp_path: Path, toy_geometry: Geometry) -> None:
    trial = Trial(1, "dog\tcat\nbird", 4.0, 6.0, "../../etc/passwd")
    scores = np.zeros(2, np.float32)
    decoded = Decoded(trial, 3, 5.0, None, np.ones((2, 2), np.float32), scores, scores, "dog", 0.5)
    recorder = Recorder(tmp_path / "s", toy_geometry, {})
    recorder.marker(Marker(Event.TRIAL, trial.trial_type, 4.0, stamp=1.5))
    recorder.decoded(decoded)
    recorder.frame(Frame(1, np.zeros((1, 8, 8, 3), np.uint8), decoded, 1, 4, Times(1, 2, 3, 4, 5)))
    recorder.close()
    with (tmp_path / "s" / "trials.tsv").open(newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert row["trial_type"] == "dog cat bird"
    assert row["confidence"] == "0.500000"
    marker = json.loads((tmp_path / "s" / "markers.jsonl").read_text())
    assert (marker["trial_type"], marker["stamp"]) == ("dog\tcat\nbird", 1.5)
    assert np.load(tmp_path / "s" / "c.npy").shape == (1, 2, 2)
    with Image.open(tmp_path / "s" / "frames" / "000001.png") as picture:
        assert picture.size == (8, 8)


def test_nothing_recorded_is_overwritten(tmp_path: Path, toy_geometry: Geometry) -> None:
    Recorder(tmp_path, toy_geometry, {}).close()
    with pytest.raises(BadConfig, match="already holds a session"):
        open_folder(tmp_path)
