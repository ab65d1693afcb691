"""Is everything ready for a session? One finding after another, each with the way out."""

import os
import re
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import TypeVar

import numpy as np
import psutil
import pylsl

from rtrecon.artifact import Artifact
from rtrecon.budget import SHARE, Plan, told
from rtrecon.compatibility import check_position, check_shape, check_stream, check_tr
from rtrecon.config import Session
from rtrecon.connect import find_stream
from rtrecon.errors import Error, Mismatch
from rtrecon.generators import Generator as Model
from rtrecon.generators import find_generator
from rtrecon.models import Models, check_tie
from rtrecon.printable import printable
from rtrecon.protocol.opening import open_protocol
from rtrecon.sham import coded_feedback
from rtrecon.stimuli import find_pictures
from rtrecon.streams import Source, describe, offset_s
from rtrecon.types import Geometry
from rtrecon.wire import MARKER_TYPE, marker_stream

T = TypeVar("T")

MARKERS_S = 1.0  # in which a marker stream that is there is found
LOOPBACK_S = 5.0
LEAST_GB, LITTLE_GB = (
    0.3,
    1.0,
)  # memory: what may wait for the disk, and what a session is happy with
LEAST_H, LITTLE_H = 0.25, 2.0  # of this stream, that the disk has room for
APART_S = 1.0  # clocks further apart than this are those of two computers
_WAY_OUT = re.compile(r"^(.*): (?!rtrecon )(.+)$", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. Its words may hold text from the network or from files.

    Attributes
    ----------
    name : str
    ok : bool or None
        None: it works, and deserves a look; or it could not be looked at.
    text : str
        What was found, with its values.
    way_out : str
        What to do about it; empty where nothing has to be done.
    """

    name: str
    ok: bool | None
    text: str
    way_out: str = ""


Findings = Generator[Finding, None, T]
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
    yield from _loopback()
    yield _display()
    artifact = yield from _decoder(session, models)
    source = yield from _stream(session, stop)
    yield from _fit(session, artifact, source)
    if session.stimuli is not None:
        yield _stimuli(session.stimuli)
    generator = yield from _generator(session, models, artifact)
    tr_s = _interval_s(artifact, source)
    plan = yield from _compute(session, models, generator, tr_s)
    yield _memory()
    yield from _output(session, artifact, source, generator, plan)
    if session.yoked is not None and artifact is not None:
        yield _tried("yoked feedback", lambda: _yoked(session, artifact))
    if artifact is not None and session.tables.keys() & {"protocol", "block", "output", "trigger"}:
        yield _tried("feedback protocol", lambda: _protocol(session, artifact))
    for others in more:
        yield from others(session)


def red(name: str, error: Exception) -> Finding:
    """A finding of an error: ours say the way out behind their last colon."""
    if not isinstance(error, Error):
        text = f"{type(error).__name__}: {error}"
        return Finding(name, False, text, "this was not foreseen: please report it")
    line = " ".join(str(error).split())
    parts = _WAY_OUT.match(line)
    return Finding(name, False, *(parts.groups() if parts else (line,)))


def skipped(name: str, lacking: str) -> Finding:
    """What cannot be looked at before something else is there."""
    return Finding(name, None, f"not looked at: there is no {lacking}")


def _tried(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except Exception as error:
        return red(name, error)


def _loopback() -> Iterator[Finding]:
    """A stream of our own has to be found and heard, as the scanner's will have to be."""
    version = f"{pylsl.library_version() // 100}.{pylsl.library_version() % 100}"
    try:
        seconds = _heard_s()
    except Exception as error:
        yield red("network", error)
        return
    if seconds is not None:
        yield Finding("network", True, f"LSL {version}, found and heard in {seconds:.1f} s")
        return
    yield Finding(
        "network", False, f"LSL {version}: a stream of this program is not heard on this computer",
        "let the firewall pass UDP and TCP 16572 to 16604 and multicast, or see LSLAPICFG",
    )  # fmt: skip


def _heard_s() -> float | None:
    name, began = f"rtrecon-check-{uuid.uuid4().hex[:8]}", pylsl.local_clock()
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Check", 1, 0, pylsl.cf_int32, name))
    found = pylsl.resolve_byprop("name", name, 1, LOOPBACK_S)
    if not found:
        return None
    inlet = pylsl.StreamInlet(found[0], max_buflen=10, recover=False)
    inlet.open_stream(timeout=LOOPBACK_S)
    outlet.push_sample([1])
    sample, _ = inlet.pull_sample(timeout=LOOPBACK_S)
    took_s = pylsl.local_clock() - began
    inlet.close_stream()
    return None if sample is None else took_s


def _display() -> Finding:
    if has_display():
        return Finding("display", True, "there is one")
    return Finding("display", None, "there is none", "run with --headless, or connect a display")


def has_display() -> bool:
    """Whether a window can be shown."""
    shown = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in shown)


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
    yield _clock(offset_s(found))
    return source


