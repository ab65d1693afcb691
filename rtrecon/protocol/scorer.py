"""Decoded volumes -> scores and firings. No clock, no thread: the same record gives the same."""

from math import isnan, nan
from typing import NamedTuple

from rtrecon.protocol.blocks import Blocks, Moment
from rtrecon.protocol.measures import Measure, target_at
from rtrecon.protocol.recorded import RecordedScores
from rtrecon.protocol.scale import Scale
from rtrecon.protocol.settings import ProtocolSettings, When
from rtrecon.protocol.threshold import Threshold
from rtrecon.types import Block, Decoded, Firing, Pattern, Score, Trial

_TELLING = (Block.REGULATE, Block.SHAM)


class Evidence(NamedTuple):
    """What one volume gave."""

    decoded: Decoded
    pattern: Pattern


class Scorer:
    """Scores one person's decoded volumes by a protocol. Owned by one thread.

    A score belongs to the block in which its volume was mostly acquired; after each trial, to the
    one in which the trial began. Baseline, smoothing and refractory time go on from run to run,
    in the time that was scored; blocks begin anew.

    Parameters
    ----------
    settings : ProtocolSettings
    blocks : Blocks
    measure : Measure
    tr_s : float
    sham : RecordedScores or None
        What sham blocks tell.
    person : str
    """

    def __init__(
        self,
        settings: ProtocolSettings,
        blocks: Blocks,
        measure: Measure,
        tr_s: float,
        sham: RecordedScores | None = None,
        person: str = "",
    ) -> None:
        self.settings, self.blocks = settings, blocks
        self._measure, self._tr_s, self._sham, self._person = measure, tr_s, sham, person
        self._scale = Scale(settings.baseline, settings.scale)
        self._threshold = Threshold(settings.threshold) if settings.threshold else None
        self._last: Evidence | None = None  # of the trial that goes on
        self._scores = self._firings = 0
        self._run, self._before_s, self._elapsed = 1, 0.0, 0.0
        self._begun = False  # whether the run has had a volume

    def volume(
        self, trial: Trial | None, evidence: Evidence | None, now: float, paused: bool = False
    ) -> tuple[Score, Firing | None] | None:
        """The score that comes with one volume, and whether it fires.

        Parameters
        ----------
        trial : Trial or None
            The current one, whether anything is known of it yet or not.
        evidence : Evidence or None
            What was decoded; None: nothing.
        now : float
            LSL clock, s.
        paused : bool
            Nothing is told.
        """
        self._begun = True
        if self.settings.when is When.CONTINUOUS:
            if evidence is None:
                return None
            middle_s = (evidence.decoded.volume + 0.5) * self._tr_s
            return self._scored(evidence, middle_s, now, paused)
        goes_on = trial is not None and trial == (self._last and self._last.decoded.trial)
        scored = None if goes_on else self.finish(now, paused)
        self._last = evidence or self._last
        return scored

    def finish(self, now: float, paused: bool = False) -> tuple[Score, Firing | None] | None:
        """The score of the trial that goes on: it is over."""
        last, self._last = self._last, None
        return None if last is None else self._scored(last, last.decoded.trial.onset_s, now, paused)

    def restart(self) -> None:
        """A new run begins, unless the last has not had a volume yet; what was held breaks off."""
        if not self._begun:
            return
        if self._threshold is not None:
            self._threshold(nan, self._before_s + self._elapsed)
        self._run, self._begun = self._run + 1, False
        self._before_s, self._elapsed = self._before_s + self._elapsed, 0.0

    def _scored(
        self, evidence: Evidence, elapsed: float, now: float, paused: bool
    ) -> tuple[Score, Firing | None]:
        decoded, self._elapsed = evidence.decoded, elapsed
        moment = self.blocks.at(elapsed)
        time = self._before_s + elapsed
        target = target_at(moment.target, self.settings, decoded.trial)
        measured = self._measure(decoded, evidence.pattern, target)
        value = self._scale(measured.raw, time, self.blocks.resting_s(elapsed))
        told = nan if paused else self._told(moment, value, elapsed)
        self._scores += 1
        score = Score(
            self._scores, now, decoded.times.acquired, self._person, measured.of, measured.raw,
            value, told, moment.kind, decoded.trial.number, decoded.volume,
            measured.fault or ("no baseline yet" if isnan(value) else ""), self._run, elapsed,
        )  # fmt: skip
        return score, self._fired(score, time)

    def _told(self, moment: Moment, value: float, elapsed: float) -> float:
        if moment.kind is Block.SHAM:
            return nan if self._sham is None else self._sham.told(self._run, elapsed)
        return value if moment.kind is Block.REGULATE else nan

    def _fired(self, score: Score, time: float) -> Firing | None:
        if self._threshold is None or not self._threshold(score.told, time):
            return None
        self._firings += 1
        return Firing(self._firings, score.time, score.person, score)
