"""The Extensible Data Format (XDF 1.0), written chunk by chunk: https://github.com/sccn/xdf.

A file is "XDF:" and then chunks, each [length][tag][content]. Numbers are little-endian.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan
from typing import Any, BinaryIO
from xml.etree import ElementTree

import numpy as np

MAGIC = b"XDF:"
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY, STREAM_FOOTER = range(1, 7)
BOUNDARY_MARK = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")  # a reader finds its way by it
DTYPES = {
    "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8", "float32": "<f4", "double64": "<f8",
}  # fmt: skip
_EIGHT = b"\x08"  # bytes that the length takes
_STAMPED = struct.Struct("<Bd")


@dataclass
class _Stream:
    """What a stream's footer will say, and how its samples are written."""

    channels: int
    dtype: np.dtype | None  # None: strings
    first: float = nan
    last: float = nan
    count: int = 0


class XdfWriter:
    """Appends to an XDF file. After every call the file is whole; one thread at a time.

    Parameters
    ----------
    file : binary file
        New, open for writing, unbuffered and seekable.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._streams: dict[int, _Stream] = {}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._write(MAGIC)
        self._chunk(
            FILE_HEADER,
            '<?xml version="1.0"?><info><version>1.0</version>'
            f"<datetime>{now}</datetime></info>".encode(),
        )

    def stream(self, stream: int, header_xml: str) -> None:
        """Begin a stream under a number of its own, with its whole LSL description.

        Raises
        ------
        ValueError
            Its channel format or count is unknown.
        """
        channels, dtype = channels_of(header_xml)
        self._streams[stream] = _Stream(channels, dtype)
        self._chunk(STREAM_HEADER, _id(stream), header_xml.encode())

    def samples(
        self,
        stream: int,
        stamps: Sequence[float],
        values: Iterable[Any],
    ) -> None:
        """Append samples.

        Parameters
        ----------
        stream : int
        stamps : float64 (n,)
            On the sender's clock, s.
        values : (n, channels)
            Numbers, or strings (bytes are kept as they are).
        """
        about = self._streams[stream]
        if len(stamps) == 0:
            return
        body: list[bytes | memoryview] = [_id(stream), _count(len(stamps))]
        rows: Sequence[bytes | memoryview] = (
            _strings(values) if about.dtype is None else _numbers(values, about)
        )
        for stamp, row in zip(stamps, rows, strict=True):
            body += (_STAMPED.pack(8, stamp), row)
        self._chunk(SAMPLES, *body)
        about.first = about.first if about.count else float(stamps[0])
        about.last = float(stamps[-1])
        about.count += len(stamps)

    def clock_offset(self, stream: int, time: float, offset: float) -> None:
        """Note what to add to the stream's stamps, measured at `time` on its sender's clock (s)."""
        self._chunk(CLOCK_OFFSET, _id(stream), struct.pack("<dd", time, offset))

    def boundary(self) -> None:
        """A mark from which a reader can go on where something before is damaged."""
        self._chunk(BOUNDARY, BOUNDARY_MARK)

    def footer(self, stream: int) -> None:
        """End a stream."""
        about = self._streams[stream]
        self._chunk(
            STREAM_FOOTER,
            _id(stream),
            f'<?xml version="1.0"?><info><first_timestamp>{about.first!r}</first_timestamp>'
            f"<last_timestamp>{about.last!r}</last_timestamp>"
            f"<sample_count>{about.count}</sample_count></info>".encode(),
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _chunk(self, tag: int, *content: bytes | memoryview) -> None:
        """The first byte last, so that half a chunk looks like none.

        A kill or a full disk then leaves a file that readers open up to the chunk before.
        """
        body = b"".join(content)
        rest = struct.pack("<QH", 2 + len(body), tag) + body
        start = self._file.tell()
        try:
            self._file.seek(start + 1)
            self._write(rest)
            self._file.seek(start)
            self._write(_EIGHT)
        except OSError:
            self._file.truncate(start)
            raise
        self._file.seek(start + 1 + len(rest))

    def _write(self, content: bytes) -> None:
        left = memoryview(content)
        while left:  # an unbuffered file may take a part
            left = left[self._file.write(left) :]


def channels_of(header_xml: str) -> tuple[int, np.dtype | None]:
    """Channels of a stream and the type of their values (None: strings).

    Raises
    ------
    ValueError
        No stream's description.
    """
    try:
        info = ElementTree.fromstring(header_xml)  # noqa: S314 - expat bounds what entities grow to
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error
    kind, count = info.findtext("channel_format", ""), info.findtext("channel_count", "")
    if kind != "string" and kind not in DTYPES:
        raise ValueError(f"channel format '{kind[:40]}' is not one of {', '.join(DTYPES)}, string")
    if not (re.fullmatch("[0-9]{1,10}", count) and 0 < int(count) < 1 << 31):
        raise ValueError(f"channel count '{count[:40]}' is no number of channels")
    return int(count), None if kind == "string" else np.dtype(DTYPES[kind])


def _id(stream: int) -> bytes:
    return struct.pack("<I", stream)


def _count(n: int) -> bytes:
    """A number after the number of bytes that it takes."""
    for size, kind in ((1, "B"), (4, "I")):
        if n < 1 << 8 * size:
            return struct.pack(f"<B{kind}", size, n)
    return _EIGHT + struct.pack("<Q", n)


def _numbers(values: Iterable[Any], about: _Stream) -> list[memoryview]:
    rows = np.ascontiguousarray(values, about.dtype).reshape(-1, about.channels)
    return [row.data for row in rows]


def _strings(values: Iterable[Any]) -> list[bytes]:
    rows = []
    for row in values:
        texts = [text.encode() if isinstance(text, str) else bytes(text) for text in row]
        rows.append(b"".join(_count(len(text)) + text for text in texts))
    return rows
