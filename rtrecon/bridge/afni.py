"""AFNI's realtime protocol as Dimon and rtfeedme send it: volumes over a socket.

After AFNI's README.realtime. A first connection names the port of a second, which carries lines of
commands up to a zero byte and then images alone. Written from the senders' published sources and
tested with a sender of our own: neither program was at hand.
"""

import logging
import re
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtrecon.bridge.piece import Piece
from rtrecon.errors import BadStream
from rtrecon.wire import MAX_EDGE, MAX_VOXELS

log = logging.getLogger(__name__)

PORT = 7954
_POLL_S = 0.2  # how soon a stop is honoured
_PATIENCE_S = 10.0  # for what a sender that has connected owes at once
_MOST_TEXT = 1 << 15
_END = b"Et Earello Endorenna utulien!!"  # in an image's place: the series has ended
_TYPES = {"short": "i2", "float": "f4", "byte": "u1"}
_SIDES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}  # RAS+


@dataclass(frozen=True)
class Header:
    """What the commands say. `order`: (n_slices,) place in the volume of each slice as it is sent."""

    name: str
    shape: tuple[int, int, int]
    dtype: np.dtype
    affine: NDArray[np.float64]
    tr_s: float
    order: NDArray[np.int64]

    @property
    def n_bytes(self) -> int:
        """Of one volume."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


def listen(
    port: int = PORT, host: str = "127.0.0.1", stop: threading.Event | None = None
) -> Iterator[Piece]:
    """Whole volumes of one series after another, until `stop`.

    A sender that breaks the protocol costs its series, with one line in the log.

    Parameters
    ----------
    port : int
        For the first connection.
    host : str
        Address to listen at. Anybody who reaches it can send volumes.
    stop : threading.Event, optional
    """
    stop = stop or threading.Event()
    with socket.create_server((host, port)) as control:
        while not stop.is_set():
            try:
                if (sender := _accept(control, stop, None)) is not None:
                    yield from _series(sender, host, stop)
            except (BadStream, OSError) as error:
                log.warning("AFNI realtime: %s", error)


def _series(control: socket.socket, host: str, stop: threading.Event) -> Iterator[Piece]:
    with control:
        port = _data_port(_Reader(control, stop).text(_PATIENCE_S))
        data = socket.create_server((host, port))  # before the sender is told to go on
    with data:
        sender = _accept(data, stop, _PATIENCE_S)
    if sender is None:
        return
    with sender:
        reader = _Reader(sender, stop)
        while text := reader.text(None):
            if not text.split():
                continue
            yield from _volumes(reader, header_of(text))


def _data_port(text: str) -> int:
    line, *program = text.split("\n")
    kind, _, where = line.strip().partition(":")
    port = where.rpartition(":")[2]
    if kind != "tcp" or not re.fullmatch("[0-9]{4,5}", port) or not 1024 <= int(port) <= 65535:
        raise BadStream(f"data channel {line[:80]!r}: tcp:HOST:PORT is read, no shared memory")
    if "".join(program).strip():
        raise BadStream(f"info program {program[0][:80]!r} is not run: send the commands as data")
    return int(port)


def _volumes(reader: "_Reader", header: Header) -> Iterator[Piece]:
    """One series: volumes until its end mark or the connection's end."""
    series, number = uuid.uuid4().hex, 0
    log.info("AFNI realtime: series '%s', %d x %d x %d", header.name, *header.shape)
    start = min(len(_END), header.n_bytes)
    while (begun := reader.exactly(start)) and begun != _END:
        rest = reader.exactly(header.n_bytes - start)
        if len(begun) + len(rest) < header.n_bytes:
            raise BadStream(f"series '{header.name}' ended within volume {number}")
        sent = np.frombuffer(begun + rest, header.dtype).reshape(header.shape, order="F")
        data = np.empty(header.shape, "f4" if header.dtype.kind == "f" else "i2", order="F")
        data[..., header.order] = sent
        yield Piece(series, header.name, number, 0, 1, data, header.affine, header.tr_s)
        number += 1


def header_of(text: str) -> Header:
    """The commands understood; those about AFNI's own windows and files are left alone.

    Raises
    ------
    BadStream
        One is missing, malformed, out of bounds or of a kind that is not read.
    """
    given = {}
    for line in text.splitlines():
        command, _, words = line.strip().partition(" ")
        given[command] = words.split()
    acquisition = given.get("ACQUISITION_TYPE", ["2D+zt"])
    if acquisition not in (["2D+zt"], ["3D+t"]) or given.get("NUM_CHAN", ["1"]) != ["1"]:
        raise BadStream(f"{' '.join(acquisition)}: 2D+zt and 3D+t of one channel are read")
    matrix = _numbers(given, "XYMATRIX", 1, MAX_EDGE)
    shape = [int(n) for n in matrix[:2] + (matrix[2:] or _numbers(given, "ZNUM", 1, MAX_EDGE))]
    if len(shape) != 3 or np.prod(shape) > MAX_VOXELS:
        raise BadStream(f"XYMATRIX {shape}: three sizes, {MAX_VOXELS} voxels at most")
    datum = " ".join(given.get("DATUM", ["short"]))
    if datum not in _TYPES:
        raise BadStream(f"DATUM {datum[:20]!r}: short, float and byte are read")
    swapped = given.get("BYTEORDER") == ["MSB_FIRST"]
    order = np.arange(shape[2])
    if acquisition == ["2D+zt"] and given.get("ZORDER", ["alt"]) != ["seq"]:
        order = np.concatenate([order[::2], order[1::2]])
    (tr_s,) = _numbers(given, "TR", 0.01, 100)[:1]
    return Header(
        " ".join(given.get("NAME", ["realtime"]))[:80],
        (shape[0], shape[1], shape[2]),
        np.dtype((">" if swapped else "<") + _TYPES[datum]),
        _affine(given, shape),
        tr_s,
        order,
    )


