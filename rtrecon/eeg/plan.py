"""The configuration of an EEG session understood; nothing is opened for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rtrecon.config import TABLES, read_table, read_toml
from rtrecon.eeg.index import bands_of
from rtrecon.eeg.scorer import EegScorer
from rtrecon.eeg.settings import Eeg, Index, read_eeg, read_people
from rtrecon.errors import BadConfig
from rtrecon.protocol.blocks import Blocks
from rtrecon.protocol.recorded import RecordedScores, recorded_scores
from rtrecon.protocol.settings import ProtocolSettings, Shown, When, read_protocol
from rtrecon.types import Person


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

    def scorer(self, person: Person) -> EegScorer:
        """What makes scores of this person's readings."""
        return EegScorer(
            person.name, measured(self.eeg), self.protocol, self.blocks, self.sham.get(person.name)
        )


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
    return plan_of(replace(chosen, tables=tables), str(toml))


def plan_of(options: EegOptions, where: str) -> Plan:
    """Understand a configuration's tables.

    Raises
    ------
    BadConfig, BadInput
    """
    tables = options.tables
    eeg, people = read_eeg(tables, where), read_people(tables, where)
    if (found := read_protocol(tables)) is None:
        raise BadConfig(f"{where}: [eeg] needs a [protocol]: say in it how the index is scaled")
    settings, blocks = found
    _check(settings)
    sham = {}
    if settings.sham is not None:
        sham = {p.name: recorded_scores(settings.sham, blocks, p.name) for p, _ in people}
    return Plan(options, eeg, people, settings, blocks, sham)


def measured(eeg: Eeg) -> str:
    """The index, and its band where that is not its own."""
    if eeg.band:
        return f"{eeg.index.value} {eeg.band[0]:g}-{eeg.band[1]:g} Hz"
    return eeg.index.value


def measured_text(eeg: Eeg) -> str:
    """What is measured, for people to read."""
    bands = bands_of(eeg)
    if eeg.index is Index.ATTENTION:
        what = "attention: beta / (alpha + theta)"
    else:
        what = f"{eeg.index.value}: {bands[0][0]:g} to {bands[0][1]:g} Hz"
    return f"{what}  ·  {', '.join(eeg.channels) or 'all channels'}"


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
