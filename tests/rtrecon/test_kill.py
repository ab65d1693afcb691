"""A session killed without warning loses no volume: its keeper records on. One suspended, none."""

import json
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtrecon import watchdogs
from rtrecon.artifact import Artifact, save_artifact
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Geometry
from rtrecon.wire import ScannerOutlet
from tests.kills import AFTER, check_whole, kill_one
from tests.told import eventually
from tests.toy import send, toy_run, toy_volumes
from tests.victim import begin

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals here")


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


def test_a_program_that_stood_still_reads_what_came_meanwhile(
    stream_name: str, toy_artifact: Artifact, toy_folder: Path, toy_geometry: Geometry,
    tmp_path: Path,
) -> None:  # fmt: skip
    """It stands still for longer than `--until-idle`, and volumes come meanwhile."""
    save_artifact(toy_artifact, tmp_path / "decoder")
    folder, outlet = tmp_path / "s", ScannerOutlet(stream_name, toy_geometry)
    *items, end = toy_run(toy_geometry, 20)
    process = begin(
        stream_name, tmp_path / "decoder", toy_folder, folder, "--until-idle", "2.5"
    )  # fmt: skip
    try:
        assert outlet.wait_for_receiver(60.0)
        start = pylsl.local_clock()
        send(outlet, iter(items[:10]), start)
        eventually(lambda: (folder / "volumes.tsv").read_text().count("\n") > 5)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        send(outlet, iter(items[10:]), start)
        threading.Event().wait(watchdogs.TOLD_S + 0.3)  # the standstill itself
        os.kill(process.pid, signal.SIGCONT)
        eventually(lambda: (folder / "volumes.tsv").read_text().count("\n") == 21)
        eventually(lambda: "the program stood still for" in (folder / "log.txt").read_text())
        send(outlet, iter([end]), start)
        process.join(60)
    finally:
        if process.is_alive():
            process.kill()
            process.join(30)
    assert process.exitcode == 0
    said = (folder / "log.txt").read_text()
    assert said.count("the program stood still") == 1
    assert "ended as --until-idle says" not in said
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["volumes"] == {"received": 20, "lost": 0, "duplicate": 0, "rejected": 0}
    sent = np.moveaxis(toy_volumes(toy_geometry, 20), 3, 0)
    np.testing.assert_array_equal(open_session_folder(folder).volumes, sent)
