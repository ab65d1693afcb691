"""Samples and markers in any order, through the receiver to patterns and decoded volumes."""

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rtrecon import wire
from rtrecon.decode import Decode
from rtrecon.errors import BadStream
from rtrecon.receive import Receiver
from rtrecon.types import Geometry, Marker, Volume
from rtrecon.wire import ScannerOutlet
from tests.fuzz import made
from tests.fuzz.mutate import json_text
from tests.fuzz.target import Parts, Target

# What comes, one after the other: ["volume", header's low and high value, what its voxels are, stamp]
# or ["marker", text, stamp].
_RUN: list[Any] = [["marker", '{"event": "run_start"}', 99.0]]
for _n in range(12):
    _RUN.append(["volume", _n, 0, "voxels", 100.0 + 2 * _n])
    _RUN.append(["marker", "dog" if _n % 4 == 2 else '{"trial_type": "cat"}', 99.0 + 2 * _n])
_RUN.append(["marker", '{"event": "run_end", "volumes": 12}', 130.0])
_MOST_SENT = 3e38  # a float32 holds
_MOST = 60  # things that come in one input


@contextmanager
def opened(_folder: Path) -> Iterator[Target]:
    """A list of what comes. The receiver is a real one, which has heard nothing yet."""
    geometry = replace(made.GEOMETRY, dtype="float32", speed=100.0)
    outlet = ScannerOutlet("fuzzed", geometry, "fuzzed")
    receiver = Receiver("fuzzed", 20.0, None, threading.Event())
    receiver.close()
    receiver._markers = None  # type: ignore[assignment]  # it would go on looking for streams
    del outlet
    artifact, data = made.artifact(), made.volumes(1)[..., 0]
    decode = Decode(artifact)

    def items(coming: list[Any]) -> Iterator[Volume | Marker]:
        heard = copy.copy(receiver)
        for part in ("_count", "_onsets", "_fault_of"):  # what it has understood so far
            understood = copy.deepcopy(getattr(receiver, part), {id(receiver): heard})
            setattr(heard, part, understood)
        for kind, *told in filter(_can_come, coming[:_MOST]):
            try:
                if kind == "volume":
                    stamp = float(told[3])
                    yield from heard._take(_sample(told, data, geometry), stamp, stamp)
                else:
                    yield from heard._ordered(wire.marker_of(told[0], float(told[1])))
            except BadStream:
                continue
        yield from heard._finish()
        counts = heard.counts
        assert min(counts.received, counts.lost, counts.duplicate, counts.rejected) >= 0
        assert counts.lost <= 10_000 * (_MOST + 1) + 1e7

    def run(parts: Parts) -> None:
        try:
            coming = json.loads(parts[0])
        except (ValueError, RecursionError):
            return
        last, preprocess = -1, artifact.preprocess(geometry.affine)
        for item in items(coming if isinstance(coming, list) else []):
            if isinstance(item, Marker):
                assert not np.isinf(item.onset_s)  # one that no volume came for has none
                preprocess.mark(item)
                last = -1 if item.event.value == "run_start" else last
            elif not item.fault:
                assert item.number > last
                last = item.number
                if (pattern := preprocess.add(item)) is not None:
                    decoded = decode(pattern)
                    assert np.isfinite(decoded.probabilities).all()

    yield Target((json_text,), [[json.dumps(_RUN).encode()]], run)


def _can_come(one: Any) -> bool:
    """Whether this can be sent at all: numbers where LSL has numbers."""
    match one:
        case ["marker", str(), stamp]:
            numbers = [0]
        case ["volume", low, high, kind, stamp]:
            numbers = [low, high, 0 if isinstance(kind, str) else kind]
        case _:
            return False
    sent = all(isinstance(n, float | int) and abs(n) < _MOST_SENT for n in numbers)
    return sent and isinstance(stamp, float)


def _sample(told: list[Any], data: np.ndarray, geometry: Geometry) -> np.ndarray:
    low, high, kind, _ = told
    sample = wire.sample_of(0, data, geometry)[0]
    sample[:2] = low, high
    if kind == "voxels":
        sample[wire.HEADER :] += _noise(low).normal(0, 5, geometry.n_voxels)
    elif isinstance(kind, str):
        sample[wire.HEADER] = np.nan
    else:
        sample[wire.HEADER :: 2] = kind
    return sample


def _noise(number: float) -> np.random.Generator:
    return np.random.default_rng(int(abs(number)))
