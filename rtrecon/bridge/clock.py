"""When a volume was acquired, on the LSL clock: by its header where that can be true, or its arrival."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isfinite, nan

log = logging.getLogger(__name__)

LONGEST_S = 10.0  # from the end of an acquisition to its file
_EARLY_S = 0.05  # that two clocks kept by NTP may lie apart

Acquired = tuple[str, float]


def wall_s(acquired: Acquired) -> float:
    """A scanner's date and second of the day as Unix time, taken for local time; nan where unknown."""
    date, second = acquired
    if not isfinite(second):
        return nan
    try:
        return (datetime.strptime(date, "%Y%m%d") + timedelta(seconds=second)).timestamp()
    except (ValueError, OverflowError, OSError):
        return nan


class ScannerClock:
    """Stamps the volumes of one series.

    Parameters
    ----------
    acquired : mapping of int to (date, second of the day)
        Of the volumes that have begun to come.
    tr_s : float
    now_unix_s : float
        By our wall clock.
    """

    def __init__(self, acquired: Mapping[int, Acquired], tr_s: float, now_unix_s: float) -> None:
        self._tr_s = tr_s
        starts = sorted((number, wall_s(when)) for number, when in acquired.items())
        self._first = starts[0] if starts else (0, nan)
        self._told = False
        late_s = now_unix_s - starts[-1][1] if starts else nan
        steady = all(abs(self._drift_s(*start)) < tr_s / 2 for start in starts)
        # The newest volume may be still under way in slices: its end counts only when it is whole.
        self.trusted = steady and -_EARLY_S <= late_s <= LONGEST_S + tr_s
        if self.trusted:
            log.info(
                "times are the header's: files come %.2f s after the acquisition began", late_s
            )
        else:
            why = (
                "the header has none"
                if not isfinite(late_s)
                else f"the header's lie {late_s:.1f} s back"
            )
            log.info("times are those of arrival, since %s", why)

    @property
    def source(self) -> str:
        """Where stamps come from, as the stream's description says it."""
        return "header" if self.trusted else "arrival"

    def stamp(
        self, number: int, acquired: Acquired, arrived_s: float, unix_minus_lsl_s: float
    ) -> float:
        """End of the volume's acquisition (LSL clock, s), never after `arrived_s` (LSL clock, s)."""
        if not self.trusted:
            return arrived_s
        start = wall_s(acquired)
        end = start + self._tr_s - unix_minus_lsl_s
        if -_EARLY_S <= arrived_s - end <= LONGEST_S and abs(self._drift_s(number, start)) < (
            self._tr_s / 2
        ):
            return min(end, arrived_s)
        if not self._told:
            self._told = True
            log.warning(
                "volume %d: its header's time lies %.1f s before its arrival: such get their arrival's",
                number, arrived_s - end,
            )  # fmt: skip
        return arrived_s

    def _drift_s(self, number: int, start_s: float) -> float:
        """How far a volume's start lies from where the first one and the TR put it."""
        return start_s - self._first[1] - (number - self._first[0]) * self._tr_s
