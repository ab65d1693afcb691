"""Watchdogs: which stages of a session do not do what they should, told as long as it lasts.

A stage says no more than how often it has moved and whether something waits for it; the clock is
here. How long each may stand still: docs/watchdogs.md.
"""

import logging
import threading
from collections.abc import Callable, Hashable
from math import inf
from typing import NamedTuple

import pylsl

from rtrecon.types import Trouble

log = logging.getLogger(__name__)

LOOK_S = 0.1  # between two looks
LEAST_S = 2.0  # no budget is smaller: a replay may be a hundred times faster than a scanner
STOOD_S = 1.5  # looks that are further apart: nobody could do anything meanwhile
TOLD_S = 3.0  # and so far: the whole program stood still
OVER_S = 1.0  # a trouble is over once nothing was wrong for a TR, and for so long at the least
WORST_FIRST = ("record", "receive", "decode", "draw", "outputs", "display", "keeper", "views")


class Wrong(NamedTuple):
    """What a look found: what is wrong and what happens now, as in `Trouble.what`, and since when."""

    what: str
    since: float


Look = Callable[[float], Wrong | None]
"""Called with the time (LSL clock, s); None: all is well."""


class Standstill:
    """Since when something waits and nothing moves.

    A look that comes late was held up itself, as by a machine that was suspended: what nobody could
    do meanwhile is not counted.
    """

    def __init__(self) -> None:
        self._beat: Hashable = None
        self._since = self._looked = inf

    def since(self, waits: bool, beat: Hashable, now: float) -> float:
        """When it began (s); now, where nothing waits or `beat` is another than before."""
        late_s, self._looked = now - self._looked, now
        if not waits or beat != self._beat or self._since > now:
            self._beat, self._since = beat, now
        elif late_s > STOOD_S:
            self._since += late_s
        return self._since


def standstill(
    waits: Callable[[], bool],
    beat: Callable[[], Hashable],
    budget_s: float,
    what: Callable[[], str],
) -> Look:
    """A stage for which something waits, and whose `beat` stays the same for too long."""
    stood = Standstill()

    def look(now: float) -> Wrong | None:
        since = stood.since(waits(), beat(), now)
        return Wrong(what(), since) if now - since > budget_s else None

    return look


def fault(told: Callable[[], str]) -> Look:
    """A stage that says itself what is wrong; empty where nothing is."""

    def look(now: float) -> Wrong | None:
        return Wrong(what, now) if (what := told()) else None

    return look


def first_of(*looks: Look) -> Look:
    """Several looks at one stage: of what they find, the first that is something is told."""

    def look(now: float) -> Wrong | None:
        return next((found for found in [one(now) for one in looks] if found is not None), None)

    return look


class _Stage(NamedTuple):
    name: str
    look: Look
    after: Callable[[], str]
    logs: bool


class Watchdogs:
    """Looks at every stage, in a thread that does nothing else.

    Parameters
    ----------
    interval_s : float
        Between two volumes on the clock of this session: budgets are multiples of it.
    changed : callable
        Told all troubles, the worst first, after each change.
    say : callable
        Told what the operator has to know once.

    Attributes
    ----------
    troubles : tuple of Trouble
        At most one a stage.
    """

    def __init__(
        self,
        interval_s: float,
        changed: Callable[[tuple[Trouble, ...]], None],
        say: Callable[[str], None],
    ) -> None:
        self.troubles: tuple[Trouble, ...] = ()
        self._interval_s, self._changed, self._say = interval_s, changed, say
        self._over_s = max(interval_s, OVER_S)
        self._stages: list[_Stage] = []
        self._wrong_at: dict[str, float] = {}  # when it was last seen
        self._blind: set[str] = set()  # stages that cannot be looked at
        self._looked = inf
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rtrecon-watch", daemon=True)

    def budget_s(self, trs: float, least_s: float | None = None) -> float:
        """So many TRs of this session, and `LEAST_S` where nothing else is said, at the least."""
        return max(trs * self._interval_s, LEAST_S if least_s is None else least_s)

    def add(
        self, stage: str, look: Look, after: Callable[[], str] = lambda: "", logs: bool = True
    ) -> None:
        """Look at one more stage.

        Parameters
        ----------
        stage : str
            As in `Trouble.stage`.
        look : callable
            Returns at once, whatever the stage does.
        after : callable
            What the operator still has to know when a trouble is over; empty: nothing.
        logs : bool
            False where the stage tells the log itself.
        """
        self._stages.append(_Stage(stage, look, after, logs))

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def close(self) -> None:
        """Look no more: there are no troubles after a session."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)
        self.troubles = ()
        self._changed(())

    def look(self, now: float) -> None:
        """Look at all stages once. `now`: LSL clock, s."""
        stood_s, self._looked = now - self._looked, now
        if stood_s > TOLD_S:
            self._say(
                f"the program stood still for {stood_s:.0f} s: what was sent meanwhile is read now"
            )
        known = {trouble.stage: trouble for trouble in self.troubles}
        for stage in list(self._stages):
            found, before = self._look_at(stage, now), known.get(stage.name)
            if found is not None:
                since = found.since if before is None else before.since
                known[stage.name] = Trouble(stage.name, found.what, since)
                self._wrong_at[stage.name] = now
            elif before is not None and now - self._wrong_at[stage.name] > self._over_s:
                del known[stage.name]
        self._tell(known)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.look(pylsl.local_clock())

    def _look_at(self, stage: _Stage, now: float) -> Wrong | None:
        try:
            return stage.look(now)
        except Exception:  # one that cannot be looked at must not blind the others
            if stage.name not in self._blind:
                log.exception("stage '%s' cannot be watched", stage.name)
            self._blind.add(stage.name)
            return None

    def _tell(self, known: dict[str, Trouble]) -> None:
        troubles = tuple(sorted(known.values(), key=_badness))
        before, self.troubles = self.troubles, troubles
        if troubles == before:
            return
        self._changed(troubles)
        for stage in self._stages:
            was = next((trouble for trouble in before if trouble.stage == stage.name), None)
            self._log(stage, was, known.get(stage.name))

    def _log(self, stage: _Stage, was: Trouble | None, now: Trouble | None) -> None:
        """Each change once; numbers in it are none."""
        if now is not None and stage.logs and (was is None or was.wrong != now.wrong):
            log.warning("%s", now.what)
        elif was is not None and now is None:
            if stage.logs:
                log.warning("over after %.0f s: %s", self._looked - was.since, was.wrong)
            if still := stage.after():
                self._say(still)


def _badness(trouble: Trouble) -> int:
    stage = trouble.stage
    return WORST_FIRST.index(stage) if stage in WORST_FIRST else len(WORST_FIRST)
