"""The description of a volume stream, its samples, and what a paced receiver says."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pylsl
from pylsl.lib import lib

from rtrecon import wire
from rtrecon.types import Geometry, Times
from tests.fuzz import made
from tests.fuzz.mutate import blind, text
from tests.fuzz.target import Parts, Target

lib.lsl_streaminfo_from_xml.restype = ctypes.c_void_p
lib.lsl_streaminfo_from_xml.argtypes = [ctypes.c_char_p]


def described(xml: bytes) -> pylsl.StreamInfo:
    """A stream's description as LSL reads it from the network."""
    return pylsl.StreamInfo(handle=lib.lsl_streaminfo_from_xml(xml.partition(b"\0")[0]))


@contextmanager
def opened(_folder: Path) -> Iterator[Target]:
    """Description in XML, then a sample."""
    yield Target((text, blind), [seed(g) for g in _geometries()], run)


def seed(geometry: Geometry) -> Parts:
    """What a scanner sends."""
    data = np.arange(geometry.n_voxels).reshape(geometry.shape)
    sample = wire.sample_of(40_000, data, geometry)
    info = wire.volume_info("scanner", geometry, "source", paced=True, acquired_from="header")
    return [told(info), sample.tobytes()]


def told(info: pylsl.StreamInfo) -> bytes:
    """A description as an outlet tells it, which has named itself."""
    uid = "<uid>6a1f7c9e-1111-4222-8333-444455556666</uid>"
    return info.as_xml().replace("<uid></uid>", uid).encode()


def run(parts: Parts) -> None:
    """Believe a description as far as the receiver does, and read a sample of it."""
    info = described(parts[0])
    geometry = wire.geometry_of(info)
    assert geometry.n_voxels <= 1 << 24
    volume_s = geometry.tr_s / geometry.speed
    kept_s, least_s = wire.buffer_s(geometry), ceil(4 * volume_s)
    volume_bytes = geometry.n_voxels * np.dtype(geometry.dtype).itemsize
    assert 1 <= kept_s <= max(90, least_s)
    assert kept_s <= least_s or (kept_s - 1) / volume_s * volume_bytes <= 256e6
    assert wire.room_s(geometry) == 2 * kept_s
    wire.is_paced(info)
    if wire.HEADER + geometry.n_voxels > 1 << 16:
        return
    again = wire.geometry_of(wire.volume_info("again", geometry, "source"))
    assert replace(again, affine=geometry.affine) == geometry
    sample = np.zeros(wire.HEADER + geometry.n_voxels, geometry.dtype)
    sent = parts[1][: sample.nbytes]
    sample.view(np.uint8)[: len(sent)] = np.frombuffer(sent, np.uint8)
    volume = wire.volume_of(sample, geometry, Times())
    assert 0 <= volume.number < 1 << 30
    assert volume.data.shape == geometry.shape
    back = wire.sample_of(volume.number, volume.data, geometry)[0]
    np.testing.assert_array_equal(back[wire.HEADER :], sample[wire.HEADER :])


def _geometries() -> list[Geometry]:
    bare = replace(made.GEOMETRY, slice_times_s=(), echo_times_s=(), dtype="float32", speed=10.0)
    return [made.GEOMETRY, bare]
