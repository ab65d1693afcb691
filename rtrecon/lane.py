"""Writing in the background: what waits is counted in bytes, what is lost is numbered and told."""

import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)


class Losses:
    """What could not be written. Safe from any thread.

    Parameters
    ----------
    folder : Path
        Where recording goes, for the messages.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changing = threading.Lock()
        self._lost: list[str] = []
        self._first_error = self._last_error = ""
        self._failing = False

    @property
    def failing(self) -> str:
        """Why nothing is written at this moment; empty where it is."""
        return self._last_error if self._failing else ""

    def lost(self, what: str, reason: str) -> None:
        """Take note of one thing that could not be written."""
        with self._changing:
            begins, self._failing = not self._failing, True
            self._lost.append(what)
            self._first_error, self._last_error = self._first_error or reason, reason
            count = len(self._lost)
        if begins:
            log.error("recording to %s fails: %s", self._folder, reason)
        log.warning("not recorded, loss %d: %s", count, what)

    def goes_on(self) -> None:
        """A volume was written: there is room again."""
        if not self._failing:
            return
        with self._changing:
            self._failing = False
        log.warning("recording goes on; losses so far: %d", len(self._lost))

    @property
    def told(self) -> str:
        """For the operator; empty as long as nothing was lost."""
        with self._changing:
            if not self._lost:
                return ""
            count, last, why = len(self._lost), self._lost[-1], self._last_error
            if self._failing:
                return f"recording fails ({why}): {count} not recorded, the last {last}"
            return f"recording again; {count} not recorded, the last {last} ({why})"

    def as_json(self) -> dict[str, object]:
        """What summary.json says of it."""
        with self._changing:
            return {
                "failed_writes": len(self._lost),
                "first_error": self._first_error or None,
                "lost": list(self._lost),
            }


class _Task(NamedTuple):
    what: str
    write: Callable[[], None]
    n_bytes: int


class Lane:
    """One thread that writes what it is given, in order; an error ends the write and not the lane.

    Parameters
    ----------
    name : str
        Of the thread.
    losses : Losses
        Told what failed.

    Attributes
    ----------
    waiting_bytes : int
        Given and not yet written. May be read from any thread.
    """

    def __init__(self, name: str, losses: Losses) -> None:
        self._losses = losses
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._counting = threading.Lock()
        self.waiting_bytes = 0
        self._thread = threading.Thread(target=self._work, name=name)
        self._thread.start()

    def put(self, what: str, write: Callable[[], None], n_bytes: int = 0) -> None:
        """Have it written; returns at once."""
        self._count(n_bytes)
        self._tasks.put(_Task(what, write, n_bytes))

    def close(self) -> None:
        """Write what still waits and end the thread."""
        self._tasks.put(None)
        self._thread.join()

    def _count(self, more: int) -> None:
        with self._counting:
            self.waiting_bytes += more

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task.write()
            except Exception as error:  # whatever it is, what comes after it has to be written
                self._losses.lost(task.what, reason(error))
            self._count(-task.n_bytes)
            del task  # or the last one's arrays would stay until the next


def reason(error: Exception) -> str:
    """An error in a few words."""
    told = error.strerror if isinstance(error, OSError) else None
    return told or f"{type(error).__name__}: {error}"
