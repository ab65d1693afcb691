"""Raw measure -> a value from 0 to 1, against a baseline. Causal; times are passed in."""

from dataclasses import dataclass
from enum import Enum
from math import expm1, isfinite, isnan, nan, sqrt

from rtrecon.errors import BadConfig

LEAST = 3
"""Values that a measured baseline needs before it is one."""


class BaselineKind(Enum):
    """What the raw measure is held against."""

    NONE = "none"  # nothing: it is taken as it is
    REST = "rest"  # mean and SD over all rest blocks so far
    START = "start"  # mean and SD over the session's first seconds
    FIXED = "fixed"  # mean and SD as given


@dataclass(frozen=True)
class Baseline:
    """Table `[protocol.baseline]`.

    Attributes
    ----------
    kind : BaselineKind
    skip_s : float
        With "rest": the first seconds of each rest block that do not count, since the response to
        what came before has to die away.
    seconds : float
        With "start": how long.
    mean, sd : float
        With "fixed".
    """

    kind: BaselineKind = BaselineKind.NONE
    skip_s: float = 0.0
    seconds: float = 30.0
    mean: float = 0.0
    sd: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.skip_s < float("inf"):
            raise BadConfig(f"baseline skip_s = {self.skip_s}: must be 0 or more seconds")
        if not 0 < self.seconds < float("inf"):
            raise BadConfig(f"baseline seconds = {self.seconds}: must be above 0")
        if not isfinite(self.mean):
            raise BadConfig(f"baseline mean = {self.mean}: must be a number")
        if not 0 < self.sd < float("inf"):
            raise BadConfig(f"baseline sd = {self.sd}: must be above 0")


@dataclass(frozen=True)
class Scaling:
    """Table `[protocol.scale]`.

    Attributes
    ----------
    low, high : float
        What becomes 0 and 1: in SDs above the baseline's mean, or, without a baseline, of the raw
        measure. What lies outside is clipped. `low` above `high` turns the direction round.
    smooth_s : float
        Time constant of an exponential smoothing of the raw measure, s; 0: none.
    """

    low: float = 0.0
    high: float = 1.0
    smooth_s: float = 0.0

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low != self.high):
            raise BadConfig(
                f"scale low = {self.low}, high = {self.high}: must be two numbers that differ"
            )
        if not 0 <= self.smooth_s < float("inf"):
            raise BadConfig(f"scale smooth_s = {self.smooth_s}: must be 0 or more seconds")


class Scale:
    """One person's raw measure made a value from 0 to 1. Owned by one thread.

    The raw measure is smoothed, held against the baseline, scaled and clipped. The baseline is of
    the raw measure before smoothing, with the SD of a sample (n - 1).

    Parameters
    ----------
    baseline : Baseline
    scaling : Scaling

    Attributes
    ----------
    count : int
        Values in a measured baseline so far.
    """

    def __init__(self, baseline: Baseline, scaling: Scaling) -> None:
        self._baseline, self._scaling = baseline, scaling
        self.count = 0
        self._mean = self._squares = 0.0  # Welford's: the squares are about the mean
        self._began: float | None = None
        self._smooth = self._last = nan

    def __call__(self, raw: float, time: float, resting_s: float = nan) -> float:
        """The value of `raw` at `time` (s, on any clock that does not go back).

        `resting_s`: how long a rest block has gone on; nan outside of one. The result is nan where
        `raw` is no number, which leaves everything as it was, and before the baseline is known.
        """
        if not isfinite(raw):
            return nan
        if self._began is None:
            self._began, self._smooth, self._last = time, raw, time
        if self._belongs(time - self._began, resting_s):
            self._take(raw)
        self._smoothe(raw, time)
        if (
            self._baseline.kind is BaselineKind.START
            and time - self._began < self._baseline.seconds
        ):
            return nan
        z = (self._smooth - self.mean) / self.sd
        low, high = self._scaling.low, self._scaling.high
        share = (z - low) / (high - low)
        return nan if isnan(share) else min(max(share, 0.0), 1.0)

    @property
    def mean(self) -> float:
        """Of the baseline: nan before there is one, 0 where none is wanted."""
        match self._baseline.kind:
            case BaselineKind.NONE:
                return 0.0
            case BaselineKind.FIXED:
                return self._baseline.mean
        return self._mean if self.count >= LEAST else nan

    @property
    def sd(self) -> float:
        """Of the baseline: nan before there is one or where its values are all the same."""
        match self._baseline.kind:
            case BaselineKind.NONE:
                return 1.0
            case BaselineKind.FIXED:
                return self._baseline.sd
        varies = self.count >= LEAST and self._squares > 0
        return sqrt(self._squares / (self.count - 1)) if varies else nan

    def _belongs(self, since_s: float, resting_s: float) -> bool:
        """Whether a value is one of the baseline's."""
        match self._baseline.kind:
            case BaselineKind.REST:
                return resting_s >= self._baseline.skip_s
            case BaselineKind.START:
                return since_s < self._baseline.seconds or self.count < LEAST
        return False

    def _take(self, raw: float) -> None:
        self.count += 1
        off = raw - self._mean
        self._mean += off / self.count
        self._squares += off * (raw - self._mean)

    def _smoothe(self, raw: float, time: float) -> None:
        """First-order low pass whose step depends on the time since the last value."""
        over_s = self._scaling.smooth_s
        share = 1.0 if over_s == 0 else -expm1(-max(time - self._last, 0.0) / over_s)
        self._smooth += share * (raw - self._smooth)
        self._last = time
