"""A session set up and taken down: everything is loaded and checked before anything starts."""

import hashlib
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.artifact import ABOUT, Artifact
from rtrecon.budget import Plan
from rtrecon.compatibility import check_stream
from rtrecon.config import Session
from rtrecon.contact_sheet import write_contact_sheet
from rtrecon.errors import BadDataset
from rtrecon.feedback import Feedback
from rtrecon.generators import Generator
from rtrecon.keeper import keeper_beside
from rtrecon.kept_volumes import KeptVolumes
from rtrecon.log_file import log_file
from rtrecon.memory import undisturbed
from rtrecon.models import Models, check_tie
from rtrecon.outputs import open_outputs
from rtrecon.pipeline import Pipeline
from rtrecon.protocol.opening import open_protocol
from rtrecon.quality_sheet import write_quality_sheet
from rtrecon.receive import Receiver
from rtrecon.record import Recorder
from rtrecon.remote.publisher import told_to_views
from rtrecon.sham import coded_feedback
from rtrecon.stages import watch_keeper, watch_told, watch_views
from rtrecon.stimuli import find_pictures
from rtrecon.xdf_recorder import XdfRecorder

log = logging.getLogger(__name__)


@contextmanager
def open_session(
    session: Session, artifact: Artifact, stop: threading.Event, models: Models | None = None
) -> Iterator[Pipeline]:
    """A pipeline ready to start; on leaving, its folder is complete.

    `models`: what is loaded already and outlives the session; without it, the generator is loaded
    and let go of.

    Raises
    ------
    BadGenerator, BadStream, StreamMissing, Mismatch, BadConfig
        Something is missing or does not fit; no folder has been made then.
    """
    if models is None:
        with closing(Models()) as models, open_session(session, artifact, stop, models) as pipeline:
            yield pipeline
        return
    coded = None
    if session.yoked is not None:
        coded = coded_feedback(session.code, session.yoked, artifact)
    protocol = open_protocol(session, artifact)
    name = session.generator or artifact.generator.name
    generator = models.generator(name)
    check_tie(artifact, name, generator)
    log.info("generator '%s' is loaded; looking for stream '%s'", name, session.stream)
    with ExitStack() as opened:  # whatever fails from here on, nothing stays open
        receiver = Receiver(session.stream, session.wait_s, session.until_idle_s, stop)
        opened.callback(receiver.close)
        check_stream(artifact, receiver.geometry, session.stream)
        tr_s = receiver.geometry.tr_s / receiver.geometry.speed
        chosen = models.plan(generator, session, tr_s)
        folder = session.output or default_output()
        outputs, scoring = None, None
        recorder: Recorder | None = None
        encoded: dict[str, NDArray[np.float32]] = {}
        if protocol is not None:
            encoded = models.painter.submit(lambda: protocol.encoded(generator)).result()
            outputs = open_outputs(
                session.tables, session.stream, (protocol.person,),
                lambda sent: None if recorder is None else recorder.sent(sent), folder,
            )  # fmt: skip
            opened.callback(outputs.close)
        about = _about(session, artifact, generator, chosen) | {"captions": list(encoded)}
        recorder = Recorder(folder, receiver.geometry, about)
        opened.callback(recorder.close)
        if protocol is not None and outputs is not None:
            scoring = protocol.scoring(artifact, encoded, receiver.geometry, recorder, outputs)
        opened.enter_context(log_file(folder))
        feedback = opened.enter_context(closing(Feedback(session.stream, artifact.candidates)))
        xdf = opened.enter_context(_xdf(session, folder, receiver))
        keeper = opened.enter_context(keeper_beside(receiver, recorder, KeptVolumes))
        opened.enter_context(undisturbed())
        # In here, so that what it works out beforehand is the same however many cores there are.
        pipeline = Pipeline(
            receiver, artifact, generator, models.painter, recorder, chosen.settings, session.fixed,
            session.stimuli, session.free_viewing, feedback, coded, scoring, compares=True,
        )  # fmt: skip
        pipeline.at_withdrawal += [keeper.goodbye, feedback.close]
        if scoring is not None:
            pipeline.at_withdrawal.append(scoring.withdraw)
        watch_keeper(pipeline.watchdogs, keeper)
        if xdf is not None:
            pipeline.at_withdrawal.append(xdf.withdraw)
        if outputs is not None:
            watch_told(pipeline.watchdogs, "outputs", outputs)
        with told_to_views(session.stream, pipeline, session.view) as views:
            watch_views(pipeline.watchdogs, views)
            try:
                yield pipeline
            finally:
                pipeline.finish()
                if not pipeline.withdrawn:
                    _draw_sheets(folder, session, artifact)
                log.info("the session is in %s", folder)


@contextmanager
def _xdf(session: Session, folder: Path, receiver: Receiver) -> Iterator[XdfRecorder | None]:
    """All streams recorded side by side with the session, where that is asked for."""
    if not (session.xdf or session.xdf_streams):
        yield None
        return
    others = [name.strip() for name in session.xdf_streams.split(",") if name.strip()]
    recorder = XdfRecorder(folder / "session.xdf", session.stream, others, receiver.markers_joined)
    if not recorder.wait_for(session.stream, timeout_s=10.0):
        log.warning("stream '%s' is not recorded to XDF yet", session.stream)
    with closing(recorder):
        yield recorder


def _draw_sheets(folder: Path, session: Session, artifact: Artifact) -> None:
    """Pictures of what is recorded already: a full disk must not end in an error."""
    try:
        if session.yoked is None:  # beside what was decoded, what was shown would tell
            write_contact_sheet(folder, find_pictures(session.stimuli))
        write_quality_sheet(folder, artifact.voxels)
    except (OSError, BadDataset) as error:
        log.error("the session's overview pictures could not be drawn: %s", error)


def default_output() -> Path:
    """A folder of its own for a session whose output was not named."""
    return Path("sessions") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


def _about(
    session: Session, artifact: Artifact, generator: Generator, chosen: Plan
) -> dict[str, object]:
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "stream": session.stream,
        # Read together, so that stamps can be told in the time of day.
        "clock": {"lsl": pylsl.local_clock(), "unix": time.time()},
        "options": _options(session),
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "gpu": generator.compute.gpu,
        },
        "decoder": {
            "name": artifact.name,
            "folder": session.decoder.name,
            **_hashes(session.decoder),
        },
        "generator": {"name": generator.name, "identity": generator.identity},
        "compute": generator.compute.told(),
        "free_viewing": session.free_viewing,
        "settings": asdict(chosen.settings),
        "picture_s": round(chosen.seconds, 4),
        "candidates": artifact.candidates,
        # As they were written; a date, which TOML has and JSON has not, as text.
        "tables": json.loads(json.dumps(dict(session.tables), default=str)),
    }


def _hashes(decoder: Path) -> dict[str, str]:
    """Which decoder it was: the hash of its arrays, as its own description has it, and of that."""
    try:
        content = (decoder / ABOUT).read_bytes()
        return {
            "sha256": json.loads(content)["sha256"],
            "about_sha256": hashlib.sha256(content).hexdigest(),
        }
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _options(session: Session) -> dict[str, object]:
    """What was asked for, as far as it decides what is shown."""
    return {
        "generator": session.generator,
        "stimuli": None if session.stimuli is None else session.stimuli.name,
        "wait_s": session.wait_s,
        "until_idle_s": session.until_idle_s,
        "free_viewing": session.free_viewing,
        "settings": dict(session.fixed),
    }
