"""Pulses from real terminals, serial lines and device files become markers on a real stream."""

import os
import re
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtrecon import trigger
from rtrecon.errors import BadInput
from rtrecon.marker_inlets import MarkerInlets
from rtrecon.types import Event, Marker
from tests.toy import markers_of


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal: whoever types, and the program."""
    ends = os.openpty()
    yield ends
    for end in ends:
        os.close(end)


@contextmanager
def sending(line: int, what: bytes) -> Iterator[None]:
    """The same again and again: what comes before the other end is open is thrown away."""
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.02):
            os.write(line, what)

    writer = threading.Thread(target=write)
    writer.start()
    yield
    done.set()
    writer.join()


def test_keys_typed_at_the_terminal_are_heard_until_ctrl_c(
    stream_name: str, terminal: tuple[int, int]
) -> None:
    keyboard, screen = terminal
    command = [sys.executable, "-m", "rtrecon", "trigger", "--stream", stream_name, "--key", "t"]
    program = subprocess.Popen(
        [*command, "--refractory", "0"], stdin=screen, stderr=subprocess.PIPE, text=True
    )
    inlets = MarkerInlets(stream_name)
    try:
        markers_of(inlets, 0)
        before = pylsl.local_clock()
        got: list[Marker] = []
        for _ in range(3):
            os.write(keyboard, b"xt5")
            got += markers_of(inlets, 1)
        after = pylsl.local_clock()
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=20)
    finally:
        program.kill()
        inlets.close()
    assert program.returncode == 0
    assert [marker.event for marker in got] == [Event.TRIGGER] * 3
    stamps = [marker.stamp for marker in got]
    assert before < stamps[0] < stamps[1] < stamps[2] < after
    assert said.count("first pulse\n") == 1
    mean = re.search(r"3 pulse\(s\), every ([\d.]+) s on average", said)
    assert mean is not None
    assert float(mean[1]) == pytest.approx((stamps[2] - stamps[0]) / 2, abs=2e-3)


def test_a_terminal_is_left_as_it_was(terminal: tuple[int, int]) -> None:
    termios = pytest.importorskip("termios")
    keyboard, screen = terminal
    before, stop = termios.tcgetattr(screen), threading.Event()
    with sending(keyboard, b"5"):
        keys = trigger.typed("5", stop, screen)
        assert next(keys) < next(keys)
    assert not termios.tcgetattr(screen)[3] & (termios.ECHO | termios.ICANON)
    stop.set()
    for _ in keys:
        pass
    assert termios.tcgetattr(screen) == before


def test_bytes_on_a_serial_line(terminal: tuple[int, int]) -> None:
    """One pulse byte among others; each is read as soon as it comes."""
    scanner, port = terminal
    stop = threading.Event()
    pulses = trigger.received(os.ttyname(port), 115200, 0x35, stop)
    got: list[float] = []
    came = threading.Semaphore(0)

    def read() -> None:
        for stamp in pulses:
            got.append(stamp)
            came.release()

    reader = threading.Thread(target=read)
    reader.start()
    sent = []
    while not got:  # what is sent before the port is open is thrown away
        os.write(scanner, b"5")
        came.acquire(timeout=0.05)
    for _ in range(3):
        sent.append(pylsl.local_clock())
        os.write(scanner, b"\x00a5")
        assert came.acquire(timeout=5)
    stop.set()
    reader.join(timeout=5)
    assert not reader.is_alive()
    assert len(got) >= 4
    for moment, stamp in zip(sent, got[-3:], strict=True):
        assert 0 <= stamp - moment < 0.1


def test_any_byte_is_a_pulse_where_none_is_named(terminal: tuple[int, int]) -> None:
    scanner, port = terminal
    stop = threading.Event()
    pulses = trigger.received(os.ttyname(port), 9600, None, stop)
    with sending(scanner, b"\xfe"):
        assert next(pulses) < next(pulses)
    stop.set()
    for _ in pulses:
        pass


def test_key_presses_of_an_input_device(tmp_path: Path) -> None:
    """A 5 pressed, held and let go, and a 6 pressed: one pulse. The device is a pipe of events."""
    device = tmp_path / "event0"
    os.mkfifo(device)
    kinds = [(4, 4, 458786), (1, 6, 1), (0, 0, 0), (1, 6, 2), (1, 6, 0), (1, 7, 1)]
    events = b"".join(struct.pack("@llHHi", 0, 0, *kind) for kind in kinds)
    writer = threading.Thread(target=device.write_bytes, args=(events,))
    writer.start()
    assert len(list(trigger.struck("5", device, threading.Event()))) == 1
    writer.join()


def test_a_line_that_bounces_counts_once(stream_name: str) -> None:
    rng = np.random.default_rng(0)
    pulses = 100 + 2.0 * np.arange(50) + rng.normal(scale=0.001, size=50)
    bounces = pulses[:20] + 0.003
    told = trigger.publish(np.sort(np.r_[pulses, bounces]), stream_name, 0.05)
    gaps = np.diff(pulses)
    assert told.count == 50
    assert str(told) == (
        f"50 pulse(s), every {gaps.mean():.4f} s on average (SD {1e3 * gaps.std(ddof=1):.1f} ms, "
        f"{gaps.min():.4f} to {gaps.max():.4f} s); 20 bounce(s) not counted"
    )


@pytest.mark.parametrize(
    ("text", "byte"), [(None, None), ("5", 53), ("t", 116), ("0x0A", 10), ("0xff", 255)]
)
def test_a_pulse_byte(text: str | None, byte: int | None) -> None:
    assert trigger.byte_of(text) == byte


@pytest.mark.parametrize("text", ["", "55", "0x100", "0x", "\u20ac"])
def test_no_byte(text: str) -> None:
    with pytest.raises(BadInput, match="is no byte"):
        trigger.byte_of(text)


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    stop, missing = threading.Event(), tmp_path / "none"
    with (tmp_path / "file").open("w") as file, pytest.raises(BadInput, match="from a terminal"):
        next(trigger.typed("5", stop, file.fileno()))
    with pytest.raises(BadInput, match="no single key"):
        next(trigger.typed("", stop))
    with pytest.raises(BadInput, match="none cannot be read .No such file"):
        next(trigger.struck("5", missing, stop))
    with pytest.raises(BadInput, match="can be told apart"):
        next(trigger.struck("F5", missing, stop))
    with pytest.raises(BadInput, match="none' at 9600 baud cannot be used"):
        next(trigger.received(str(missing), 9600, None, stop))


def test_without_pyserial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(BadInput, match="needs pyserial"):
        next(trigger.received("/dev/ttyUSB0", 9600, None, threading.Event()))
