"""One person's readings -> scores and firings, by a protocol. No clock, no thread."""

from math import isnan, nan

from rtrecon.eeg.index import Reading
from rtrecon.protocol.blocks import Blocks
from rtrecon.protocol.recorded import RecordedScores
from rtrecon.protocol.scale import Scale
from rtrecon.protocol.settings import ProtocolSettings
from rtrecon.protocol.threshold import Direction, Threshold
from rtrecon.types import Block, Firing, Score


class EegScorer:
    """Holds a person's index against baseline and threshold. Owned by one thread.

    Parameters
    ----------
    person, measure : str
        Whose, and what is measured.
    settings : ProtocolSettings
    blocks : Blocks
    sham : RecordedScores or None
        What sham blocks tell.

    Attributes
    ----------
    firings : int
        How often the threshold was held.
    crossed : float
        When what is told came to where it has stayed (LSL clock of the sample); nan: it is not there.
    """

    def __init__(
        self,
        person: str,
        measure: str,
        settings: ProtocolSettings,
        blocks: Blocks,
        sham: RecordedScores | None = None,
    ) -> None:
        self._person, self._measure, self._blocks, self._sham = person, measure, blocks, sham
        self._scale = Scale(settings.baseline, settings.scale)
        self._crossing = settings.threshold
        self._threshold = Threshold(settings.threshold) if settings.threshold else None
        self._elapsed = 0.0
        self.firings, self.crossed = 0, nan

    def score(
        self,
        reading: Reading,
        number: int,
        elapsed: float,
        acquired: float,
        now: float,
        paused: bool,
    ) -> tuple[Score, Firing | None]:
        """The score of one reading, and whether it fires.

        Parameters
        ----------
        reading : Reading
        number : int
            Of the score in the session.
        elapsed : float
            Where the schedule stood when its newest sample was acquired, s.
        acquired, now : float
            LSL clock, s.
        paused : bool
            Nothing is told.
        """
        self._elapsed = elapsed = max(elapsed, self._elapsed)  # a stamp may go back after a gap
        moment = self._blocks.at(elapsed)
        resting_s = nan if paused else self._blocks.resting_s(elapsed)
        value = self._scale(reading.raw, elapsed, resting_s)
        fault = reading.fault or ("no baseline yet" if isnan(value) else "")
        told = nan if paused else self._told(moment.kind, value, elapsed)
        score = Score(
            number, now, acquired, self._person, self._measure, reading.raw, value, told,
            moment.kind, fault=fault, elapsed=elapsed, sample=reading.sample,
        )  # fmt: skip
        return score, self._fired(score)

    def _told(self, kind: Block, value: float, elapsed: float) -> float:
        if kind is Block.SHAM:
            return nan if self._sham is None else self._sham.told(1, elapsed)
        return value if kind is Block.REGULATE else nan

    def _fired(self, score: Score) -> Firing | None:
        if self._threshold is None or self._crossing is None:
            return None
        above = score.told - self._crossing.level
        if not (above <= 0 if self._crossing.direction is Direction.BELOW else above >= 0):
            self.crossed = nan
        elif isnan(self.crossed):
            self.crossed = score.acquired
        if not self._threshold(score.told, score.elapsed):
            return None
        self.firings += 1
        return Firing(self.firings, score.time, score.person, score)
