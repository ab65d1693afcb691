"""Firings as bytes, read at the other end of a terminal that stands for the line."""

import os
import select
import sys
from collections.abc import Iterator
from time import monotonic

import pytest

from rtrecon.errors import BadConfig
from rtrecon.outputs import open_outputs
from rtrecon.outputs.serial_line import SerialTrigger
from rtrecon.types import Person
from tests.told import SentLog, a_firing

PEOPLE = (Person("anna"), Person("ben"))


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """The end that reads, and the name of the port."""
    reads, port = os.openpty()
    yield reads, os.ttyname(port)
    os.close(reads)
    os.close(port)


def read(end: int, count: int) -> bytes:
    got = b""
    while len(got) < count:
        assert select.select([end], [], [], 5)[0], got
        got += os.read(end, count - len(got))
    return got


def test_each_person_has_bytes_of_their_own(terminal: tuple[int, str]) -> None:
    end, port = terminal
    tables = [
        {"kind": "serial", "port": port, "write": "0x01 0xfe", "person": "anna", "baud": 115200},
        {"kind": "serial", "port": port, "write": "B", "person": "ben"},
    ]
    log = SentLog()
    outputs = open_outputs({"trigger": tables}, "s", PEOPLE, log)
    for n, person in enumerate(("anna", "ben", "ben", "anna")):
        outputs.fire(a_firing(n, person))
        log.wait(lambda sent, n=n: len(sent) == n + 1)
    assert read(end, 6) == b"\x01\xfeBB\x01\xfe"
    outputs.close()
    assert not select.select([end], [], [], 0.05)[0]
    assert [(sent.output, sent.error) for sent in log.all] == [(f"serial {port}", "")] * 4


def test_a_line_that_takes_nothing_delays_nobody(
    terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads, so that the system's buffer is full after a while."""
    monkeypatch.setattr("rtrecon.outputs.serial_line._WRITE_S", 0.2)
    _, port = terminal
    table = {"kind": "serial", "port": port, "write": "x" * 1024}
    log = SentLog()
    outputs = open_outputs({"trigger": [table]}, "s", PEOPLE, log)
    took = []  # s, each; all in one that waits would take 20 s
    for n in range(100):
        began = monotonic()
        outputs.fire(a_firing(n, "anna"))
        took.append(monotonic() - began)
    assert max(took) < 1
    (bad,) = log.wait(lambda sent: bool(sent[-1:] and sent[-1].error))[-1:]
    assert "timeout" in bad.error.lower()
    assert f"serial {port} fails" in outputs.fault
    began = monotonic()
    outputs.close()
    assert monotonic() - began < 7
    assert len(log.all) == 100
    assert sum(bool(sent.error) for sent in log.all) > 50


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("T", b"T"), ("0x0A", b"\n"), ("0x01 0x02", b"\x01\x02"), ("0x1", b"0x1"),
        ("go\r\n", b"go\r\n"), ("é", b"\xc3\xa9"),
    ],
)  # fmt: skip
def test_bytes(text: str, content: bytes) -> None:
    assert SerialTrigger("serial", "p", text).content == content


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"port": "/dev/none", "write": "x"}, "port '/dev/none' at 9600 baud cannot be used"),
        ({"port": "/dev/none", "write": ""}, "write = '': must be 1 to 1024 bytes"),
        ({"port": "/dev/none", "write": "x", "baud": 0}, "baud = 0: must be 1 to"),
        ({"port": "/dev/none"}, "the key .* is missing"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(table: dict[str, object], said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        open_outputs({"trigger": [{"kind": "serial", **table}]}, "s", PEOPLE)


def test_without_pyserial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(BadConfig, match="needs pyserial: pip install"):
        open_outputs({"trigger": [{"kind": "serial", "port": "p", "write": "x"}]}, "s", PEOPLE)
