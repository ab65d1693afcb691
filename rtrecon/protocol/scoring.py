"""Feedback in a live session: scores are recorded, sent on, and shown."""

import logging
from collections.abc import Callable
from dataclasses import replace
from math import nan
from typing import NamedTuple, Protocol

import pylsl

from rtrecon.protocol.blocks import Moment
from rtrecon.protocol.scorer import Evidence, Scorer
from rtrecon.protocol.settings import When
from rtrecon.types import (
    Block,
    Decoded,
    Event,
    Firing,
    Marker,
    Pattern,
    Person,
    Presentation,
    Score,
    Trial,
    Volume,
)  # fmt: skip

log = logging.getLogger(__name__)


class Told(Protocol):
    """Who is told of scores and firings: `Outputs`. All return at once."""

    def score(self, score: Score) -> None:
        """Tell a score."""
        ...

    def fire(self, firing: Firing) -> None:
        """Tell a firing."""
        ...

    def close(self) -> None:
        """Tell that nothing is told any more."""
        ...


class Keeps(Protocol):
    """Who records them: `Recorder`."""

    def score(self, score: Score) -> None:
        """Keep a score."""
        ...

    def firing(self, firing: Firing) -> None:
        """Keep a firing."""
        ...


class Clock(NamedTuple):
    """A run's time, from its newest volume: `end_s` in run time was `acquired` on the LSL clock."""

    end_s: float = nan
    acquired: float = nan
    speed: float = 1.0

    def run_s(self, now: float) -> float:
        """Run time at an LSL time; nan before the first volume."""
        return self.end_s + (now - self.acquired) * self.speed

    def lsl(self, run_s: float) -> float:
        """LSL time at a run time."""
        return self.acquired + (run_s - self.end_s) / self.speed


class Scoring:
    """A protocol at work. `marker`, `volume` and `finish` are called by the ingest thread and never
    raise: what fails is told by `say` and costs that score. `present` may be called from any thread.

    Parameters
    ----------
    scorer : Scorer
    recorder : Keeps
    outputs : Told
    person : Person
    tr_s, speed : float
        Of the stream.

    Attributes
    ----------
    say : callable
        Told what the operator has to know.
    """

    def __init__(
        self, scorer: Scorer, recorder: Keeps, outputs: Told, person: Person,
        tr_s: float, speed: float = 1.0,
    ) -> None:  # fmt: skip
        self.say: Callable[[str], None] = log.warning
        self._scorer, self._recorder, self._outputs = scorer, recorder, outputs
        self._person, self._tr_s = person, tr_s
        self._shows = frozenset(shown.value for shown in scorer.settings.shows)
        crossing = scorer.settings.threshold
        self._threshold = nan if crossing is None else crossing.level
        self._clock = Clock(speed=speed)
        self._newest: Score | None = None
        self._fires = 0
        self._withdrawn = False

    def marker(self, marker: Marker, paused: bool = False) -> None:
        """Take note of a marker: runs begin and end."""
        if marker.event in (Event.RUN_START, Event.RUN_END):
            self.finish(paused)
        if marker.event is Event.RUN_START:
            self._scorer.restart()
            self._clock = Clock(speed=self._clock.speed)

    def volume(
        self,
        volume: Volume,
        trial: Trial | None,
        decoded: Decoded | None,
        pattern: Pattern | None,
        paused: bool = False,
    ) -> None:
        """Score one volume, after it was recorded. Parameters as for `Scorer.volume`."""
        self._clock = Clock(volume.end_s(self._tr_s), volume.times.acquired, self._clock.speed)
        known = decoded is not None and pattern is not None
        evidence = Evidence(decoded, pattern) if known else None  # type: ignore[arg-type]
        now = pylsl.local_clock()
        self._guarded(lambda: self._scorer.volume(trial, evidence, now, paused))

    def finish(self, paused: bool = False) -> None:
        """Nothing more comes of this run."""
        self._guarded(lambda: self._scorer.finish(pylsl.local_clock(), paused))

    def withdraw(self) -> None:
        """The participant stops: nothing more is told, and nothing stays to be shown. Any thread."""
        self._withdrawn = True

    def close(self) -> None:
        """Nothing more is told. Any thread, once the ingest thread has ended."""
        self._outputs.close()

    def present(self, presentation: Presentation, now: float) -> Presentation:
        """What may be shown at `now` (LSL clock, s), with the protocol's part in it."""
        clock, newest, name = self._clock, self._newest, self._person.name
        moment = self._scorer.blocks.at(clock.run_s(now))
        if newest is not None and (presentation.blank or self._over(newest, moment)):
            newest = replace(newest, told=nan)
        return replace(
            presentation,
            scores={} if newest is None or self._withdrawn else {name: newest},
            people=(self._person,),
            block=moment.kind,
            instruction=moment.instruction,
            until=clock.lsl(moment.until),
            shows=self._shows,
            fires={name: self._fires},
            threshold=self._threshold,
        )

    def _over(self, newest: Score, moment: Moment) -> bool:
        """Whether a block has begun since in which nothing is told. A trial's score outlasts it."""
        continuous = self._scorer.settings.when is When.CONTINUOUS
        return continuous and moment.kind in (Block.REST, Block.TRANSFER)

    def _guarded(self, scored: Callable[[], tuple[Score, Firing | None] | None]) -> None:
        try:
            found = scored()
            if found is not None:
                self._tell(*found)
        except Exception as error:  # recording goes on whatever happens to the feedback
            log.exception("feedback failed")
            self.say(f"no feedback: {type(error).__name__}: {error}")

    def _tell(self, score: Score, firing: Firing | None) -> None:
        """First the record, so that what was told is in it whatever a device does."""
        if self._withdrawn:
            return
        self._recorder.score(score)
        self._newest = score
        if firing is not None:
            self._recorder.firing(firing)
            self._fires = firing.number
            log.info("the threshold was held: firing %d", firing.number)
        if firing is not None:
            self._outputs.fire(firing)
        self._outputs.score(score)
