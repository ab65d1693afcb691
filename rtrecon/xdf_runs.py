"""An XDF recording read as the volumes and markers that came, whichever program recorded it.

The file is memory-mapped and its sizes are checked here; pyxdf puts the stamps of all streams on
one clock, by the clock offsets that were measured.
"""

import io
import logging
import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon import wire
from rtrecon.errors import BadDataset, BadStream
from rtrecon.printable import printable
from rtrecon.types import Event, Geometry, Marker, Times, Volume
from rtrecon.xdf import (
    BOUNDARY_MARK,
    CLOCK_OFFSET,
    MAGIC,
    SAMPLES,
    STREAM_FOOTER,
    STREAM_HEADER,
    XdfWriter,
    channels_of,
)

log = logging.getLogger(__name__)

_OF_A_STREAM = {STREAM_HEADER, SAMPLES, CLOCK_OFFSET, STREAM_FOOTER}
_LATEST = 1e12  # s; of any clock
_CLOCK_ERROR_S = 1e-3  # more than two clocks are apart: a run ends after the volume of its stamp
_STAMPS_ONLY = (
    "<info><name>stamps</name><type/><channel_count>1</channel_count><nominal_srate>0"
    "</nominal_srate><channel_format>int8</channel_format></info>"
)


def items(path: Path, stream: str | None = None) -> tuple[Geometry, list[Volume | Marker]]:
    """Every volume and marker of a recording, in the order of their stamps.

    Volumes keep their numbers, so that what was lost stays lost; `times.acquired` and `stamp` are
    on the recorder's clock, and every trial has its onset in run time. The volumes' data stay in
    the file until they are looked at.

    Parameters
    ----------
    path : Path
        By `rtrecon run --xdf`, LabRecorder or another program.
    stream : str, optional
        Name of the volume stream; needed where the file has several.

    Raises
    ------
    BadDataset
        No such recording, a damaged one, or one without a volume stream; or pyxdf is missing.
    """
    try:
        recording = _Recording(_mapped(path))
        volumes = _volume_stream(recording.headers, stream)
        geometry = wire.geometry_of(_info(recording.headers[volumes]))
        name = recording.headers[volumes].findtext("name", "")
        found = _ordered(recording, [volumes, *_marker_streams(recording.headers, name)], geometry)
    except (BadStream, ValueError, struct.error, OSError) as error:
        why = printable(str(error))  # it has words of the file in it
        raise BadDataset(f"{path} cannot be read as an XDF recording: {why}") from error
    _place(found, geometry)
    return geometry, found


@dataclass(frozen=True)
class _Chunk:
    """Where a chunk's content lies, behind the number of its stream."""

    tag: int
    stream: int
    start: int
    end: int


@dataclass(frozen=True)
class _Sample:
    """One sample: its stamp, and where its values lie."""

    stamp: float
    start: int
    end: int


