"""An EEG session set up and taken down: everything is checked before anything starts."""

import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pylsl

from rtrecon.config import TABLES, read_table, read_toml
from rtrecon.eeg.index import Measure, bands_of
from rtrecon.eeg.inlet import EegInlet
from rtrecon.eeg.record import EegRecorder
from rtrecon.eeg.scorer import EegScorer
from rtrecon.eeg.session import EegSession, Seat
from rtrecon.eeg.settings import Eeg, Index, read_eeg, read_people
from rtrecon.eeg.summary import PersonSummary
from rtrecon.errors import BadConfig, Mismatch
from rtrecon.log_file import log_file
from rtrecon.outputs import Outputs, open_outputs
from rtrecon.protocol.blocks import Blocks
from rtrecon.protocol.recorded import RecordedScores, recorded_scores
from rtrecon.protocol.settings import ProtocolSettings, Shown, When, read_protocol
from rtrecon.remote.publisher import told_to_views
from rtrecon.stages import watch_told, watch_views
from rtrecon.types import Person

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EegOptions:
    """The keys of the configuration outside of tables, as far as an EEG session knows them.

    Attributes
    ----------
    stream : str
        The session's name; its own streams are named after it.
    output : Path or None
    wait_s : float
        How long to wait for the people's streams.
    until_idle_s : float or None
    view : bool
        Whether screens elsewhere (`rtrecon view`) are told.
    tables : mapping
        Of the file: those that `rtrecon.config.TABLES` names.
    """

    stream: str = "rtrecon"
    output: Path | None = None
    wait_s: float = 60.0
    until_idle_s: float | None = None
    view: bool = True
    tables: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.wait_s < float("inf"):
            raise BadConfig(f"wait_s = {self.wait_s:g}: must be above 0")
        if self.until_idle_s is not None and not self.until_idle_s > 0:
            raise BadConfig(f"until_idle_s = {self.until_idle_s:g}: must be above 0")


@dataclass(frozen=True)
class Plan:
    """A configuration understood; nothing has been opened for it yet."""

    options: EegOptions
    eeg: Eeg
    people: tuple[tuple[Person, str], ...]
    protocol: ProtocolSettings
    blocks: Blocks
    sham: Mapping[str, RecordedScores]  # by person


def read_plan(toml: Path, options: Mapping[str, Any]) -> Plan:
    """An EEG session's configuration, overruled by the options that are not None.

    Raises
    ------
    BadConfig, BadInput
    """
    table = read_toml(toml)
    tables = {key: table.pop(key) for key in list(table) if key in TABLES}
    known = {f.name for f in fields(EegOptions)} - {"tables"}
    given = {key: value for key, value in options.items() if value is not None}
    if foreign := sorted(set(given) - known):
        option = foreign[0].removesuffix("_s").replace("_", "-")
        raise BadConfig(f"--{option} is of no use in an EEG session, which {toml} is: leave it out")
    chosen = read_table(EegOptions, table | given, str(toml), hidden=("tables",))
    eeg, people = read_eeg(tables, str(toml)), read_people(tables, str(toml))
    if (found := read_protocol(tables)) is None:
        raise BadConfig(f"{toml}: [eeg] needs a [protocol]: say in it how the index is scaled")
    settings, blocks = found
    _check(settings)
    sham = {}
    if settings.sham is not None:
        sham = {p.name: recorded_scores(settings.sham, blocks, p.name) for p, _ in people}
    return Plan(replace(chosen, tables=tables), eeg, people, settings, blocks, sham)


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
    try:
        _open_inlets(plan, inlets, stop)
        measures = [Measure(plan.eeg, inlet.signal) for inlet in inlets]
        outputs = open_outputs(
            plan.options.tables, plan.options.stream, people,
            lambda sent: None if recorder is None else recorder.sent(sent), folder,
        )  # fmt: skip
        recorder = EegRecorder(folder, [inlet.signal for inlet in inlets], _about(plan, inlets))
    except BaseException:
        for inlet in inlets:
            inlet.close()
        if outputs is not None:
            outputs.close()
        raise
    seats = [
        Seat(
            place, person, inlet, measure,
            EegScorer(person.name, _measured(plan.eeg), plan.protocol, plan.blocks,
                      plan.sham.get(person.name)),
            PersonSummary(plan.blocks),
        )
        for place, (person, inlet, measure) in enumerate(zip(people, inlets, measures, strict=True))
    ]  # fmt: skip
    session = EegSession(
        plan.options.stream, seats, plan.protocol, plan.blocks, recorder, outputs,
        _measured_text(plan.eeg), plan.options.until_idle_s, stop,
    )  # fmt: skip
    watch_told(session.watchdogs, "outputs", outputs)
    with log_file(folder), told_to_views(plan.options.stream, session, plan.options.view) as views:
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


def _check(settings: ProtocolSettings) -> None:
    """What a protocol for fMRI alone may say."""
    for key in ("measure", "target", "region"):
        if value := getattr(settings, key):
            raise BadConfig(
                f"[protocol] {key} = '{value}': with EEG the measure is what [eeg] says: leave it out"
            )
    if settings.when is not When.CONTINUOUS:
        raise BadConfig("[protocol] when: EEG has no trials: leave it out")
    if Shown.RECONSTRUCTION in settings.shows:
        raise BadConfig("[protocol] shows: EEG gives no reconstruction: leave it out")


def _open_inlets(plan: Plan, inlets: list[EegInlet], stop: threading.Event) -> None:
    """All at the same time: each takes a second or two."""
    names = [stream for _, stream in plan.people]
    log.info("looking for %s", ", ".join(f"'{name}'" for name in names))
    with ThreadPoolExecutor(len(names), "rtrecon-eeg-open") as pool:
        opening = [pool.submit(EegInlet, name, plan.options.wait_s, stop) for name in names]
    inlets += [future.result() for future in opening if future.exception() is None]
    for future in opening:
        future.result()
    if len({inlet.signal.speed for inlet in inlets}) > 1:
        speeds = ", ".join(f"'{i.name}' {i.signal.speed:g}" for i in inlets)
        raise Mismatch(f"the streams are replayed at different speeds ({speeds}): use one")


def _measured(eeg: Eeg) -> str:
    if eeg.band:
        return f"{eeg.index.value} {eeg.band[0]:g}-{eeg.band[1]:g} Hz"
    return eeg.index.value


def _measured_text(eeg: Eeg) -> str:
    """What is measured, for people to read."""
    bands = bands_of(eeg)
    if eeg.index is Index.ATTENTION:
        what = "attention: beta / (alpha + theta)"
    else:
        what = f"{eeg.index.value}: {bands[0][0]:g} to {bands[0][1]:g} Hz"
    return f"{what}  ·  {', '.join(eeg.channels) or 'all channels'}"


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
