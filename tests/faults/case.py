"""What a case is: a fault, what is promised of it, and how the promise is held to the record."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.checks import Check
from tests.faults.outcome import Outcome
from tests.faults.shown import Shown

WHEN = ("start", "middle", "end")
COUNT = 60
"""Volumes of a run, where a case does not need more."""


@dataclass(frozen=True)
class Case:
    """One fault and its promise; done once for each place in the run.

    Attributes
    ----------
    name : str
        Of the fault, as `--faults` has it.
    what : str
        What happens, for people.
    shown : tuple of Shown
        What is promised to be shown, and is looked for.
    recorded, recovers : str
        The promise, for people.
    within_s : float
        How long after the fault the session is itself again at the latest: `back` says when.
    wire, machine : callable
        The list of faults of the scanner, and of the session's machine, for a volume's number.
    back : callable or None
        When the session was itself again, s after the fault; None: it never was away.
    checks : tuple of callable
        What else is promised.
    exit_code : int
        Of `rtrecon run`.
    options : tuple of str
        More for `rtrecon run`.
    harmless : bool
        Of a fault of the machine: whether all that is decoded is as without it, to the bit.
    window : bool
        Whether it needs a window.
    count : int
        Volumes of the run.
    speed : float
        Times faster than life: 20 is a volume every 100 ms.
    limit_s : float
        After which it is taken for hung.
    whens : tuple of str
        Of `WHEN`.
    first : int
        The volume at which the fault is put in at the start.
    """

    name: str
    what: str
    shown: tuple[Shown, ...]
    recorded: str
    recovers: str
    within_s: float
    wire: Callable[[int], str] = lambda at: ""
    machine: Callable[[int], str] = lambda at: ""
    back: Callable[[Outcome], float | None] | None = None
    checks: tuple[Check, ...] = ()
    exit_code: int = 0
    options: tuple[str, ...] = ()
    harmless: bool = False
    window: bool = False
    count: int = COUNT
    speed: float = 20.0
    limit_s: float = 120.0
    whens: tuple[str, ...] = WHEN
    first: int = 3

    @property
    def within(self) -> str:
        """For people."""
        return f"{self.within_s:g} s"

    def at(self, when: str) -> int:
        """The number of the volume at which the fault is put in."""
        return {"start": self.first, "middle": self.count // 2, "end": self.count - 4}[when]
