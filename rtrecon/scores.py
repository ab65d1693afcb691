"""Scores, firings and where they went, as rows of their tables; scores read back to the bit."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from math import isnan, nan
from typing import Any

from rtrecon.types import Block, Firing, Score, Sent

SCORE_COLUMNS = tuple(field.name for field in fields(Score))
FIRING_COLUMNS = ("number", "time", "person", "score")
SENT_COLUMNS = tuple(field.name for field in fields(Sent))
UNKNOWN = "n/a"


def score_row(score: Score) -> tuple[str, ...]:
    """The cells of scores.tsv."""
    return tuple(_cell(getattr(score, name)) for name in SCORE_COLUMNS)


def firing_row(firing: Firing) -> tuple[str, ...]:
    """The cells of firings.tsv; `score` is the number of the one that fired."""
    cells = (firing.number, firing.time, firing.person, firing.score.number)
    return tuple(_cell(value) for value in cells)


def sent_row(sent: Sent) -> tuple[str, ...]:
    """The cells of sent.tsv."""
    return tuple(_cell(getattr(sent, name)) for name in SENT_COLUMNS)


def scores_of(rows: Iterable[Mapping[str, str]]) -> list[Score]:
    """The scores of a table's rows.

    Raises
    ------
    ValueError, LookupError
        A cell is missing or not what it should be.
    """
    return [Score(*(_value(name, row[name]) for name in SCORE_COLUMNS)) for row in rows]


def _cell(value: object) -> str:
    match value:
        case Block():
            return value.value
        case float():
            return UNKNOWN if isnan(value) else repr(float(value))
    return str(value) or UNKNOWN


def _value(name: str, cell: str) -> Any:
    kind = Score.__annotations__[name]
    if kind is Block:
        return Block(cell)
    if kind is str:
        return "" if cell == UNKNOWN else cell
    return nan if cell == UNKNOWN else kind(cell)
