"""Who goes first on a machine that several programs share."""

import os
from contextlib import suppress

import psutil

_NICE = 10


def give_way() -> None:
    """Let all other programs on this machine go first, for good.

    For those who only watch a session, which may run on the same machine. Where the system refuses,
    nothing changes.
    """
    process = psutil.Process()
    with suppress(psutil.Error, OSError):
        if not psutil.LINUX:
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if psutil.WINDOWS else _NICE)
            return
        for thread in process.threads():  # each has a priority, and gives it to those it begins
            os.setpriority(os.PRIO_PROCESS, thread.id, max(_NICE, process.nice()))
