"""Every fault of a scanner's side that can be played, with the unit of its amount."""

from dataclasses import dataclass

BAD_MARKERS = ("json", "huge", "control", "utf8", "types", "event")


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes
    ----------
    name : str
        As `--faults` has it.
    does : str
        For people.
    on : str
        What it happens to: "volume", "marker" (the next trial's from that volume on), "scanner", or
        "rest" (all from that volume on).
    unit : str
        Of the amount; empty where there is none.
    usual, least, most : float
        The amount where none is given, and its bounds.
    words : tuple of str
        What the amount may be where it is a word; the first is the usual one.
    """

    name: str
    does: str
    on: str
    unit: str = ""
    usual: float = 0.0
    least: float = 0.0
    most: float = 0.0
    words: tuple[str, ...] = ()


_ALL = (
    Kind("lose", "never sent", "volume"),
    Kind("double", "sent twice", "volume"),
    Kind("late", "sent behind those that follow it", "volume", "TRs late", 2, 1, 1000),
    Kind("swap", "exchanged with the one after it", "volume"),
    Kind("truncate", "the rest never arrived and is zero", "volume", "share that came", 0.5, 0, 0.99),
    Kind("nan", "full of NaN (float32 runs)", "volume"),
    Kind("constant", "one value everywhere", "volume"),
    Kind("spike", "voxels twenty times as bright", "volume", "share of voxels", 0.05, 0.001, 1),
    Kind("shift", "moved along j, this volume alone", "volume", "voxels", 3, 1, 100),
    Kind("jump", "moved along j from there on", "rest", "voxels", 3, 1, 100),
    Kind("jitter", "late by chance from there on", "rest", "TRs at most", 0.5, 0.01, 1),
    Kind("clock", "all stamps step", "rest", "s", 60, -86400, 86400),
    Kind("mark-lose", "never sent", "marker"),
    Kind("mark-double", "sent twice", "marker"),
    Kind("mark-early", "sent before its time", "marker", "TRs early", 10, 0.1, 1e6),
    Kind("mark-bad", "one that cannot be read comes before this volume", "scanner", "kind",
         words=BAD_MARKERS),
    Kind("die", "stops dead", "scanner"),
    Kind("restart", "killed, back after a while", "scanner", "s", 3, 0.1, 600),
    Kind("restart-zero", "the same, and counts from 0", "scanner", "s", 3, 0.1, 600),
    Kind("replace", "killed, another source takes its place", "scanner", "s", 3, 0.1, 600),
    Kind("replace-zero", "the same, and counts from 0", "scanner", "s", 3, 0.1, 600),
    Kind("shape", "sends another matrix for a while", "scanner", "s", 3, 0.1, 600),
    Kind("second", "another scanner sends under its name", "scanner", "s", 3, 0.1, 600),
    Kind("cut", "nothing passes the cable", "scanner", "s", 5, 0.1, 600),
)  # fmt: skip

KINDS = {kind.name: kind for kind in _ALL}

AWAY = frozenset({"restart", "restart-zero", "replace", "replace-zero", "shape"})
"""While these last, volumes and markers that fall due are never received."""

TIMED = AWAY | {"second", "cut"}
"""What takes so many seconds: not for a replay as fast as it is taken."""
