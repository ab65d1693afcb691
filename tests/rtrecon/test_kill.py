"""A session killed without warning loses no volume: its keeper records on to the end of the run."""

import json
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtrecon.artifact import Artifact, save_artifact
from rtrecon.types import Geometry
from rtrecon.wire import ScannerOutlet
from tests.kills import AFTER, check_whole, kill_one
from tests.toy import toy_run
from tests.victim import begin

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL here")


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_loses_no_volume(
    seed: int,
    stream_name: str,
    toy_artifact: Artifact,
    toy_folder: Path,
    toy_geometry: Geometry,
    tmp_path: Path,
) -> None:
    save_artifact(toy_artifact, tmp_path / "decoder")
    after_s = np.random.default_rng(seed).uniform(0.6, 2.0)
    killed = kill_one(
        stream_name, toy_geometry, tmp_path / "decoder", toy_folder, tmp_path / "s", after_s
    )
    assert 1 < killed.by_session < len(killed.volumes) - AFTER // 2
    check_whole(killed)


def test_ctrl_c_leaves_a_summary(
    stream_name: str,
    toy_artifact: Artifact,
    toy_folder: Path,
    toy_geometry: Geometry,
    tmp_path: Path,
) -> None:
    save_artifact(toy_artifact, tmp_path / "decoder")
    outlet = ScannerOutlet(stream_name, toy_geometry)
    process = begin(stream_name, tmp_path / "decoder", toy_folder, tmp_path / "s")
    try:
        assert outlet.wait_for_receiver(60.0)
        for item in toy_run(toy_geometry, 8):
            if hasattr(item, "data"):
                outlet.send_volume(item.number, item.data, pylsl.local_clock())
        written, deadline = tmp_path / "s" / "volumes.tsv", pylsl.local_clock() + 20
        while len(written.read_text().splitlines()) < 9 and pylsl.local_clock() < deadline:
            threading.Event().wait(0.01)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        process.join(30)
    finally:
        if process.is_alive():
            process.kill()
            process.join(30)
    assert process.exitcode == 0
    summary = json.loads((tmp_path / "s" / "summary.json").read_text())
    assert summary["volumes"]["received"] == 8
    assert summary["recording"] == {"failed_writes": 0, "first_error": None, "lost": []}
