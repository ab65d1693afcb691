"""What happens in a day: people one after the other, an hour each, and in every hour the same runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

TR_S = 2.0
PEOPLE = ("ada", "ben", "cleo", "dan")


class Act(Enum):
    """What is special about a run."""

    PAUSED = "paused"  # and resumed
    RESTARTED = "restarted"  # its scanner is stopped and begun again
    VIEWED = "viewed"  # elsewhere, and settings are changed
    STOPPED = "stopped"  # by the operator


@dataclass(frozen=True)
class Run:
    """One run of so many `volumes`, of which its scanner sends all unless it is stopped.

    The first of an hour is begun on the set-up page, and after the last that page is opened again.
    """

    number: int  # from 0 in the day
    hour: int
    volumes: int
    act: Act
    first: bool
    last: bool

    @property
    def parts(self) -> tuple[int, ...]:
        """Volumes that the scanner sends between its starts."""
        if self.act is Act.RESTARTED:
            return self.volumes * 2 // 5, self.volumes - self.volumes * 2 // 5
        return (self.volumes,)


@dataclass(frozen=True)
class Day:
    """So many `hours` of as many runs as there are acts, `speed` times faster than life."""

    hours: int
    volumes: int  # of a run
    speed: float
    acts: tuple[Act, ...] = tuple(Act)

    @property
    def runs(self) -> tuple[Run, ...]:
        """All of the day."""
        n = len(self.acts)
        return tuple(
            Run(k, k // n, self.volumes, self.acts[k % n], k % n == 0, k % n == n - 1)
            for k in range(self.hours * n)
        )

    @property
    def words(self) -> list[str]:
        """For a command line; `read` understands them."""
        acts = ",".join(act.value for act in self.acts)
        return [str(self.hours), str(self.volumes), str(self.speed), acts]


def read(words: Sequence[str]) -> Day:
    """A day of its words."""
    hours, volumes, speed, acts = words
    return Day(int(hours), int(volumes), float(speed), tuple(map(Act, acts.split(","))))
