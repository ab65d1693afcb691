"""The scanner's pulses as markers: a key that its box presses, or a byte on a serial line."""

import logging
import os
import platform
import select
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pylsl

from rtrecon import wire
from rtrecon.errors import BadInput
from rtrecon.network import expose
from rtrecon.types import Event, Marker

log = logging.getLogger(__name__)

_POLL_S = 0.2  # how soon a stop is honoured; a pulse is read at once
_KEY_EVENT = struct.Struct("@llHHi")  # struct input_event: s, us, type, code, value
_EV_KEY, _PRESSED = 1, 1
# Linux's key codes, along the rows of a keyboard.
_CODES = {
    key: code
    for first, row in ((2, "1234567890"), (16, "qwertyuiop"), (30, "asdfghjkl"), (44, "zxcvbnm"))
    for code, key in enumerate(row, first)
}


class Pulses:
    """What has come of the scanner's pulses: how many, how regular.

    Parameters
    ----------
    refractory_s : float
        For so long after a pulse nothing counts: a line that bounces is one pulse.
    """

    def __init__(self, refractory_s: float) -> None:
        self._refractory_s = refractory_s
        self._stamps: list[float] = []
        self._bounced = 0

    @property
    def count(self) -> int:
        """Of pulses so far."""
        return len(self._stamps)

    def take(self, stamp: float) -> bool:
        """Whether this is a pulse of its own (stamp in s)."""
        if self._stamps and stamp - self._stamps[-1] < self._refractory_s:
            self._bounced += 1
            return False
        self._stamps.append(stamp)
        return True

    def __str__(self) -> str:
        told = f"{self.count} pulse(s)"
        if self.count > 2:
            gaps = np.diff(self._stamps)
            told += (
                f", every {gaps.mean():.4f} s on average (SD {1000 * gaps.std(ddof=1):.1f} ms, "
                f"{gaps.min():.4f} to {gaps.max():.4f} s)"
            )
        return told + (f"; {self._bounced} bounce(s) not counted" if self._bounced else "")


def publish(stamps: Iterable[float], name: str, refractory_s: float) -> Pulses:
    """Send each pulse as a marker {"event": "trigger"} until there are no more.

    Parameters
    ----------
    stamps : iterable of float
        When each was read (LSL clock, s).
    name : str
        Of the volume stream.
    refractory_s : float
    """
    source = f"rtrecon-{name}-trigger-{platform.node()}"
    outlet = pylsl.StreamOutlet(wire.marker_info(name, source))
    expose(wire.marker_stream(name), "the scanner's pulses")
    text = wire.text_of(Marker(Event.TRIGGER))
    pulses = Pulses(refractory_s)
    log.info("waiting for the scanner's first pulse: Ctrl-C ends")
    try:
        for stamp in stamps:
            if pulses.take(stamp):
                outlet.push_sample([text], stamp)
                if pulses.count == 1:
                    log.info("first pulse")
    finally:
        log.info("%s", pulses)
    return pulses


def typed(key: str, stop: threading.Event, terminal: int = 0) -> Iterator[float]:
    """When a key is typed at a terminal (file descriptor), until `stop`.

    Raises
    ------
    BadInput
        It is no terminal, or the key no single one.
    """
    if len(key) != 1:
        raise BadInput(f"--key {key!r} is no single key: the scanner's box types 5 or t as a rule")
    with _unbuffered(terminal):
        for letters in _read(terminal, stop, "the terminal"):
            if key.encode() in letters:
                yield pylsl.local_clock()


def struck(key: str, device: Path, stop: threading.Event) -> Iterator[float]:
    """When a key of a Linux input device is pressed, whichever window has the focus.

    Raises
    ------
    BadInput
        The device cannot be read, or the key is no letter or digit.
    """
    if key not in _CODES:
        raise BadInput(f"key {key!r} of an input device: a to z and 0 to 9 can be told apart")
    try:
        events = os.open(device, os.O_RDONLY)
    except OSError as error:
        raise BadInput(
            f"{device} cannot be read ({error.strerror}): join the group 'input' or name another"
        ) from error
    try:
        for some in _read(events, stop, str(device)):
            now = pylsl.local_clock()
            whole = some[: len(some) // _KEY_EVENT.size * _KEY_EVENT.size]
            for _, _, kind, code, value in _KEY_EVENT.iter_unpack(whole):
                if (kind, code, value) == (_EV_KEY, _CODES[key], _PRESSED):
                    yield now
    finally:
        os.close(events)


def received(port: str, baud: int, pulse: int | None, stop: threading.Event) -> Iterator[float]:
    """When a byte comes on a serial line: the one named, or any.

    Raises
    ------
    BadInput
        pyserial is not installed, or the port cannot be used.
    """
    try:
        import serial
    except ImportError as error:
        raise BadInput("a serial line needs pyserial: pip install 'rtrecon[serial]'") from error
    try:
        with serial.Serial(port, baud, timeout=_POLL_S) as line:
            line.reset_input_buffer()  # what came before anybody listened has no time
            while not stop.is_set():
                came = line.read(1)
                if came and pulse in (None, came[0]):
                    yield pylsl.local_clock()
    except (OSError, ValueError) as error:  # pyserial's own is an OSError
        raise BadInput(f"serial port '{port}' at {baud} baud cannot be used: {error}") from error


def byte_of(text: str | None) -> int | None:
    """The byte that a character or 0xNN stands for; None is any.

    Raises
    ------
    BadInput
        It is neither.
    """
    if text is None:
        return None
    try:
        value = int(text, 16) if text.lower().startswith("0x") else ord(text)
    except (ValueError, TypeError):
        value = -1
    if not 0 <= value <= 255:
        raise BadInput(f"--pulse {text!r} is no byte: a character, or 0x00 to 0xff")
    return value


def _read(source: int, stop: threading.Event, named: str) -> Iterator[bytes]:
    """What can be read of a file descriptor as soon as it can."""
    while not stop.is_set():
        if not select.select([source], [], [], _POLL_S)[0]:
            continue
        try:
            some = os.read(source, 64 * _KEY_EVENT.size)
        except OSError as error:
            raise BadInput(f"{named} is gone ({error.strerror})") from error
        if not some:
            log.warning("%s has ended", named)
            return
        yield some


@contextmanager
def _unbuffered(terminal: int) -> Iterator[None]:
    """A terminal that hands over each key as it is typed and does not show it."""
    try:
        import termios
        import tty
    except ImportError as error:
        raise BadInput("keys are read on Linux and macOS only: use --serial") from error
    if not os.isatty(terminal):
        raise BadInput("keys are read from a terminal: run this in one, or use --serial")
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
