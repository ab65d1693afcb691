"""Where a session stands: one frozen `Status`, swapped whole."""

import logging
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rtrecon.types import Phase, Status

log = logging.getLogger(__name__)

FAULTS_IN_A_ROW = 5  # after so many volumes that could not be worked on the session has failed


class Standing:
    """Changed by any thread; whoever watches reads `now`.

    Parameters
    ----------
    stream : str
    told : callable
        Called after each change of phase, message or pause, and of what is in trouble.
    """

    def __init__(self, stream: str, told: Callable[[], None]) -> None:
        self.now = Status(stream=stream)
        self._told = told
        self._changing = threading.Lock()

    def change(self, **changes: Any) -> None:
        """Swap the status for one with these fields changed; a participant's stop is the last phase."""
        with self._changing:
            before = self.now
            if before.phase is Phase.WITHDRAWN:  # whoever looked before it came finds another now
                changes["phase"] = Phase.WITHDRAWN
            self.now = replace(before, **changes)
            if weighty(before) != weighty(self.now):
                self._told()

    def say(self, message: str) -> None:
        """Something that the operator has to know."""
        log.warning(message)
        self.change(message=message)

    def fault(self, what: str, error: Exception, in_a_row: int) -> None:
        """Told and counted; too many in a row and the session has failed, but is recorded on.

        Call where `error` is handled: its traceback is kept.
        """
        message = f"{what}: {type(error).__name__}: {error}"
        log.error("%s (%d of %d in a row)", message, in_a_row, FAULTS_IN_A_ROW)
        self.change(message=message, traceback=traceback.format_exc())
        if in_a_row >= FAULTS_IN_A_ROW:
            self.change(phase=Phase.FAILED)


def weighty(status: Status) -> tuple[Phase, str, bool, list[tuple[str, str]]]:
    """What is recorded when it changes."""
    troubles = [(trouble.stage, trouble.wrong) for trouble in status.troubles]
    return status.phase, status.message, status.paused, troubles
