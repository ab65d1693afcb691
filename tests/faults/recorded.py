"""What a record holds beside volumes: markers, the stamps that came, what was rehearsed."""

from math import inf, isnan

import numpy as np

from rtrecon.types import Marker
from tests.faults.checks import Check
from tests.faults.outcome import Outcome

JOINS_S = 2.0
"""So long after the session the process beside it hears a marker stream."""
OFF_S = 0.02
"""By how much a stamp may differ from what was sent: LSL measures where two clocks are apart."""


def all_marked(outcome: Outcome) -> str:
    """Every marker that was sent and can be read is on disk, as often and in the order it was sent.

    After a kill, but for those of the run's first moments (docs/promises.md).
    """
    there = [_told(marker) for _, marker in outcome.folder.markers]
    sent = [(due_s, _told(marker)) for due_s, marker in outcome.sent.markers]
    may_lack_s = JOINS_S * outcome.speed if (outcome.exit_code or 0) < 0 else -inf
    left = iter(there)
    following = next(left, None)
    for due_s, marker in sent:
        if marker == following:
            following = next(left, None)
        elif due_s > may_lack_s:
            break
    else:
        if following is None:
            return ""
    return f"markers on disk are {there}, and sent were {[marker for _, marker in sent]}"


def _told(marker: Marker) -> tuple[str, str, float | None]:
    onset_s = None if isnan(marker.onset_s) else round(marker.onset_s, 3)
    return marker.event.value, marker.trial_type, onset_s


def rehearsed(fault: str) -> Check:
    """It was put in, as the session's own log says."""

    def check(outcome: Outcome) -> str:
        done = any(f"rehearsed: {fault} (volume" in line for line in outcome.log)
        return "" if done else f"{fault} was never put in"

    return check


def stamps_step(seconds: float) -> Check:
    """From the fault on all stamps on disk are off by so much."""

    def check(outcome: Outcome) -> str:
        stamps, wanted_s = _stamps(outcome), outcome.volume_s + seconds
        gap_s = stamps[outcome.at] - stamps[outcome.at - 1]
        told = f"{gap_s:.2f} s after the one before, not {wanted_s:.2f} s"
        return "" if abs(gap_s - wanted_s) <= OFF_S else f"volume {outcome.at} is stamped {told}"

    return check


def stamps_jitter(trs: float) -> Check:
    """From the fault on volumes are stamped late by chance, by up to so many TRs."""

    def check(outcome: Outcome) -> str:
        gaps = np.diff(_stamps(outcome)[outcome.at :])
        return "" if np.ptp(gaps) > 0.2 * trs * outcome.volume_s else "no stamp is late"

    return check


def _stamps(outcome: Outcome) -> np.ndarray:
    return np.array([float(row["acquired"]) for row in outcome.folder.rows])
