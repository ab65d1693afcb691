"""What a person is to do when: a schedule of blocks. Times are passed in."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf, nan

from rtrecon.errors import BadConfig
from rtrecon.types import Block

MOST = 100_000
"""Blocks of a schedule, repeats counted."""


@dataclass(frozen=True)
class BlockPlan:
    """One table `[[block]]`.

    Attributes
    ----------
    kind : Block
    duration_s : float
    instruction : str
        What the person is asked to do.
    target : str
        In the place of the protocol's; empty: the protocol's.
    """

    kind: Block
    duration_s: float
    instruction: str = ""
    target: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.duration_s < inf:
            raise BadConfig(f"block duration_s = {self.duration_s}: must be above 0")


@dataclass(frozen=True)
class Moment:
    """Where a schedule stands.

    Attributes
    ----------
    kind : Block
        Before the first block and after the last one: rest, in which nothing is told.
    instruction, target : str
    number : int
        Of the block, from 1, repeats counted; 0: before the first or after the last.
    since, until : float
        When the block begins and ends, in the schedule's time, s; nan: never.
    """

    kind: Block
    instruction: str = ""
    target: str = ""
    number: int = 0
    since: float = nan
    until: float = nan


class Blocks:
    """A schedule, in seconds from its start. Without any block it is one of regulation, without end.

    Parameters
    ----------
    plans : sequence of BlockPlan
    repeat : int
        How often the whole list is gone through.

    Raises
    ------
    BadConfig
        `repeat` is below 1, or the blocks are too many.
    """

    def __init__(self, plans: Sequence[BlockPlan], repeat: int = 1) -> None:
        if repeat < 1 or repeat * max(1, len(plans)) > MOST:
            raise BadConfig(f"repeat = {repeat}: must be 1 or more, with at most {MOST} blocks")
        self._plans = list(plans) * repeat
        self._ends = list(accumulate(plan.duration_s for plan in self._plans))

    @property
    def duration_s(self) -> float:
        """Of the whole schedule; infinite without blocks."""
        return self._ends[-1] if self._ends else inf

    @property
    def count(self) -> int:
        """Blocks of the whole schedule; 0 without any."""
        return len(self._plans)

    @property
    def kinds(self) -> frozenset[Block]:
        """Of all its blocks."""
        return frozenset(plan.kind for plan in self._plans) or frozenset({Block.REGULATE})

    @property
    def targets(self) -> frozenset[str]:
        """What its blocks aim at; empty text: what the protocol does."""
        return frozenset(plan.target for plan in self._plans) or frozenset({""})

    def of_kind(self, kind: Block) -> list[Moment]:
        """All blocks of a kind."""
        starts = [0.0, *self._ends]
        return [self.at(starts[n]) for n, plan in enumerate(self._plans) if plan.kind is kind]

    def at(self, time: float) -> Moment:
        """Where it stands: a block begins with its first moment and ends before its last.

        A time that is not known (nan) is before the first block.
        """
        if not time >= 0:
            return Moment(Block.REST, until=0.0)
        if not self._plans:
            return Moment(Block.REGULATE, number=1, since=0.0)
        place = bisect_right(self._ends, time)
        if place == len(self._plans):
            return Moment(Block.REST, since=self._ends[-1])
        plan, until = self._plans[place], self._ends[place]
        since = self._ends[place - 1] if place else 0.0
        return Moment(plan.kind, plan.instruction, plan.target, place + 1, since, until)

    def resting_s(self, time: float) -> float:
        """How long a rest block has gone on; nan outside of one."""
        moment = self.at(time)
        inside = moment.kind is Block.REST and moment.number > 0
        return time - moment.since if inside else nan
