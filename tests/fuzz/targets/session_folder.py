"""A recorded session's folder, and all that reads one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from rtrecon.archive import finalize
from rtrecon.artifact import Artifact, save_artifact
from rtrecon.config import Session, Settings
from rtrecon.decode import Decode
from rtrecon.generators import Aim, Step
from rtrecon.protocol.blocks import Blocks
from rtrecon.protocol.opening import Opening, open_protocol
from rtrecon.protocol.recorded import recorded_scores
from rtrecon.protocol.scorer import Evidence
from rtrecon.record import Recorder
from rtrecon.redraw import Aimed, redraw
from rtrecon.session_folder import SessionFolder, damage_told, open_session_folder
from rtrecon.sham import Coded, coded_feedback
from rtrecon.types import Event, Frame, Marker, Phase, Status, Times, Volume
from rtrecon.verdict import Verdict
from rtrecon.verify import verify
from simulator.recording import of_session, runs_of
from tests.fuzz import made
from tests.fuzz.mutate import blind, json_lines, json_text, npy, table
from tests.fuzz.target import Mutation, Parts, Target
from tests.fuzz.targets.session_config import tried

FILES: dict[str, Mutation] = {
    "session.json": json_text, "volumes.npy": npy, "volumes.tsv": table, "markers.jsonl": json_lines,
    "quality.tsv": table, "trials.tsv": table, "z.npy": npy, "c.npy": npy, "patterns.npy": npy,
    "probabilities.npy": npy, "frames.tsv": table, "settings.jsonl": json_lines,
    "status.jsonl": json_lines, "scores.tsv": table, "firings.tsv": table, "summary.json": json_text,
    "frames/000001.png": blind, "feedback.json": json_text,
}  # fmt: skip
_PROTOCOL = {"measure": "probability", "target": "dog", "threshold": {"level": 0.3}}
_MOST = 60  # things that are walked through


class Drawn:
    """A generator of plain pictures, for what reads those that were recorded."""

    def images(self, aim: Aim, seed: int, settings: Settings, newer: Any = None) -> Iterator[Step]:
        """As `rtrecon.generators.Generator`."""
        for step in range(1, settings.steps + 1):
            if step > 1:
                newer()
            yield Step(_picture(step), step, settings.steps)


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """All of its files; an empty one is not there."""
    artifact, session, whole = made.artifact(), folder / "session", folder / "whole"
    save_artifact(artifact, folder / "decoder")
    (folder / "codes.toml").write_text('[codes]\nA1 = "session"\n')
    for old in (whole, session):
        shutil.rmtree(old, ignore_errors=True)
    _record(whole, artifact)
    (session / "frames").mkdir(parents=True)
    written: dict[str, bytes] = {}

    def run(parts: Parts) -> None:
        for name, part in zip(FILES, parts, strict=True):
            if written.get(name) != part:
                written[name] = part
                (session / name).unlink(missing_ok=True)
                if part:
                    (session / name).write_bytes(part)
        _read_by_all(session, folder, artifact)

    seed = [(whole / name).read_bytes() if (whole / name).is_file() else b"" for name in FILES]
    # Four fifths of the time would go to tidying memory and to asking for versions.
    with patch("rtrecon.verify.undisturbed", nullcontext), patch("rtrecon.verify.versions", dict):
        yield Target(tuple(FILES.values()), [seed], run)


def _read_by_all(session: Path, folder: Path, artifact: Artifact) -> None:
    tried(lambda: _played(session))
    tried(lambda: verify(session, folder / "decoder", frames=False))
    tried(lambda: recorded_scores(session, Blocks([], 1)))
    coded = tried(lambda: coded_feedback("A1", folder / "codes.toml", artifact))
    if coded is not None:
        _shown(coded)
    if (read := tried(lambda: open_session_folder(session))) is not None:
        tried(lambda: _drawn_again(read))
    for left in ("bids", "bids.part"):
        shutil.rmtree(folder / left, ignore_errors=True)
    tried(lambda: finalize(session, folder / "bids"))
    assert not (folder / "bids.part").exists()


def _played(session: Path) -> None:
    for count, item in enumerate(item for run in runs_of(of_session(session)) for item in run):
        if count < _MOST and isinstance(item, Volume):
            item.data.max()


def _shown(coded: Coded) -> None:
    """What another person would be shown of it."""
    if (yoked := coded.yoked) is None:
        return
    for rows in yoked._by_trial.values():
        for row in rows[:_MOST]:
            yoked._frames.get(yoked._rows[row]["received"])
    for frames in list(yoked._frames.values())[:3]:
        for frame in frames[:3]:
            tried_picture(yoked, int(frame["frame"]))


def tried_picture(yoked: Any, frame: int) -> None:
    """As `Yoked` reads a picture when it is due."""
    try:
        yoked._images(frame)
    except (OSError, SyntaxError, ValueError):
        return


def _drawn_again(session: SessionFolder) -> None:
    rows = {
        (int(row["trial"]), int(row["volume"])): [Aimed(n, float(row["received"]), 1.0)]
        for n, row in enumerate(_numbered(session))
    }
    with damage_told(session.folder):  # as verify has it
        redraw(session, Drawn(), rows, Verdict())  # type: ignore[arg-type]


def _numbered(session: SessionFolder) -> list[dict[str, str]]:
    """Rows of trials.tsv as verify has them: of what is decoded today, so their numbers are ones."""
    kept = []
    for row in session.table("trials.tsv"):
        try:
            int(row["trial"]), int(row["volume"]), float(row["received"])
        except (LookupError, ValueError):
            continue
        kept.append(row)
    return kept


def _picture(step: int) -> np.ndarray:
    return np.full((1, 6, 8, 3), 10 * step, np.uint8)


def _record(folder: Path, artifact: Artifact) -> None:
    """A session of two runs, by the real parts, but for threads and LSL."""
    tables = {"protocol": _PROTOCOL}
    opening = open_protocol(Session(folder, tables=tables), artifact)
    assert opening is not None
    about = {
        "started": "2026-01-02T12:00:00+00:00", "stream": "scanner", "clock": {"lsl": 90.0, "unix": 1.7e9},
        "options": {}, "machine": {"system": "x", "processors": 2, "gpu": None},
        "decoder": {"name": "sub-toy", "folder": "decoder", "sha256": "0"},
        "generator": {"name": "toy", "identity": "identity"}, "compute": {"device": "cpu"},
        "free_viewing": False, "settings": asdict(Settings()), "captions": [],
        "candidates": list(made.NAMES), "tables": tables,
    }  # fmt: skip
    recorder = Recorder(folder, made.GEOMETRY, about)
    try:
        _walk(recorder, opening, artifact)
        recorder.summary({"volumes": {"received": 20}})
    finally:
        recorder.close()


def _walk(recorder: Recorder, opening: Opening, artifact: Artifact) -> None:
    scorer, decode = opening.scorer(artifact, {}), Decode(artifact)
    preprocess, data = artifact.preprocess(made.GEOMETRY.affine), made.volumes(10)
    recorder.settings(Settings(steps=2))
    recorder.status(Status(Phase.RUNNING))
    serial = 0
    for run in range(2):
        recorder.marker(start := Marker(Event.RUN_START, stamp=100.0 + 50 * run))
        preprocess.mark(start)
        for n in range(10):
            now = 102.0 + 50 * run + 2 * n
            if n % 5 == 1:
                trial = Marker(Event.TRIAL, "dog", 2.0 * n, 4.0, "dog.png", "a dog", stamp=now)
                recorder.marker(trial)
                preprocess.mark(trial)
            volume = Volume(n, data[..., n], Times(now, now + 0.1))
            recorder.volume(volume)
            pattern = preprocess.add(volume)
            recorder.arrival(preprocess.arrival)  # type: ignore[arg-type]
            if pattern is None:
                continue
            decoded = decode(pattern)
            recorder.decoded(decoded, pattern)
            scored = scorer.volume(preprocess.trial, Evidence(decoded, pattern), now)
            if scored is not None:
                recorder.score(scored[0])
                if scored[1] is not None:
                    recorder.firing(scored[1])
            serial += 1
            recorder.frame(
                Frame(serial, _picture(1), decoded, 1, 2, decoded.times, f"{n}", Settings(steps=2))
            )
        recorder.marker(Marker(Event.RUN_END, volumes=10, stamp=now + 1))