class _Recording:
    """A mapped file taken apart."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.chunks = list(_chunks(data))
        self.headers = {
            chunk.stream: _parsed(data[chunk.start : chunk.end])
            for chunk in self.chunks
            if chunk.tag == STREAM_HEADER
        }

    def samples(self, stream: int) -> Iterator[_Sample]:
        """All samples of a stream, in the order of the file."""
        channels, dtype = channels_of(ElementTree.tostring(self.headers[stream], "unicode"))
        size = None if dtype is None else channels * dtype.itemsize
        rate = float(self.headers[stream].findtext("nominal_srate", "0"))
        last = 0.0
        for chunk in self.chunks:
            if chunk.tag == SAMPLES and chunk.stream == stream:
                for sample in self._in_chunk(chunk, last, 1 / rate if rate > 0 else 0.0, size):
                    last = sample.stamp
                    yield sample

    def _in_chunk(
        self, chunk: _Chunk, last: float, interval_s: float, size: int | None
    ) -> Iterator[_Sample]:
        count, at = _length(self.data, chunk.start)
        for _ in range(count):
            if at >= chunk.end:
                raise ValueError(f"the samples at byte {chunk.start} are damaged")
            if self.data[at]:  # else the stamp is one interval after the one before
                (last,) = struct.unpack_from("<d", self.data, at + 1)
                at += 9
            else:
                last, at = last + interval_s, at + 1
            length, start = (size, at) if size is not None else _length(self.data, at)
            at = start + length
            if at > chunk.end or not abs(last) < _LATEST:
                raise ValueError(f"the samples at byte {chunk.start} are damaged")
            yield _Sample(last, start, at)

    def clock_offsets(self, stream: int) -> Iterator[tuple[float, float]]:
        """When each was measured, and what to add to a stamp (s)."""
        for chunk in self.chunks:
            if (chunk.tag, chunk.stream) == (CLOCK_OFFSET, stream):
                time, offset = struct.unpack_from("<dd", self.data, chunk.start)
                if abs(time) < _LATEST and abs(offset) < _LATEST:  # not for one that is no number
                    yield time, offset


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if data[:2] == b"\x1f\x8b":
        raise ValueError("it is compressed: unpack it first (gunzip)")
    if data[: len(MAGIC)] != MAGIC:
        raise ValueError("it does not begin as one")
    return data


def _chunks(data: mmap.mmap) -> Iterator[_Chunk]:
    """All whole chunks; past damage it goes on at the next boundary."""
    at = len(MAGIC)
    while at < len(data):
        try:
            size, start = _length(data, at)
            (tag,) = struct.unpack_from("<H", data, start)
            numbered = tag in _OF_A_STREAM
            stream = struct.unpack_from("<I", data, start + 2)[0] if numbered else 0
            content = start + (6 if numbered else 2)
            if not content <= start + size <= len(data):
                raise ValueError("cut short")
        except (ValueError, IndexError, struct.error):
            log.warning("the XDF recording is damaged at byte %d, or cut there", at)
            mark = data.find(BOUNDARY_MARK, at)
            if mark < 0:
                return
            at = mark + len(BOUNDARY_MARK)
            continue
        yield _Chunk(tag, stream, content, start + size)
        at = start + size


def _length(data: mmap.mmap, at: int) -> tuple[int, int]:
    """A variable-length integer, and where what follows it begins."""
    size = data[at] if at < len(data) else 0
    if size not in (1, 4, 8):
        raise ValueError(f"no length at byte {at}")
    kind = {1: "<B", 4: "<I", 8: "<Q"}[size]
    return struct.unpack_from(kind, data, at + 1)[0], at + 1 + size


def _parsed(xml: bytes) -> Element:
    try:
        return ElementTree.fromstring(xml.decode("utf-8", "replace"))  # noqa: S314 - expat bounds what entities grow to
    except ElementTree.ParseError as error:
        raise ValueError(f"a stream's description is not XML: {error}") from error


def _volume_stream(headers: Mapping[int, Element], name: str | None) -> int:
    known = {
        number: header.findtext("name", "")
        for number, header in headers.items()
        if header.findtext("type") == wire.VOLUME_TYPE
    }
    wanted = [number for number in known if name in (None, known[number])]
    if len(wanted) == 1:
        return wanted[0]
    there = ", ".join(repr(known[number][:80]) for number in known) or "none"
    asked = "one volume stream" if name is None else f"one volume stream '{name}'"
    raise BadStream(f"it must have {asked}; it has {there}: name one of these (docs/wire.md)")


def _marker_streams(headers: Mapping[int, Element], name: str) -> list[int]:
    return [
        number
        for number, header in headers.items()
        if header.findtext("name") == wire.marker_stream(name)
        and header.findtext("channel_format") == "string"
        and header.findtext("channel_count") == "1"
    ]


def _info(header: Element) -> pylsl.StreamInfo:
    """The description as LSL would hand it over."""
    channels, _ = channels_of(ElementTree.tostring(header, "unicode"))
    info = pylsl.StreamInfo(
        header.findtext("name") or "unnamed", wire.VOLUME_TYPE, channels, 1.0,
        header.findtext("channel_format", ""), "",
    )  # fmt: skip
    for group in header.findall("desc/*"):
        child = info.desc().append_child(group.tag)
        for value in group:
            child.append_child_value(value.tag, value.text or "")
    return info


def _ordered(
    recording: _Recording, streams: list[int], geometry: Geometry
) -> list[Volume | Marker]:
    """What can be understood, by stamp; where two are equal, as they lie in the file."""
    samples = {stream: list(recording.samples(stream)) for stream in streams}
    stamps = _on_one_clock(recording, samples)
    found: list[tuple[float, int, Volume | Marker]] = []
    for stream, position in ((s, p) for s in streams for p in range(len(samples[s]))):
        sample, stamp = samples[stream][position], float(stamps[stream][position])
        try:
            understand = _volume if stream == streams[0] else _marker
            item = understand(recording.data, sample, geometry, stamp)
        except (BadStream, UnicodeDecodeError) as error:
            log.warning("a sample was skipped: %s", error)
        else:
            ends = isinstance(item, Marker) and item.event is Event.RUN_END
            found.append((stamp + _CLOCK_ERROR_S * ends, sample.start, item))
    return [item for _, _, item in sorted(found, key=lambda entry: entry[:2])]


def _volume(data: mmap.mmap, sample: _Sample, geometry: Geometry, stamp: float) -> Volume:
    values = np.frombuffer(data, geometry.dtype, wire.HEADER + geometry.n_voxels, sample.start)
    return wire.volume_of(values, geometry, Times(acquired=stamp))


def _marker(data: mmap.mmap, sample: _Sample, geometry: Geometry, stamp: float) -> Marker:
    return wire.marker_of(data[sample.start : sample.end].decode(), stamp)


def _on_one_clock(
    recording: _Recording, samples: Mapping[int, list[_Sample]]
) -> dict[int, NDArray[np.float64]]:
    """The stamps of each stream on the recorder's clock, by pyxdf, which sees nothing but them."""
    try:
        import pyxdf
    except ImportError as error:
        raise ValueError("pyxdf is missing: pip install 'rtrecon[xdf]'") from error
    file = io.BytesIO()
    writer = XdfWriter(file)
    for stream, taken in samples.items():
        writer.stream(stream, _STAMPS_ONLY)
        writer.samples(stream, [sample.stamp for sample in taken], [[0]] * len(taken))
        for time, offset in recording.clock_offsets(stream):
            writer.clock_offset(stream, time, offset)
    file.seek(0)
    read, _ = pyxdf.load_xdf(file, dejitter_timestamps=False, synchronize_clocks=True)
    return {entry["info"]["stream_id"]: entry["time_stamps"] for entry in read}


def _place(found: list[Volume | Marker], geometry: Geometry) -> None:
    """Give trials that have none their onset in run time, as the receiver does (docs/wire.md)."""
    anchor: Volume | None = None
    for position, item in enumerate(found):
        if isinstance(item, Volume):
            anchor = item
        elif item.event is Event.RUN_START:
            anchor = None
        elif item.event is Event.TRIAL and isnan(item.onset_s):
            later = (i for i in found[position:] if isinstance(i, Volume))
            near = anchor or next(later, None)
            if near is not None:
                since_s = (item.stamp - near.times.acquired) * geometry.speed
                found[position] = replace(item, onset_s=near.end_s(geometry.tr_s) + since_s)
