"""A generator's own process, from the outside: begun, listened to with patience, and ended."""

import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from rtrecon.children import children
from rtrecon.generators.border import Word, receive
from rtrecon.generators.served import serve

_LOOK_S = 0.1  # between looks whether somebody still waits
_LINE_S = 10  # for one message to come through once it has begun
_END_S = 5.0


class Over(Exception):
    """Nobody waits for it any more."""


class Child:
    """A process that serves a generator, and the line to it."""

    def __init__(self, *told: Any) -> None:
        context = children()
        self.loaded = False
        self._ending = threading.Lock()
        self.connection, theirs = context.Pipe()
        _limit(self.connection)
        self._process = context.Process(  # type: ignore[attr-defined]
            target=serve, args=(theirs, *told), name="rtrecon-generator", daemon=True
        )
        try:
            self._process.start()
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()

    def word(self, within_s: float, over: Callable[[], bool]) -> Word:
        """The next that it says.

        Raises
        ------
        TimeoutError
            Nothing within the time. While this process is suspended, time does not count.
        EOFError, OSError, ValueError, KeyError
            It is gone, or talks nonsense.
        Over
            Nobody waits for it any more.
        """
        for _ in range(max(1, round(within_s / _LOOK_S))):
            if wait([self.connection, self._process.sentinel], _LOOK_S):
                if not self.connection.poll(0):  # a process of its own may still have the line
                    raise EOFError
                return receive(self.connection)
            if over():
                raise Over
        raise TimeoutError

    def ended(self) -> str:
        """How it came to its end, in words."""
        self._process.join(_END_S)
        code = self._process.exitcode
        if code is None:
            return "talks nonsense and was ended"
        if code == -9:
            return "ended (signal 9: killed, perhaps for want of memory)"
        return f"ended (signal {-code})" if code < 0 else f"ended (exit code {code})"

    def kill(self) -> None:
        """End it. From any thread, and whether or not it is closed."""
        with self._ending, suppress(ValueError):
            self._process.kill()
            self._process.join(_END_S)

    def close(self) -> None:
        """End it and let go of what belongs to it."""
        self.kill()
        self.connection.close()
        with self._ending, suppress(ValueError):  # the system has not ended it yet
            self._process.close()


def _limit(connection: Connection) -> None:
    """A process that is stopped reads nothing: what is sent to it must not wait for ever."""
    if sys.platform == "win32":
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            line.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", _LINE_S, 0))
