"""Writing in the background: what waits is counted in bytes, what is lost is numbered and told."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

RETRY_S = 0.5  # how soon a disk that refused is asked again
STUCK_S = 30.0  # at the end, a disk that takes nothing for so long is waited for no longer
SYNC_S = 5.0  # how often the disk is asked to have what the system has
_TASK_BYTES = 500  # of memory that any task takes, however small what it writes


class Losses:
    """What the disk refuses, and what could not be written. Safe from any thread.

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

    def fails(self, reason: str) -> None:
        """Take note that the disk refuses; what it refused is kept."""
        with self._changing:
            begins, self._failing = not self._failing, True
            self._first_error, self._last_error = self._first_error or reason, reason
        if begins:
            log.error("recording to %s fails: %s", self._folder, reason)

    def lost(self, what: str, reason: str) -> None:
        """Take note of one thing that is not written and never will be."""
        with self._changing:
            self._first_error, self._last_error = self._first_error or reason, reason
            self._lost.append(what)
            count = len(self._lost)
        log.error("not recorded, loss %d: %s (%s)", count, what, reason)

    def goes_on(self) -> None:
        """Something was written: there is room again."""
        if not self._failing:
            return
        with self._changing:
            self._failing = False
        log.warning("recording to %s goes on; lost so far: %d", self._folder, len(self._lost))

    @property
    def told(self) -> str:
        """What was lost, for the operator; empty as long as nothing was."""
        with self._changing:
            if not self._lost:
                return ""
            return f"{len(self._lost)} not recorded, the last {self._lost[-1]} ({self._last_error})"

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
    since: float


class Lane:
    """One thread that writes what it is given, in order, and each once, until it is closed.

    What a disk refuses is tried again until it is taken; what comes meanwhile waits behind it, in
    memory, up to a bound: beyond that what is new is lost, and told. An error that is not the disk's
    costs what it befell.

    Parameters
    ----------
    name : str
        Of the thread.
    losses : Losses
        Told what failed.
    most_bytes : float
        How much may wait.
    sync : callable
        Called now and then, in the thread: what was written has to reach the disk itself.

    Attributes
    ----------
    waiting_bytes : int
        Given and not yet written. May be read from any thread.
    """

    def __init__(
        self,
        name: str,
        losses: Losses,
        most_bytes: float,
        sync: Callable[[], None] = lambda: None,
    ) -> None:
        self._losses, self._most_bytes, self._sync = losses, most_bytes, sync
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._counting = threading.Lock()
        self._refuses = False
        self.waiting_bytes = self._written = 0
        self._now: _Task | None = None
        self._synced = time.monotonic()
        self._ends = float("inf")  # when a disk that refuses is asked no more
        # A daemon, so that a disk that never answers cannot keep the program from ending.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def put(self, what: str, write: Callable[[], None], n_bytes: int = 0) -> None:
        """Have it written; returns at once."""
        if self._refuses:
            return
        n_bytes += _TASK_BYTES
        if self.waiting_bytes + n_bytes > self._most_bytes:
            self._losses.lost(what, f"{self.waiting_bytes / 1e6:.0f} MB wait for the disk already")
            return
        self._count(n_bytes)
        self._tasks.put(_Task(what, write, n_bytes, time.monotonic()))

    @property
    def waiting_s(self) -> float:
        """For how long the oldest that is not written has waited."""
        now = self._now
        return 0.0 if now is None else time.monotonic() - now.since

    def refuse(self) -> None:
        """Write what was given so far, and nothing that is given from now on."""
        self._refuses = True

    def close(self, last: str = "", write: Callable[[], None] = lambda: None) -> None:
        """Write what still waits, and a last thing, and end the thread.

        A disk that takes nothing is given up after a while.
        """
        self._ends = time.monotonic() + STUCK_S
        if last:
            self._tasks.put(_Task(last, write, 0, time.monotonic()))
        self._tasks.put(None)
        while self._thread.is_alive():
            written = self._written
            self._thread.join(2 * STUCK_S)
            if self._thread.is_alive() and written == self._written:
                waited = (
                    "what waited" if self._now is None else f"{self._now.what} and what followed"
                )
                self._losses.lost(waited, f"the disk did not answer for {2 * STUCK_S:g} s")
                return

    def _count(self, more: int) -> None:
        with self._counting:
            self.waiting_bytes += more

    def _work(self) -> None:
        while (task := self._next()) is not None:
            self._now = task
            try:
                self._write(task)
            except Exception as error:  # whatever it is, what comes after it has to be written
                self._losses.lost(task.what, reason(error))
            self._count(-task.n_bytes)
            self._now = None
            del task  # or the last one's arrays would stay until the next
        self._sync()

    def _next(self) -> _Task | None:
        while True:
            if time.monotonic() > self._synced + SYNC_S:
                self._sync()
                self._synced = time.monotonic()
            with suppress(queue.Empty):
                return self._tasks.get(timeout=SYNC_S)

    def _write(self, task: _Task) -> None:
        """Until it is written."""
        while True:
            try:
                task.write()
                break
            except OSError as error:
                self._losses.fails(reason(error))
                if time.monotonic() > self._ends:
                    raise
            time.sleep(RETRY_S)
        self._written += 1
        self._ends = max(self._ends, time.monotonic() + STUCK_S)
        self._losses.goes_on()


def reason(error: Exception) -> str:
    """An error in a few words."""
    told = error.strerror if isinstance(error, OSError) else None
    return told or f"{type(error).__name__}: {error}"
