"""A recorded EEG session's folder, and all that reads one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from unittest.mock import patch

import numpy as np

from rtrecon.archive import finalize
from rtrecon.eeg.index import Measure
from rtrecon.eeg.inlet import Chunk
from rtrecon.eeg.plan import EegOptions, plan_of
from rtrecon.eeg.record import EegRecorder
from rtrecon.eeg.signal import Signal
from rtrecon.types import Event, Marker, Phase, Status
from rtrecon.verify import verify
from tests.fuzz.mutate import json_lines, json_text, npy, table
from tests.fuzz.target import Mutation, Parts, Target
from tests.fuzz.targets.session_config import tried

FILES: dict[str, Mutation] = {
    "session.json": json_text, "eeg-1.npy": npy, "eeg-1-stamps.npy": npy, "markers.jsonl": json_lines,
    "status.jsonl": json_lines, "scores.tsv": table, "firings.tsv": table, "summary.json": json_text,
}  # fmt: skip
_TABLES = {
    "eeg": {"window_s": 0.1, "artefacts": {"refractory_s": 0.1, "flat_s": 0.1}},
    "protocol": {"threshold": {"level": 0.3, "hold_s": 0.1}, "baseline": {"kind": "rest"}},
    "block": [{"kind": "rest", "duration_s": 1.0}, {"kind": "regulate", "duration_s": 2.0}],
    "person": [{"name": "Ada", "stream": "ada"}],
}
_RATE_HZ, _GAP = 100.0, 150


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """All of its files; an empty one is not there."""
    whole, session = folder / "whole", folder / "session"
    for old in (whole, session):
        shutil.rmtree(old, ignore_errors=True)
    _record(whole)
    session.mkdir()
    written: dict[str, bytes] = {}

    def run(parts: Parts) -> None:
        for name, part in zip(FILES, parts, strict=True):
            if written.get(name) != part:
                written[name] = part
                (session / name).unlink(missing_ok=True)
                if part:
                    (session / name).write_bytes(part)
        tried(lambda: verify(session))
        for left in ("bids", "bids.part"):
            shutil.rmtree(folder / left, ignore_errors=True)
        tried(lambda: finalize(session, folder / "bids"))
        assert not (folder / "bids.part").exists()

    seed = [(whole / name).read_bytes() if (whole / name).is_file() else b"" for name in FILES]
    with patch("rtrecon.verify.versions", dict):
        yield Target(tuple(FILES.values()), [seed], run)


def _record(folder: Path) -> None:
    """Three seconds of one person with a gap, by the real parts, but for threads and LSL."""
    signal = Signal("ada", ("Cz", "O1"), _RATE_HZ, "float32", (1.0, 1.0))
    plan = plan_of(EegOptions(tables=_TABLES), "made")
    people = [{"name": "Ada", "colour": "#56b4e9", "signal": asdict(signal)}]
    about = {"kind": "eeg", "people": people, "tables": _TABLES,
             "clock": {"lsl": 90.0, "unix": 1.7e9}}  # fmt: skip
    recorder = EegRecorder(folder, [signal], about)
    measure, scorer = Measure(plan.eeg, signal), plan.scorer(plan.people[0][0])
    samples = np.random.default_rng(0).normal(0, 10, (300, 2)).astype(np.float32)
    stamps = 100 + np.arange(300) / _RATE_HZ
    stamps[_GAP:] += 1
    recorder.status(Status(Phase.RUNNING), elapsed=0.0)
    recorder.marker(Marker(Event.TRIAL, "dog", 0.0, 2.0, "dog.png", stamp=100.5))
    number = 0
    for piece in (slice(0, _GAP), slice(_GAP, 300)):
        chunk = Chunk(samples[piece], stamps[piece], stamps[piece], 0.0, piece.start > 0)
        recorder.chunk(0, chunk)
        if chunk.gap:
            measure.gap()
        for reading in measure.add(chunk.samples):
            number, acquired = number + 1, float(stamps[reading.sample - 1])
            score, firing = scorer.score(reading, number, acquired - 100, acquired, acquired, False)
            recorder.score(score)
            if firing is not None:
                recorder.firing(firing)
    recorder.summary({"people": {"Ada": {"samples": 300}}})
    recorder.close()
