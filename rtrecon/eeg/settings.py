"""The tables `[eeg]` and `[[person]]` of a configuration, checked before anything starts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from rtrecon.config import read_table
from rtrecon.errors import BadConfig
from rtrecon.types import Person

COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00")
"""Okabe and Ito's, which colour-blind people tell apart; in this order for those without one."""

MOST_PEOPLE = 16


class Index(Enum):
    """What is made of the power in bands, of the mean over the chosen channels."""

    RELAXATION = "relaxation"  # logarithm of the power in `band`, alpha by default
    ATTENTION = "attention"  # logarithm of beta / (alpha + theta)
    BAND = "band"  # power in `band`, microvolts squared


@dataclass(frozen=True)
class Artefacts:
    """The table `[eeg.artefacts]`: when there is no score.

    Attributes
    ----------
    amplitude_uv : float
        A channel further than this from its slow course (high-pass at 1 Hz): a blink, a movement.
    flat_uv, flat_s : float
        A channel that stays within so many microvolts for so many seconds: it came off. 0: never.
    steep_uv_per_ms : float
        A step between two samples that is steeper: an electrode popped. 0: never.
    refractory_s : float
        How long after the last sample of an artefact its traces in filter and window are waited
        out, beyond the window itself.
    """

    amplitude_uv: float = 100.0
    flat_uv: float = 0.5
    flat_s: float = 0.5
    steep_uv_per_ms: float = 0.0
    refractory_s: float = 0.5

    def __post_init__(self) -> None:
        _within("amplitude_uv", self.amplitude_uv, 1, 1e5)
        _within("flat_uv", self.flat_uv, 0, 100)
        _within("flat_s", self.flat_s, 0.1, 10)
        _within("steep_uv_per_ms", self.steep_uv_per_ms, 0, 1e4)
        _within("refractory_s", self.refractory_s, 0, 10)


@dataclass(frozen=True)
class Eeg:
    """The table `[eeg]`: how scores are made of a signal.

    Attributes
    ----------
    index : Index
    band : (float, float)
        Lower and upper edge, Hz, of `relaxation` (8 to 12 where not given) and `band`.
    channels : tuple of str
        Labels, or numbers from "1" on; empty: all.
    window_s : float
        Over how much signal power is taken.
    rate_hz : float
        Scores a second.
    mains_hz : float
        Frequency of the mains, taken out; 0: not.
    unit_uv : float
        Microvolts of one unit sent; 0: what the stream says, and microvolts where it says nothing.
    artefacts : Artefacts
    """

    index: Index = Index.RELAXATION
    band: tuple[float, ...] = ()
    channels: tuple[str, ...] = ()
    window_s: float = 0.5
    rate_hz: float = 20.0
    mains_hz: float = 0.0
    unit_uv: float = 0.0
    artefacts: Artefacts = field(default_factory=Artefacts)

    def __post_init__(self) -> None:
        _within("window_s", self.window_s, 0.1, 10)
        _within("rate_hz", self.rate_hz, 10, 30)
        _within("unit_uv", self.unit_uv, 0, 1e6)
        if self.mains_hz not in (0, 50, 60):
            raise BadConfig(f"mains_hz = {self.mains_hz:g}: must be 50 or 60, or 0 for no notch")
        if self.index is Index.ATTENTION and self.band:
            raise BadConfig("band: 'attention' has bands of its own (docs/eeg.md): leave it out")
        if self.index is Index.BAND and not self.band:
            raise BadConfig("band: index 'band' needs one: write band = [8, 12]")
        if self.band and not (len(self.band) == 2 and 1 <= self.band[0] < self.band[1] <= 500):
            raise BadConfig(
                f"band = {list(self.band)}: must be two frequencies from 1 to 500 Hz, the lower first"
            )


@dataclass(frozen=True)
class Wearer:
    """One table `[[person]]`: who wears the electrodes whose stream is `stream`."""

    name: str
    stream: str
    colour: str = ""

    def __post_init__(self) -> None:
        for key, text in (("name", self.name), ("stream", self.stream)):
            if not 1 <= len(text) <= 64 or not text.isprintable():
                raise BadConfig(f"{key} = {text[:80]!r}: must be 1 to 64 printable characters")
        if self.colour and not re.fullmatch(r"#[0-9a-fA-F]{6}", self.colour):
            raise BadConfig(f"colour = {self.colour!r}: must be like '#56b4e9'")


def read_eeg(tables: Mapping[str, Any], where: str) -> Eeg:
    """The table `[eeg]`.

    Raises
    ------
    BadConfig
    """
    return read_table(Eeg, tables["eeg"], f"{where} [eeg]")


def read_people(tables: Mapping[str, Any], where: str) -> tuple[tuple[Person, str], ...]:
    """Each person with the name of their stream.

    Raises
    ------
    BadConfig
        None or too many, or two with one name or one stream.
    """
    given = tables.get("person", [])
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_PEOPLE:
        raise BadConfig(
            f"{where}: an EEG session needs 1 to {MOST_PEOPLE} people: write [[person]] with name "
            "and stream for each"
        )
    wearers = [read_table(Wearer, table, f"{where} [[person]]") for table in given]
    for key in ("name", "stream"):
        values = [getattr(wearer, key) for wearer in wearers]
        if doubled := [value for value in values if values.count(value) > 1]:
            raise BadConfig(
                f"{where} [[person]]: two have the {key} '{doubled[0]}': give each theirs"
            )
    return tuple(
        (Person(wearer.name, wearer.colour or COLOURS[n % len(COLOURS)]), wearer.stream)
        for n, wearer in enumerate(wearers)
    )


def _within(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # nan is not, either
        raise BadConfig(f"{key} = {value:g}: must be {low:g} to {high:g}")
