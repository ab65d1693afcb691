"""The space bar of a terminal pauses a replay; without a terminal nothing does."""

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def space_bar(fd: int = 0) -> Iterator[Callable[[], bool]]:
    """While it lasts, each press of the space bar turns what is yielded: whether to stand still.

    `fd` is the terminal, standard input by default. A program in the background must not touch its terminal:
    the kernel would stop it.
    """
    if sys.platform == "win32" or not _is_ours(fd):
        yield lambda: False
        return
    import termios
    import tty

    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    try:
        yield _Pause(fd)
    finally:
        if _is_ours(fd):
            termios.tcsetattr(fd, termios.TCSADRAIN, before)


class _Pause:
    def __init__(self, fd: int) -> None:
        self._fd, self._paused = fd, False

    def __call__(self) -> bool:
        while _is_ours(self._fd) and select.select([self._fd], [], [], 0)[0]:
            pressed = os.read(self._fd, 100)
            if not pressed:  # the terminal was closed
                break
            self._paused ^= bool(pressed.count(b" ") % 2)
        return self._paused


def _is_ours(fd: int) -> bool:
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # another session's terminal
        return False