def _fit(session: Session, artifact: Artifact | None, source: Source | None) -> Iterator[Finding]:
    geometry = source.geometry if source else None
    checks = {"volume size": check_shape, "slice position": check_position, "TR": check_tr}
    for name, one in checks.items():
        if artifact is None or geometry is None:
            yield skipped(name, "decoder" if artifact is None else "stream")
        else:
            yield _tried(name, partial(one, artifact, geometry, session.stream))
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


def _clock(apart_s: float) -> Finding:
    if np.isnan(apart_s):
        return Finding(
            "clock", None, "the sender's clock does not answer",
            "let the firewall pass UDP 16572 to 16604 both ways, or latencies will be wrong",
        )  # fmt: skip
    if abs(apart_s) < APART_S:
        return Finding("clock", True, f"the sender's is {1e3 * apart_s:+.2f} ms from ours")
    return Finding(
        "clock", True, f"the sender's is {apart_s:+,.0f} s from ours, which is put right"
    )


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


def _memory() -> Finding:
    free_gb = psutil.virtual_memory().available / 1e9
    text, way_out = f"{free_gb:.1f} GB free", "close other programs"
    if free_gb < LITTLE_GB:
        return Finding("memory", None if free_gb >= LEAST_GB else False, text, way_out)
    return Finding("memory", True, text)


def _output(
    session: Session,
    artifact: Artifact | None,
    source: Source | None,
    generator: Model | None,
    plan: Plan | None,
) -> Iterator[Finding]:
    folder = session.output or Path("sessions")
    if (folder / "session.json").exists():
        yield Finding("output", False, f"{folder} already holds a session", "name a new folder")
        return
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".rtrecon-check-", dir=there):
            pass
    except OSError as error:
        text = f"{there} cannot be written ({error.strerror})"
        yield Finding("output", False, text, "name another folder with --output")
        return
    yield Finding("output", True, f"{folder} can be written")
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
    free = disk_usage(folder).free
    hours = free / n_bytes * interval_s / 3600
    text = (
        f"{free / 1e9:.1f} GB free: {hours:,.1f} h at {n_bytes / 1e6:.2g} MB a volume at most, "
        "pictures included"
    )
    if hours >= LITTLE_H:
        return Finding("disk", True, text)
    ok = None if hours >= LEAST_H else False
    return Finding("disk", ok, text, "make room, or name a folder on another disk")


def _protocol(session: Session, artifact: Artifact) -> str:
    """Not its devices: opening these would already do something outside."""
    opening = open_protocol(session, artifact)
    return "none" if opening is None else opening.told


def _yoked(session: Session, artifact: Artifact) -> str:
    assert session.yoked is not None
    coded_feedback(session.code, session.yoked, artifact)
    return f"code {session.code} is on the list"


MARKS = {True: "ok", None: "look", False: "BAD"}


def lines(finding: Finding) -> list[str]:
    """A finding for a terminal."""
    mark = f"{MARKS[finding.ok]:<5}"
    told = [f"{mark} {finding.name:<20} {printable(finding.text)}"]
    return told + [f"{'':26} -> {printable(finding.way_out)}"] * bool(finding.way_out)


def ready(findings: Sequence[Finding]) -> bool:
    """Whether nothing is red."""
    return not any(finding.ok is False for finding in findings)
