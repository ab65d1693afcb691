"""The tables `[protocol]` and `[[block]]` of a session's configuration, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from rtrecon.config import read_table
from rtrecon.errors import BadConfig
from rtrecon.protocol.blocks import BlockPlan, Blocks
from rtrecon.protocol.scale import Baseline, Scaling
from rtrecon.protocol.threshold import Crossing
from rtrecon.types import Block


class When(Enum):
    """How often there is a score."""

    CONTINUOUS = "continuous"  # with every volume
    TRIAL = "trial"  # once for each trial, after its last volume


class Shown(Enum):
    """What a participant may see."""

    RECONSTRUCTION = "reconstruction"
    SCORE = "score"
    INSTRUCTION = "instruction"
    FIXATION = "fixation"


@dataclass(frozen=True)
class ProtocolSettings:
    """Table `[protocol]`, the same for fMRI and EEG.

    Attributes
    ----------
    measure : str
        "similarity", "probability" or "region"; with EEG empty, since `[eeg]` says it.
    target : str
        A candidate's name, a caption, or empty: the current trial's type.
    region : str
        "early", "ventral", or the path of a NIfTI mask.
    when : When
    shows : tuple of Shown
    repeat : int
        How often the list of blocks is gone through.
    sham : Path or None
        Folder of the recorded session whose scores sham blocks tell.
    baseline : Baseline
    scale : Scaling
    threshold : Crossing or None
        None: nothing fires.
    """

    measure: str = ""
    target: str = ""
    region: str = ""
    when: When = When.CONTINUOUS
    shows: tuple[Shown, ...] = (Shown.SCORE, Shown.INSTRUCTION, Shown.FIXATION)
    repeat: int = 1
    sham: Path | None = None
    baseline: Baseline = field(default_factory=Baseline)
    scale: Scaling = field(default_factory=Scaling)
    threshold: Crossing | None = None


def read_protocol(tables: Mapping[str, Any], file: str) -> tuple[ProtocolSettings, Blocks] | None:
    """The protocol of a configuration, or None where it has none.

    Parameters
    ----------
    tables : mapping
        `Session.tables`.
    file : str
        The configuration's name, for messages.

    Raises
    ------
    BadConfig
        Unknown key, wrong type or value, or blocks that do not fit the protocol.
    """
    if "protocol" not in tables:
        if "block" in tables:
            raise BadConfig(f"{file}: [[block]] without [protocol]: say what is fed back in it")
        return None
    settings = read_table(ProtocolSettings, tables["protocol"], f"{file} [protocol]")
    plans = [
        read_table(BlockPlan, table, f"{file} [[block]] {number}")
        for number, table in enumerate(_listed(tables.get("block", []), file), 1)
    ]
    blocks = Blocks(plans, settings.repeat)
    if (Block.SHAM in blocks.kinds) != (settings.sham is not None):
        raise BadConfig(
            f'{file} [protocol]: sham = "SESSION_FOLDER" and blocks of kind "sham" need each other'
        )
    return settings, blocks


def _listed(tables: Any, file: str) -> Sequence[Any]:
    if not isinstance(tables, list):
        raise BadConfig(f"{file}: write each block as a table of its own: [[block]]")
    return tables
