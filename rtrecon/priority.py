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
    if not psutil.LINUX:
        with suppress(psutil.Error, OSError):
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if psutil.WINDOWS else _NICE)
        return
    lower = max(_NICE, process.nice())
    for thread in process.threads():  # each has a priority, and gives it to those that it begins
        with suppress(OSError):  # it may have ended meanwhile
            os.setpriority(os.PRIO_PROCESS, thread.id, lower)
