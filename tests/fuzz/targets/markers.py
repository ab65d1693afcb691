"""Lines of a marker stream, through to scores."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path

from rtrecon import wire
from rtrecon.config import Session
from rtrecon.decode import Decode
from rtrecon.errors import BadStream
from rtrecon.preprocess import Preprocess
from rtrecon.protocol.opening import open_protocol
from rtrecon.protocol.scorer import Evidence, Scorer
from rtrecon.types import Event, Times, Volume
from tests.fuzz import made
from tests.fuzz.mutate import json_lines
from tests.fuzz.target import Parts, Target

_SEED = [
    '{"event": "run_start"}',
    '{"event": "trial", "trial_type": "dog", "onset_s": 1.5, "duration_s": 6, "stim_file": "d.png"}',
    '{"event": "trigger"}',
    '{"trial_type": "cat", "onset_s": 9.0, "caption": "a cat on a mat"}',
    "noise",
    '{"event": "trial", "trial_type": "dog", "onset_s": 19.0, "duration_s": 0.1}',
    '{"event": "run_end", "volumes": 20}',
]
_PROTOCOL = {
    "measure": "probability",
    "when": "trial",
    "baseline": {"kind": "start", "seconds": 10.0},
    "threshold": {"level": 0.3},
}
_MOST = 24


@contextmanager
def opened(_folder: Path) -> Iterator[Target]:
    """Lines; a volume comes after each."""
    artifact, data = made.artifact(), made.volumes(_MOST + 3)
    session = Session(Path(), tables={"protocol": _PROTOCOL})
    opening = open_protocol(session, artifact)
    assert opening is not None

    def run(parts: Parts) -> None:
        lines = parts[0].decode("utf-8", "replace").split("\n")
        preprocess, decode = artifact.preprocess(made.GEOMETRY.affine), Decode(artifact)
        scorer = opening.scorer(artifact, {})
        for number, line in enumerate(lines[:_MOST]):
            _marked(line, number, preprocess, scorer)
            item = Volume(number, data[..., number], Times(2.0 * number, 2.0 * number))
            pattern = preprocess.add(item)
            decoded = None if pattern is None else decode(pattern)
            known = decoded is not None and pattern is not None
            scorer.volume(preprocess.trial, Evidence(decoded, pattern) if known else None, 0.0)
        scorer.finish(0.0)

    yield Target((json_lines,), [["\n".join(_SEED).encode()]], run)


def _marked(line: str, number: int, preprocess: Preprocess, scorer: Scorer) -> None:
    try:
        marker = wire.marker_of(line, 2.0 * number)
    except BadStream:
        return
    again = wire.marker_of(wire.text_of(marker), 2.0 * number)
    for (key, one), other in zip(asdict(marker).items(), asdict(again).values(), strict=True):
        assert one == other or (isnan(one) and isnan(other)), key
    json.loads(wire.text_of(marker))
    if isnan(marker.onset_s):
        marker = replace(marker, onset_s=2.0 * number)
    preprocess.mark(marker)
    if marker.event in (Event.RUN_START, Event.RUN_END):
        scorer.finish(0.0)
        if marker.event is Event.RUN_START:
            scorer.restart()
