"""The tables `[protocol]` and `[[block]]` of a session's configuration, checked."""

from collections.abc import Mapping
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


def read_protocol(tables: Mapping[str, Any]) -> tuple[ProtocolSettings, Blocks] | None:
    """The protocol of a configuration, or None where it has none.

    Parameters
    ----------
    tables : mapping
        `Session.tables`.

    Raises
    ------
    BadConfig
        Unknown key, wrong type or value, or blocks that do not fit the protocol.
    """
    if "protocol" not in tables:
        if alone := next((key for key in ("block", "output", "trigger") if key in tables), ""):
            raise BadConfig(f"[[{alone}]] without [protocol]: say in it what is fed back")
        return None
    settings = read_table(ProtocolSettings, tables["protocol"], "[protocol]")
    listed = tables.get("block", [])
    if not isinstance(listed, list):
        raise BadConfig("[block]: there may be several, so write [[block]]")
    plans = [
        read_table(BlockPlan, table, f"[[block]] number {number}")
        for number, table in enumerate(listed, 1)
    ]
    blocks = Blocks(plans, settings.repeat)
    if (Block.SHAM in blocks.kinds) != (settings.sham is not None):
        raise BadConfig(
            '[protocol]: sham = "SESSION_FOLDER" and blocks of kind "sham" need each other'
        )
    return settings, blocks
