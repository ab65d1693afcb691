"""Art-Net packets as they arrive at a socket, taken apart by the numbers of its specification."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from math import nan
from time import monotonic
from typing import NamedTuple

import pytest

from rtrecon.errors import BadConfig
from rtrecon.outputs import open_outputs
from rtrecon.types import Person
from tests.told import SentLog, a_score, eventually

PEOPLE = (Person("anna", "#ff8000"), Person("ben", "#0000ff"))


class Packet(NamedTuple):
    """One packet, when it came (s), and its channels, the first at index 1."""

    came: float
    sequence: int
    net: int
    sub_uni: int
    channels: list[int]


class Node:
    """A socket that keeps what comes."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self.packets: list[Packet] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._done.is_set():
            try:
                self.packets.append(taken_apart(self._socket.recv(2048)))
            except TimeoutError:
                continue

    def close(self) -> None:
        self._done.set()
        self._thread.join(timeout=5)
        self._socket.close()


def taken_apart(data: bytes) -> Packet:
    assert data[0:8] == b"Art-Net\x00"
    assert data[8] | data[9] << 8 == 0x5000
    assert data[10] << 8 | data[11] == 14
    assert data[13] == 0
    length = data[16] << 8 | data[17]
    assert len(data) == 18 + length
    assert length == 512
    return Packet(monotonic(), data[12], data[15], data[14], [0, *data[18:]])


@pytest.fixture
def node() -> Iterator[Node]:
    with closing(Node()) as node:
        yield node


def a_light(node: Node, **keys: object) -> dict[str, object]:
    return {"kind": "artnet", "host": "127.0.0.1", "port": node.port, **keys}


def test_fixtures_of_one_universe_follow_their_people(node: Node) -> None:
    tables = [
        a_light(node, universe=0x1234, channel=1, fade_s=0.5, person="anna"),
        a_light(node, universe=0x1234, channel=510, fade_s=0.5, person="ben", layout="*bi"),
    ]
    log = SentLog()
    outputs = open_outputs({"output": tables}, "s", PEOPLE, log)
    outputs.score(a_score(0.5, 1, "anna"))
    outputs.score(a_score(1.0, 2, "ben"))
    eventually(lambda: bool(node.packets) and node.packets[-1].channels[1:4] == [128, 64, 0])
    eventually(lambda: node.packets[-1].channels[510:513] == [255, 255, 255])
    outputs.close()
    eventually(lambda: node.packets[-1].channels == [0] * 510 + [255, 0, 0])
    first = node.packets[0]
    assert (first.net, first.sub_uni) == (0x12, 0x34)
    assert first.channels == [0] * 510 + [255, 0, 0]  # in the dark, before anything is told
    steps = [packet.sequence for packet in node.packets]
    assert steps == [n % 255 + 1 for n in range(len(steps))]
    assert all(packet.channels[4:510] == [0] * 506 for packet in node.packets)
    assert [(sent.person, sent.number, sent.error) for sent in log.all[:2]] == [
        ("anna", 1, ""), ("ben", 2, ""),
    ]  # fmt: skip


def test_at_most_forty_packets_a_second_and_at_least_one(node: Node) -> None:
    """And a light told to flash at 10 Hz does not."""
    outputs = open_outputs({"output": [a_light(node, fade_s=0.5)]}, "s", (Person("", "#ffffff"),))
    pause = threading.Event()
    began = monotonic()
    while (now := monotonic() - began) < 1.5:
        outputs.score(a_score(float(now * 10 % 1 < 0.5)))
        pause.wait(0.005)
    moving_s, moving = monotonic() - began, len(node.packets)
    outputs.score(a_score(1.0))
    eventually(lambda: node.packets[-1].channels[1] == 255)
    resting_s, count = monotonic(), len(node.packets)
    eventually(lambda: len(node.packets) >= count + 2)
    resting_s = monotonic() - resting_s
    outputs.close()
    assert 10 < moving <= 40 * moving_s + 2
    assert resting_s < 4
    levels = [packet.channels[1] for packet in node.packets[:moving]]
    ways = [b > a for a, b in pairwise(levels) if a != b]
    turns = sum(way != before for before, way in pairwise(ways))
    assert turns <= moving_s / 0.5 + 1


def test_dark_when_nothing_is_told(node: Node) -> None:
    table = a_light(node, fade_s=0.5, hold_s=0.3)
    outputs = open_outputs({"output": [table]}, "s", (Person("", "#ffffff"),))
    outputs.score(a_score(1.0))
    eventually(lambda: bool(node.packets) and node.packets[-1].channels[1] == 255)
    outputs.score(a_score(nan))
    eventually(lambda: node.packets[-1].channels[1] == 0)
    outputs.close()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"channel": 511}, "channel = 511: must be 1 to 510"),
        ({"layout": "rgw"}, "layout = 'rgw': must be made of"),
        ({"universe": 32768}, "universe = 32768: must be 0 to 32767"),
        ({"high": "red"}, "high = 'red': must be a colour"),
        ({"fade_s": 0.4}, "fade_s = 0.4: must be 0.5 to 5, so that nothing flashes"),
        ({"hold_s": 0}, "hold_s = 0.0: must be above 0"),
        ({"host": "no.such.host.invalid"}, "is not known"),
    ],
)
def test_a_mistake_is_one_line(keys: dict[str, object], said: str) -> None:
    table = {"kind": "artnet", "host": "127.0.0.1", **keys}
    with pytest.raises(BadConfig, match=said):
        open_outputs({"output": [table]}, "s", PEOPLE)


def test_two_fixtures_cannot_share_a_channel() -> None:
    table = {"kind": "artnet", "host": "127.0.0.1", "layout": "rgb"}
    tables = [table, {**table, "universe": 1}, {**table, "channel": 3}]
    with pytest.raises(BadConfig, match="channel 3 of artnet .* universe 0 belongs to two"):
        open_outputs({"output": tables}, "s", PEOPLE)
