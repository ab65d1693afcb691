"""What a session of fMRI needs: decoder, stream, generator, and that they fit."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pylsl

from rtrecon.artifact import Artifact
from rtrecon.budget import SHARE, Plan, told
from rtrecon.check.findings import Finding, red, skipped, tried
from rtrecon.check.machine import Findings, clock, display, hours, loopback, memory, output
from rtrecon.compatibility import check_position, check_shape, check_stream, check_tr
from rtrecon.config import Session
from rtrecon.connect import find_stream
from rtrecon.errors import Mismatch
from rtrecon.generators import Generator as Model
from rtrecon.generators import find_generator
from rtrecon.models import Models, check_tie
from rtrecon.protocol.opening import open_protocol
from rtrecon.sham import coded_feedback
from rtrecon.stimuli import find_pictures
from rtrecon.streams import Source, describe, offset_s
from rtrecon.types import Geometry
from rtrecon.wire import MARKER_TYPE, marker_stream

MARKERS_S = 1.0  # in which a marker stream that is there is found

More = Callable[[Session], Iterator[Finding]]


def check(
    session: Session, models: Models, stop: threading.Event, more: Sequence[More] = ()
) -> Iterator[Finding]:
    """Look at everything that a session needs; nothing raises, and nothing is begun.

    What is loaded and measured stays in `models`, so that a session that follows has it at once.

    Parameters
    ----------
    session : Session
        As it would be run; `wait_s`: how long the stream is waited for.
    models : Models
    stop : threading.Event
        Ends the wait for the stream.
    more : sequence of callable
        What other rooms have to look at, such as outputs.
    """
    yield from loopback()
    yield display()
    artifact = yield from _decoder(session, models)
    source = yield from _stream(session, stop)
    yield from _fit(session, artifact, source)
    if session.stimuli is not None:
        yield _stimuli(session.stimuli)
    generator = yield from _generator(session, models, artifact)
    tr_s = _interval_s(artifact, source)
    plan = yield from _compute(session, models, generator, tr_s)
    yield memory()
    yield from _output(session, artifact, source, generator, plan)
    if session.yoked is not None and artifact is not None:
        yield tried("yoked feedback", lambda: _yoked(session, artifact))
    if artifact is not None and session.tables.keys() & {"protocol", "block", "output", "trigger"}:
        yield tried("feedback protocol", lambda: _protocol(session, artifact))
    for others in more:
        yield from others(session)


def _decoder(session: Session, models: Models) -> Findings[Artifact | None]:
    if session.decoder == Path():
        yield Finding(
            "decoder", False, "none is chosen", "name the folder that rtrecon-calibrate fit wrote"
        )
        return None
    try:
        artifact = models.artifact(session.decoder)
    except Exception as error:
        yield red("decoder", error)
        return None
    yield Finding("decoder", True, about(artifact))
    return artifact


def about(artifact: Artifact) -> str:
    """A person's decoders in one line."""
    return (
        f"'{artifact.name}': {len(artifact.voxels):,} voxels, {len(artifact.candidates)} candidates, "
        f"for generator '{artifact.generator.name}'"
    )


def _stream(session: Session, stop: threading.Event) -> Findings[Source | None]:
    try:
        found = find_stream(session.stream, session.wait_s, stop)
        source = describe(found)
    except Exception as error:
        yield red("stream", error)
        return None
    if source.geometry is None:
        text, _, way_out = source.fault.rpartition(": ")
        yield Finding("stream", False, f"'{source.name}' on {source.host}: {text}", way_out)
        return None
    yield Finding("stream", True, f"'{source.name}' on {source.host}: {source.told}")
    yield clock(offset_s(found))
    return source


def _fit(session: Session, artifact: Artifact | None, source: Source | None) -> Iterator[Finding]:
    geometry = source.geometry if source else None
    checks = {"volume size": check_shape, "slice position": check_position, "TR": check_tr}
    for name, one in checks.items():
        if artifact is None or geometry is None:
            yield skipped(name, "decoder" if artifact is None else "stream")
        else:
            yield tried(name, partial(one, artifact, geometry, session.stream))
    if source is None:
        yield skipped("markers", "stream")
        return
    yield _markers(session)


def fits(source: Source, artifact: Artifact | None) -> str:
    """Whether a stream can be used, with a decoder where there is one, in words."""
    if source.geometry is None:
        return "cannot be used"
    markers = "markers" if source.marked else "no markers yet"
    if artifact is None:
        return markers
    try:
        check_stream(artifact, source.geometry, source.name)
    except Mismatch as error:
        return f"{markers}; does not fit: {red('', error).text}"
    return f"{markers}; fits '{artifact.name}'"


