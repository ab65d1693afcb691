"""An EEG session set up and taken down: everything is checked before anything starts."""

import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pylsl

from rtrecon import children
from rtrecon.eeg.index import Measure
from rtrecon.eeg.inlet import EegInlet, open_inlets
from rtrecon.eeg.kept import KeptEeg
from rtrecon.eeg.plan import Plan, measured_text
from rtrecon.eeg.record import EegRecorder
from rtrecon.eeg.seat import Seat
from rtrecon.eeg.session import EegSession
from rtrecon.eeg.summary import PersonSummary
from rtrecon.keeper import keeper_beside
from rtrecon.log_file import log_file
from rtrecon.marker_inlets import MarkerInlets
from rtrecon.outputs import Outputs, open_outputs
from rtrecon.remote.publisher import told_to_views
from rtrecon.stages import watch_keeper, watch_told, watch_views

log = logging.getLogger(__name__)


@contextmanager
def open_eeg_session(plan: Plan, folder: Path, stop: threading.Event) -> Iterator[EegSession]:
    """A session ready to start; on leaving, its folder is complete.

    Raises
    ------
    BadConfig, BadStream, StreamMissing, Mismatch
        Something is missing or does not fit; no folder has been made then.
    """
    inlets: list[EegInlet] = []
    outputs: Outputs | None = None
    recorder: EegRecorder | None = None
    people = tuple(person for person, _ in plan.people)
    # First: what comes while these are made would wait for them.
    children.ready(KeptEeg.loads)
    markers = MarkerInlets(plan.options.stream)
    try:
        log.info("looking for %s", ", ".join(f"'{stream}'" for _, stream in plan.people))
        inlets = open_inlets([stream for _, stream in plan.people], plan.options.wait_s, stop)
        measures = [Measure(plan.eeg, inlet.signal) for inlet in inlets]
        outputs = open_outputs(
            plan.options.tables, plan.options.stream, people,
            lambda sent: None if recorder is None else recorder.sent(sent), folder,
        )  # fmt: skip
        recorder = EegRecorder(folder, [inlet.signal for inlet in inlets], _about(plan, inlets))
    except BaseException:
        markers.close()
        for inlet in inlets:
            inlet.close()
        if outputs is not None:
            outputs.close()
        raise
    seats = [
        Seat(
            place, person, inlet, measure,
            plan.scorer(person), PersonSummary(plan.blocks),
        )
        for place, (person, inlet, measure) in enumerate(zip(people, inlets, measures, strict=True))
    ]  # fmt: skip
    session = EegSession(
        plan.options.stream, seats, markers, plan.protocol, plan.blocks, recorder, outputs,
        measured_text(plan.eeg), plan.options.until_idle_s, stop,
    )  # fmt: skip
    watch_told(session.watchdogs, "outputs", outputs)
    with (
        log_file(folder),
        keeper_beside(session, recorder, KeptEeg) as keeper,
        told_to_views(plan.options.stream, session, plan.options.view) as views,
    ):
        session.at_withdrawal.append(keeper.goodbye)
        watch_keeper(session.watchdogs, keeper)
        watch_views(session.watchdogs, views)
        _tell(plan, inlets)
        try:
            yield session
        finally:
            session.stop()
            session.wait(5.0 if session.started else 0.0)
            outputs.close()  # before the record: what went out last is in it
            session.finish()
            log.info("the session is in %s", folder)


def _tell(plan: Plan, inlets: list[EegInlet]) -> None:
    for (person, _), inlet in zip(plan.people, inlets, strict=True):
        signal = inlet.signal
        units = "" if plan.eeg.unit_uv or signal.units_known else ", taken for microvolts"
        log.info(
            "%s: stream '%s' on %s, %d channels, %g Hz%s",
            person.name, signal.name, signal.host, signal.n_channels, signal.rate_hz, units,
        )  # fmt: skip


def _about(plan: Plan, inlets: list[EegInlet]) -> dict[str, object]:
    return {
        "kind": "eeg",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "stream": plan.options.stream,
        # Read together, so that stamps can be told in the time of day.
        "clock": {"lsl": pylsl.local_clock(), "unix": time.time()},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "options": {"wait_s": plan.options.wait_s, "until_idle_s": plan.options.until_idle_s},
        "people": [
            {
                "name": person.name, "colour": person.colour, "samples": f"eeg-{n}.npy",
                "stamps": f"eeg-{n}-stamps.npy",
                "signal": asdict(inlet.signal)
                | {"unit_uv": [u if u == u else None for u in inlet.signal.unit_uv]},
            }
            for n, ((person, _), inlet) in enumerate(zip(plan.people, inlets, strict=True), 1)
        ],
        # As they were written; a date, which TOML has and JSON has not, as text.
        "tables": json.loads(json.dumps(dict(plan.options.tables), default=str)),
    }  # fmt: skip
