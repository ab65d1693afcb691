"""The participant stops: from then on nothing is shown, told or recorded."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from struct import unpack

import numpy as np
import pylsl
import pytest

from rtrecon.artifact import Artifact
from rtrecon.config import Session
from rtrecon.pipeline import show_headless
from rtrecon.remote import Follower
from rtrecon.session import open_session
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Event, Geometry, Marker, Phase, Volume
from rtrecon.wire import ScannerOutlet
from simulator.recording import of_session
from tests.live import Live
from tests.told import eventually
from tests.toy import send, toy_run


def until_recorded(folder: Path, count: int) -> None:
    eventually(lambda: len(open_session_folder(folder).rows) >= count, 20.0)


def send_some(live: Live, count: int) -> None:
    for item in list(toy_run(live.outlet.geometry, count))[:-1]:
        if isinstance(item, Volume):
            live.outlet.send_volume(item.number, item.data, pylsl.local_clock())
        else:
            live.outlet.send_marker(item, pylsl.local_clock())


def stop_by_call(live: Live) -> None:
    live.pipeline.withdraw()


def stop_by_marker(live: Live) -> None:
    """A program beside the session, such as the one that shows the stimuli."""
    live.outlet.send_marker(Marker(Event.WITHDRAW), pylsl.local_clock())


@pytest.mark.parametrize("stop", [stop_by_call, stop_by_marker])
def test_nothing_of_what_comes_after_is_kept_or_shown(
    live: Live, stop: Callable[[Live], None]
) -> None:
    live.begin()
    send_some(live, 10)
    until_recorded(live.folder, 10)
    eventually(lambda: live.pipeline.frames.newest is not None)
    stop(live)
    eventually(lambda: live.pipeline.status.phase is Phase.WITHDRAWN)
    for number in range(10, 14):
        live.outlet.send_volume(number, np.ones((6, 5, 4), "float32"), pylsl.local_clock())
    assert live.pipeline.presentation.blank
    assert live.pipeline.frames.newest is None
    summary = live.finish()
    assert live.pipeline.decoded is None
    assert summary["withdrawn"] is True
    assert not live.pipeline.failed
    kept = open_session_folder(live.folder)
    assert [int(row["number"]) for row in kept.rows] == list(range(10))
    states = [json.loads(x) for x in (live.folder / "status.jsonl").read_text().splitlines()]
    assert states[-1]["phase"] == "stopped by the participant"
    assert all(
        m.event is not Event.WITHDRAW
        for m in of_session(live.folder).walk()
        if isinstance(m, Marker)
    )  # or a replay would end whoever listens


def test_an_xdf_file_devices_and_the_overview_pictures_end_there_too(
    toy_artifact: Artifact, toy_folder: Path, toy_geometry: Geometry, stream_name: str, tmp_path: Path
) -> None:  # fmt: skip
    outlet = ScannerOutlet(stream_name, toy_geometry)
    folder = tmp_path / "session"
    device = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    device.bind(("127.0.0.1", 0))
    device.settimeout(0.2)
    tables = {
        "protocol": {"measure": "probability", "target": "dog", "when": "trial"},
        "output": [
            {"kind": "osc", "port": device.getsockname()[1], "arguments": ["number", "time"]}
        ],
    }
    session = Session(
        tmp_path / "decoder", stream_name, str(toy_folder), output=folder, fixed={"steps": 2},
        xdf=True, tables=tables,
    )  # fmt: skip
    with open_session(session, toy_artifact, threading.Event()) as pipeline:
        shower = threading.Thread(target=show_headless, args=(pipeline,))
        shower.start()
        assert outlet.wait_for_receiver(10.0)
        send(outlet, iter(list(toy_run(toy_geometry, 7))[:-1]), pylsl.local_clock())
        eventually(lambda: pipeline.decoded is not None and pipeline.decoded.volume == 6)
        pipeline.withdraw()
        stopped = pylsl.local_clock()
        size = (folder / "session.xdf").stat().st_size
        outlet.send_volume(7, np.ones((6, 5, 4), "float32"), pylsl.local_clock())
        shower.join(timeout=30)
    with closing(device), suppress(TimeoutError):
        while True:  # the trial that was cut off is not told; number 0: that nothing is any more
            number, time = unpack(">id", device.recv(4096)[-12:])
            assert number == 0 or time < stopped
    assert (folder / "session.xdf").stat().st_size == size
    assert not (folder / "contact_sheet.png").exists()
    assert (folder / "summary.json").exists()


def test_a_remote_screen_is_blank_at_once_and_its_session_hears_of_it(
    toy_artifact: Artifact, toy_folder: Path, toy_geometry: Geometry, stream_name: str, tmp_path: Path
) -> None:  # fmt: skip
    outlet = ScannerOutlet(stream_name, toy_geometry)
    session = Session(
        tmp_path / "decoder", stream_name, str(toy_folder), output=tmp_path / "session",
        fixed={"steps": 2},
    )  # fmt: skip
    with (
        closing(Follower(stream_name, "participant")) as follower,
        open_session(session, toy_artifact, threading.Event()) as pipeline,
    ):
        shower = threading.Thread(target=show_headless, args=(pipeline,))
        shower.start()
        assert outlet.wait_for_receiver(10.0)
        outlet.send_volume(0, np.ones((6, 5, 4), "float32"), pylsl.local_clock())
        eventually(lambda: follower.heard)
        pressed = pylsl.local_clock()
        follower.withdraw()
        assert follower.presentation.blank
        eventually(lambda: pipeline.withdrawn, 10.0)
        print(f"heard after {pylsl.local_clock() - pressed:.2f} s")
        shower.join(timeout=30)
        eventually(lambda: follower.status.phase is Phase.WITHDRAWN)
