"""Who goes first on a machine that several programs share."""

import psutil

_NICE = 10


def give_way() -> None:
    """Let all other programs on this machine go first, for good.

    For those who only watch a session, which may run on the same machine. Call before threads are
    begun: on Linux a thread has its own priority, that of the one that began it. Where the system
    refuses, nothing changes.
    """
    process = psutil.Process()
    lower = psutil.BELOW_NORMAL_PRIORITY_CLASS if psutil.WINDOWS else max(_NICE, process.nice())
    try:
        process.nice(lower)
    except (psutil.Error, OSError):
        return
