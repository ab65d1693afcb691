"""What to show when something is wrong: the last picture for a while, then nothing but fixation."""

import logging
from collections.abc import Hashable

from rtrecon.display.presented import Presented
from rtrecon.types import Phase, Presentation

log = logging.getLogger(__name__)

FAULTY = (Phase.FAILED, Phase.SILENT, Phase.UNHEARD)


class Calm:
    """Decides, at each look, between the newest presentation, holding on, and rest.

    Parameters
    ----------
    presented : Presented
    hold_s : float
        How long the last picture stays after a fault.
    stale_s : float
        A running session from which nothing new came for so long is taken for faulty; 0: never.
    """

    def __init__(self, presented: Presented, hold_s: float, stale_s: float) -> None:
        self._presented = presented
        self._hold_s, self._stale_s = hold_s, stale_s
        self._fault_since: float | None = None
        self._seen: Hashable = None
        self._changed = 0.0

    def look(self, now: float) -> Presentation | None:
        """The newest presentation; None where there is none that can be trusted."""
        try:
            presentation = self._presented.presentation
        except Exception:
            self.fault(now, "nothing can be read from the session")
            return None
        if presentation.phase in FAULTY:
            self.fault(now)
            return None
        if self._stale(presentation, now):
            self.fault(now)
            return None
        return presentation

    def fault(self, now: float, what: str = "") -> None:
        """Something is wrong, and its traceback, where there is one, goes to the log: once."""
        if self._fault_since is None:
            self._fault_since = now
            if what:
                log.exception("%s: the last picture stays %g s", what, self._hold_s)

    def fine(self) -> None:
        """The newest presentation was drawn."""
        self._fault_since = None

    def over(self, now: float) -> bool:
        """Whether the last picture has stayed for long enough."""
        return self._fault_since is not None and now - self._fault_since >= self._hold_s

    def _stale(self, presentation: Presentation, now: float) -> bool:
        seen = (
            presentation.phase, presentation.block, presentation.instruction,
            presentation.frame and presentation.frame.serial,
            tuple(score.number for score in presentation.scores.values()),
        )  # fmt: skip
        if seen != self._seen:
            self._seen, self._changed = seen, now
        running = presentation.phase is Phase.RUNNING and not presentation.blank
        return running and 0 < self._stale_s <= now - self._changed
