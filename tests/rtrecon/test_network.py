"""Streams stay among those that were named, and claim no more than can be."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtrecon import marker_inlets, wire
from rtrecon.__main__ import main
from rtrecon.connect import open_volumes
from rtrecon.errors import BadStream
from rtrecon.feedback import Feedback
from rtrecon.marker_inlets import MarkerInlets
from rtrecon.network import BASE_PORT, PORTS, check_claim, configuration
from rtrecon.streams import describe
from rtrecon.types import Geometry

_CONFINED = """
import json, os, stat, sys, psutil
from rtrecon.network import confine
confine(sys.argv[1])
import pylsl
outlet = pylsl.StreamOutlet(pylsl.StreamInfo(sys.argv[2], "Check", 1, 0, "int32", sys.argv[2]))
found = pylsl.resolve_byprop("name", sys.argv[2], 1, 10)
inlet = pylsl.StreamInlet(found[0])
inlet.open_stream(10)
sockets = psutil.Process().net_connections()
file = os.environ["LSLAPICFG"]
print(json.dumps({
    "mode": stat.S_IMODE(os.stat(file).st_mode), "file": file, "text": open(file).read(),
    "listening": [(s.family, *s.laddr) for s in sockets if not s.raddr],
    "connected": [s.raddr.ip for s in sockets if s.raddr],
}))
"""


def confined(peers: str, name: str) -> dict:
    """What a process with these peers has open, once it has found its own stream."""
    environment = {**os.environ, "LSLAPICFG": "/nowhere/else.cfg"}  # which --peers stands above
    done = subprocess.run(
        [sys.executable, "-c", _CONFINED, peers, name],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_with_local_peers_streams_stay_on_this_machine(stream_name: str) -> None:
    about = confined("local", stream_name)
    assert about["mode"] == 0o600
    assert not Path(about["file"]).exists()  # it went with its process
    assert set(about["connected"]) == {"127.0.0.1"}
    assert {family for family, _, _ in about["listening"]} == {2}  # no IPv6
    anywhere = {port for _, address, port in about["listening"] if address != "127.0.0.1"}
    # liblsl's own, which it opens on all interfaces whatever it is told: docs/security.md
    assert anywhere <= set(range(BASE_PORT, BASE_PORT + PORTS))


def test_named_peers_reach_the_configuration_as_numbers(stream_name: str) -> None:
    text = confined("localhost, 192.0.2.7,local,192.0.2.7", stream_name)["text"]
    assert "KnownPeers = {127.0.0.1, 192.0.2.7}" in text
    assert "ResolveScope = machine" in text


@pytest.mark.parametrize(
    "peers", ["a;b", "a\n[log]", "{x}", "", "local,", "-x", "x y", "::1", "\x1b[2J", "x" * 300]
)
def test_what_is_no_machine_is_refused_in_one_line(
    peers: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "1")
    before = os.environ["LSLAPICFG"]
    assert main(["streams", f"--peers={peers}"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("rtrecon: --peers names")
    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert os.environ["LSLAPICFG"] == before


def test_a_session_of_its_own_is_part_of_the_configuration() -> None:
    text = configuration(("192.0.2.1",), 20_000, 128, "mine")
    for line in ("BasePort = 20000", "PortRange = 128", "SessionID = mine"):
        assert line in text


@pytest.mark.parametrize(
    ("channels", "rate_hz", "format_"),
    [
        (1, 1e9, pylsl.cf_string),  # 15 GB in an inlet, before anything is sent
        (1_000_000_000, 1.0, pylsl.cf_float32),
        (2**31 - 1, 0.0, pylsl.cf_int8),
        (1, float("inf"), pylsl.cf_int32),
        (1, float("nan"), pylsl.cf_int32),
        (1_000_000, 0.0, pylsl.cf_string),
        # liblsl counts in 32 bits what it makes in advance, and would write behind it:
        (2**24 + 4, 0.0, pylsl.cf_float32),
        (2**24 + 4, 13.0, pylsl.cf_float32),
        (1000, 1e6, pylsl.cf_float32),
        (40_000, 0.0, pylsl.cf_string),
    ],
)
def test_impossible_claims_are_refused(channels: int, rate_hz: float, format_: int) -> None:
    info = pylsl.StreamInfo("rtrecon", "fMRI", channels, rate_hz, format_, "x")
    with pytest.raises(BadStream, match="claims"):
        check_claim(info, 1.0)


def test_the_largest_volumes_and_fastest_recordings_are_possible() -> None:
    largest = Geometry((256, 256, 256), np.eye(4), 0.5, "float32")
    check_claim(wire.volume_info("rtrecon", largest, "x"), wire.room_s(largest))
    check_claim(pylsl.StreamInfo("eeg", "EEG", 512, 20_000, "double64", "x"), 60)
    check_claim(wire.marker_info("rtrecon", "x"), 3600)


def test_volumes_that_lsl_cannot_take_are_not_sent(stream_name: str) -> None:
    """They would be written behind its memory, there and here."""
    geometry = Geometry((104, 90, 72), np.eye(4), 0.72, "float32", 1e4)
    with pytest.raises(BadStream, match=f"'{stream_name}' claims"):
        wire.ScannerOutlet(stream_name, geometry)


def test_a_volume_stream_whose_rate_is_not_its_geometrys_is_refused(stream_name: str) -> None:
    geometry = Geometry((4, 4, 4), np.eye(4), 100.0)
    honest = wire.volume_info(stream_name, geometry, "x")
    info = pylsl.StreamInfo(
        stream_name, wire.VOLUME_TYPE, honest.channel_count(), 3e4, honest.channel_format(), "x"
    )
    for part in ("encoding", "geometry"):
        given = info.desc().append_child(part)
        told = honest.desc().child(part).first_child()
        while not told.empty():
            given.append_child_value(told.name(), told.child_value())
            told = told.next_sibling()
    outlet = pylsl.StreamOutlet(info, max_buffered=1)
    (found,) = pylsl.resolve_byprop("name", stream_name, 1, 20)
    with pytest.raises(BadStream, match="claims"):
        open_volumes(found)
    del outlet


def test_a_stream_that_claims_too_much_is_listed_with_its_fault() -> None:
    info = pylsl.StreamInfo("rtrecon", wire.VOLUME_TYPE, 2**31 - 1, 1.0, pylsl.cf_float32, "x")
    assert "claims 2147483647 channels" in describe(info).fault


def test_marker_streams_that_claim_too_much_or_are_too_many_are_not_heard(
    stream_name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(marker_inlets, "_MOST_STREAMS", 1)
    name = wire.marker_stream(stream_name)
    hostile = pylsl.StreamOutlet(
        pylsl.StreamInfo(name, wire.MARKER_TYPE, 1, 5000.0, pylsl.cf_string, "hostile"),
        max_buffered=1,
    )
    outlets = [pylsl.StreamOutlet(wire.marker_info(stream_name, f"m{n}")) for n in range(3)]
    inlets = MarkerInlets(stream_name)
    deadline = pylsl.local_clock() + 20
    while not (inlets.heard == 1 and "over 1 marker" in caplog.text and "claims" in caplog.text):
        assert pylsl.local_clock() < deadline, caplog.text
        assert list(inlets.pull(0.01)) == []
    assert inlets.heard == 1
    inlets.close()
    del hostile, outlets


def test_an_outlet_says_what_it_tells(
    stream_name: str, caplog: pytest.LogCaptureFixture, toy_geometry: Geometry
) -> None:
    caplog.set_level(logging.INFO, "rtrecon")
    outlets = [wire.ScannerOutlet(stream_name, toy_geometry), Feedback(stream_name, ("dog", "cat"))]
    said = [record.getMessage() for record in caplog.records]
    for name, what in (
        (stream_name, "the person's brain volumes"),
        (f"{stream_name}-markers", "what the person is shown"),
        (f"{stream_name}-feedback", "what was decoded of the person, as probabilities"),
    ):
        assert f"stream '{name}' tells {what} to whoever can reach this machine" in said
    del outlets


def test_no_library_reports_or_looks_for_anything() -> None:
    code = (
        "from rtrecon.network import keep_offline; keep_offline();"
        "from huggingface_hub import constants as c;"
        "print(c.HF_HUB_OFFLINE, c.HF_HUB_DISABLE_TELEMETRY)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["True", "True"]