def _markers(session: Session) -> Finding:
    name = marker_stream(session.stream)
    found = pylsl.resolve_bypred(f"name='{name}' and type='{MARKER_TYPE}'", 1, MARKERS_S)
    if found:
        return Finding("markers", True, f"'{name}' on {found[0].hostname()}")
    if session.free_viewing:
        return Finding("markers", True, "none, and free viewing needs none")
    return Finding(
        "markers", None, f"no stream '{name}' yet: nothing is decoded without markers",
        "start the stimulus program, or choose free viewing",
    )  # fmt: skip


def _stimuli(folder: Path) -> Finding:
    pictures = len(find_pictures(folder))
    if pictures:
        return Finding("stimuli", True, f"{pictures:,} pictures")
    return Finding(
        "stimuli", None, f"no pictures in {folder}",
        "name the folder whose pictures the markers name, or go without",
    )  # fmt: skip


def _generator(
    session: Session, models: Models, artifact: Artifact | None
) -> Findings[Model | None]:
    name = session.generator or (artifact.generator.name if artifact else "")
    if not name:
        yield skipped("generator", "decoder")
        return None
    try:
        licence = find_generator(name).licence
        generator = models.generator(name)
    except Exception as error:
        yield red("generator", error)
        return None
    rights = f"; licence {licence}" if licence else ""
    yield Finding("generator", True, f"'{name}' is loaded, {generator.size_px} px{rights}")
    if artifact is None:
        yield skipped("decoder's generator", "decoder")
        return generator
    try:
        check_tie(artifact, name, generator)
    except Exception as error:
        yield red("decoder's generator", error)
        return None
    yield Finding("decoder's generator", True, "the decoder was fitted for it")
    return generator


def _interval_s(artifact: Artifact | None, source: Source | None) -> float | None:
    """Between two volumes, on the clock of this session."""
    if source is not None and source.geometry is not None:
        return source.geometry.tr_s / source.geometry.speed
    return None if artifact is None else artifact.tr_s


def _compute(
    session: Session, models: Models, generator: Model | None, tr_s: float | None
) -> Findings[Plan | None]:
    if generator is None or tr_s is None:
        yield skipped("time for a picture", "generator" if generator is None else "stream")
        return None
    yield _device(generator)
    try:
        plan = models.plan(generator, session, tr_s)
    except Exception as error:
        yield red("time for a picture", error)
        return None
    fits = plan.seconds <= SHARE * tr_s
    text = f"{plan.seconds:.2g} s measured, of {tr_s:.3g} s between volumes: {told(plan.settings)}"
    way_out = "" if fits else "use a faster computer or generator, or fewer steps"
    yield Finding("time for a picture", fits or None, text, way_out)
    return plan


def _device(generator: Model) -> Finding:
    compute = generator.compute.told()
    if compute["device"] == "cpu":
        threads = compute["threads"]
        return Finding("compute", True, f"processor, {threads} thread(s), {compute['dtype']}")
    return Finding("compute", True, f"{compute['device'].upper()}, {compute['dtype']}")


def _output(
    session: Session,
    artifact: Artifact | None,
    source: Source | None,
    generator: Model | None,
    plan: Plan | None,
) -> Iterator[Finding]:
    there = yield from output(session.output)
    if there is None:
        return
    if source is None or source.geometry is None:
        yield skipped("disk", "stream")
        return
    n_bytes = volume_bytes(source.geometry, artifact, generator, plan)
    yield room(there, n_bytes, _interval_s(artifact, source) or 1.0)


def volume_bytes(
    geometry: Geometry,
    artifact: Artifact | None = None,
    generator: Model | None = None,
    plan: Plan | None = None,
) -> int:
    """What a volume takes on disk at most, with all that is made of it."""
    n_bytes = geometry.n_voxels * np.dtype(geometry.dtype).itemsize
    if artifact is not None:
        tie = artifact.generator
        decoded = int(np.prod(tie.latent) + np.prod(tie.conditioning))
        n_bytes += 4 * (decoded + len(artifact.voxels) + len(artifact.candidates))
    if generator is not None and plan is not None:
        pictures = plan.settings.samples * (plan.settings.steps if plan.settings.preview else 1)
        n_bytes += pictures * 3 * generator.size_px**2
    return n_bytes


def room(folder: Path, n_bytes: int, interval_s: float) -> Finding:
    """How long a session the disk has room for, with so many bytes a volume."""
    return hours(
        folder, n_bytes / interval_s, f"{n_bytes / 1e6:.2g} MB a volume at most, pictures included"
    )


def _protocol(session: Session, artifact: Artifact) -> str:
    """Not its devices: opening these would already do something outside."""
    opening = open_protocol(session, artifact)
    return "none" if opening is None else opening.told


def _yoked(session: Session, artifact: Artifact) -> str:
    assert session.yoked is not None
    coded_feedback(session.code, session.yoked, artifact)
    return f"code {session.code} is on the list"