def _affine(given: dict[str, list[str]], shape: list[int]) -> NDArray[np.float64]:
    """Voxel indices to scanner millimetres (RAS+); the volume is centred where no place is given."""
    affine = np.eye(4)
    if "OBLIQUE_XFORM" in given:
        numbers = _numbers(given, "OBLIQUE_XFORM", -1e4, 1e4)
        if len(numbers) != 16:
            raise BadStream("OBLIQUE_XFORM: 16 numbers are read")
        affine[:3] = np.diag([-1, -1, 1]) @ np.reshape(numbers, (4, 4))[:3]  # AFNI's are LPS+
    else:
        size = _numbers(given, "XYFOV", 0, 1e4)
        if len(size) == 2:
            size += (_numbers(given, "ZDELTA", 0, 1e3)[0] * shape[2],)
        codes = [code.replace("-", "") for code in given.get("XYZAXES", [])]
        axes = [_SIDES.get(code[-1:], (0, 0)) for code in codes]
        if len(size) != 3 or sorted(axis for axis, _ in axes) != [0, 1, 2]:
            raise BadStream(f"XYFOV {size}, XYZAXES {codes}: three sizes and directions are read")
        size = (size[0], size[1] or size[0], size[2])
        affine[:3, :3] = 0
        for column, ((axis, sign), fov, n) in enumerate(zip(axes, size, shape, strict=True)):
            affine[axis, column] = sign * fov / n
            affine[axis, 3] = -sign * fov / n * (n - 1) / 2
        for word in given.get("XYZFIRST", []):
            axis, sign = _SIDES.get(word[-1:], (-1, 0))
            if not sign:
                raise BadStream(f"XYZFIRST {word[:20]}: a number with its side (12.5R) is read")
            affine[axis, 3] = sign * _number("XYZFIRST", word[:-1], -1e4, 1e4)
    if abs(np.linalg.det(affine)) < 1e-6:
        raise BadStream("the voxels have no size: see XYFOV, XYZAXES and OBLIQUE_XFORM")
    return affine


def _numbers(
    given: dict[str, list[str]], command: str, low: float, high: float
) -> tuple[float, ...]:
    if not given.get(command):
        raise BadStream(f"{command} is missing")
    return tuple(_number(command, word, low, high) for word in given[command])


def _number(command: str, word: str, low: float, high: float) -> float:
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    if not low <= value <= high:
        raise BadStream(f"{command} {word[:20]!r}: from {low:g} to {high:g}")
    return value


def _accept(
    server: socket.socket, stop: threading.Event, patience_s: float | None
) -> socket.socket | None:
    server.settimeout(_POLL_S)
    waited_s = 0.0
    while not stop.is_set() and (patience_s is None or waited_s < patience_s):
        try:
            return server.accept()[0]
        except TimeoutError:
            waited_s += _POLL_S
    return None


class _Reader:
    """Bytes of one connection; what is short has ended, or is cut off by a stop."""

    def __init__(self, connection: socket.socket, stop: threading.Event) -> None:
        self._connection = connection
        self._stop = stop
        connection.settimeout(_POLL_S)

    def exactly(self, count: int, patience_s: float | None = None) -> bytes:
        got, waited_s = bytearray(), 0.0
        while len(got) < count and not self._stop.is_set():
            try:
                some = self._connection.recv(min(count - len(got), 1 << 20))
            except TimeoutError:
                waited_s += _POLL_S
                if patience_s is not None and waited_s > patience_s:
                    raise BadStream(f"nothing came within {patience_s:g} s") from None
                continue
            if not some:
                break
            got += some
        return bytes(got)

    def text(self, patience_s: float | None) -> str:
        """Up to a zero byte or the connection's end; a bare zero byte is a blank line."""
        text = bytearray()
        while (letter := self.exactly(1, patience_s)) and letter != b"\0":
            text += letter
            if len(text) > _MOST_TEXT:
                raise BadStream(f"commands of over {_MOST_TEXT} bytes")
        return text.decode("latin-1") or ("\n" if letter else "")
