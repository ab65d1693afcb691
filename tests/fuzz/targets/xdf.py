"""An XDF recording, by any program."""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from rtrecon import wire
from rtrecon.types import Volume
from rtrecon.xdf import MAGIC, XdfWriter
from simulator.recording import of_xdf, runs_of
from tests.fuzz import made
from tests.fuzz.mutate import blind, text
from tests.fuzz.target import Parts, Target


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """One file."""
    path = folder / "session.xdf"

    def run(parts: Parts) -> None:
        path.write_bytes(parts[0])
        recording = of_xdf(path)
        for item in (item for run in runs_of(recording) for item in run):
            if isinstance(item, Volume):
                assert item.data.shape == recording.geometry.shape
                item.data.max()

    yield Target((chunk,), [[_recording()]], run)


def chunk(content: bytes, rng: Random) -> bytes:
    """One chunk's content changed, its length kept true; or chunks taken out, doubled, exchanged."""
    chunks = list(_chunks(content))
    if not chunks:
        return blind(content, rng)
    at = rng.randrange(len(chunks))
    tag, body = chunks[at]
    match rng.randrange(6):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(rng.randrange(len(chunks)), chunks[at])
        case 2:
            chunks[at] = rng.randrange(8), body
        case _ if tag in (1, 2, 6):  # four bytes of number, then XML
            skip = 0 if tag == 1 else 4
            chunks[at] = tag, body[:skip] + text(body[skip:], rng)
        case _:
            chunks[at] = tag, blind(body, rng)
    return MAGIC + b"".join(
        b"\x08" + struct.pack("<QH", 2 + len(body), tag) + body for tag, body in chunks
    )


def _chunks(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(MAGIC)
    while at + 11 <= len(content) and content[at] == 8:
        size, tag = struct.unpack_from("<QH", content, at + 1)
        if size < 2 or at + 9 + size > len(content):
            return
        yield tag, content[at + 11 : at + 9 + size]
        at += 9 + size


def _recording() -> bytes:
    file = io.BytesIO()
    writer = XdfWriter(file)
    data = made.volumes(5)
    writer.stream(1, wire.volume_info("scanner", made.GEOMETRY, "s").as_xml())
    writer.stream(2, wire.marker_info("scanner", "m").as_xml())
    writer.samples(2, [9.0], [['{"event": "run_start"}']])
    for n in range(5):
        writer.samples(1, [10.0 + 2 * n], wire.sample_of(n, data[..., n], made.GEOMETRY))
        writer.samples(2, [9.5 + 2 * n], [["dog"]])
        writer.clock_offset(1, 10.0 + n, 0.01)
        writer.boundary()
    writer.samples(2, [20.0], [['{"event": "run_end", "volumes": 5}']])
    writer.footer(1)
    writer.footer(2)
    return file.getvalue()
