"""One thread for one device: whatever the device does, whoever sends goes on at once."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from math import inf, nan

import pylsl

from rtrecon.outputs.device import Device, Item
from rtrecon.types import Score, Sent

log = logging.getLogger(__name__)

HANGS_S = 3.0  # a device that takes longer for one thing is told to the operator


class Sender:
    """Gives a device what it gets, in order, from a thread of its own.

    A score that still waits when the next of the same person comes is replaced by it, unless the
    device wants every one; firings are never replaced. A device that fails is opened again, and what
    it failed at is tried once more; what fails twice is counted and told.

    Parameters
    ----------
    device : Device
    sent : callable
        Told of everything that went out or did not. Called in this thread.

    Attributes
    ----------
    opened : Future
        Has the error, where the device could not be opened.
    """

    def __init__(self, device: Device, sent: Callable[[Sent], None]) -> None:
        self.device = device
        self.opened: Future[None] = Future()
        self._sent = sent
        self._changed = threading.Condition()
        self._waiting: deque[Item] = deque()
        self._closing = False
        self._busy_since = inf
        self._last: dict[str, Score] = {}
        self._error = ""
        self._lost = {"score": 0, "trigger": 0}
        # A daemon, so that a device that never answers cannot keep the program from ending.
        self._thread = threading.Thread(
            target=self._work, name=f"rtrecon-output-{device.name}", daemon=True
        )
        self._thread.start()

    def put(self, item: Item) -> None:
        """Have it sent; returns at once. Any thread."""
        with self._changed:
            if isinstance(item, Score) and not self.device.every:
                others = (w for w in self._waiting if w.person != item.person)
                self._waiting = deque(others)
            self._waiting.append(item)
            self._changed.notify()

    @property
    def fault(self) -> str:
        """What the operator has to know; empty where all is well."""
        name, lost = self.device.name, self._lost
        if self._hangs:
            return f"{name} has not answered for {HANGS_S:g} s: {len(self._waiting)} wait"
        missed = f"{lost['trigger']} trigger(s) not sent"
        if self._error:
            return f"{name} fails ({self._error}): {lost['score']} score(s) and {missed}"
        return f"{name} works again; {missed}" if lost["trigger"] else ""

    @property
    def failing(self) -> bool:
        """Whether nothing reaches the device at this moment."""
        return self._hangs or bool(self._error)

    @property
    def _hangs(self) -> bool:
        return pylsl.local_clock() - self._busy_since > HANGS_S

    def finish(self) -> None:
        """Ask for the end, after what still waits; returns at once."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, for so long at most."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error("output %s does not answer: left behind", self.device.name)

    def _work(self) -> None:
        self._busy_since = pylsl.local_clock()
        try:
            self.device.open()
        except BaseException as error:  # it is the opener's to handle
            self._close()
            self.opened.set_exception(error)
            return
        self.opened.set_result(None)
        while (item := self._next(self._tick())) is not None or not self._closing:
            if item is not None:
                self._send(item)
        for score in self._last.values():
            self._send(_nothing(score))
        self._close()

    def _next(self, timeout_s: float) -> Item | None:
        """What waits, or None when something else is due."""
        with self._changed:
            self._busy_since = inf
            ready = lambda: self._waiting or self._closing  # noqa: E731
            self._changed.wait_for(ready, None if timeout_s == inf else timeout_s)
            self._busy_since = pylsl.local_clock()
            return self._waiting.popleft() if self._waiting else None

    def _tick(self) -> float:
        """What the device does by itself; once it has failed only the next item opens it again."""
        if self._error:
            return inf
        try:
            return self.device.tick()
        except Exception as error:  # whatever it is, it is the device's and ends nothing here
            self._failed(error)
            return inf

    def _send(self, item: Item) -> None:
        """Send it and say so; where the device had worked until now, try twice.

        At the end a device that fails gets no further chance: there may be much that waits.
        """
        what = "score" if isinstance(item, Score) else "trigger"
        worked = not self._error
        error = self._error if self._closing and not worked else self._attempt(item)
        if error and worked:
            error = self._attempt(item)
        if error:
            self._lost[what] += 1
        elif not worked:
            log.warning("output %s works again", self.device.name)
            self._lost["score"] = 0
        if error and what == "trigger":
            log.error("trigger %d of '%s' not sent: %s", item.number, item.person, error)
        if isinstance(item, Score):
            self._last[item.person] = item
        now = pylsl.local_clock()
        try:
            self._sent(Sent(self.device.name, what, item.person, item.number, now, error))
        except Exception:  # a record that fails must not end what the next firing needs
            log.exception("output %s: what was sent could not be noted", self.device.name)

    def _attempt(self, item: Item) -> str:
        """Why it could not be sent; empty where it was."""
        try:
            if self._error:
                self.device.open()
            self.device.send(item)
        except Exception as error:  # whatever it is, it is the device's and ends nothing here
            self._failed(error)
            return self._error
        self._error = ""
        return ""

    def _failed(self, error: Exception) -> None:
        before, self._error = self._error, reason(error)
        if not before:
            log.error("output %s fails: %s", self.device.name, self._error)
        self._close()

    def _close(self) -> None:
        with suppress(Exception):  # it is of no use any more, whatever it says
            self.device.close()


def reason(error: BaseException) -> str:
    """An error in one line."""
    told = error.strerror if isinstance(error, OSError) else None
    return " ".join((told or str(error) or type(error).__name__).split())


def _nothing(score: Score) -> Score:
    """The last word after a score: nothing is told any more."""
    return replace(
        score, number=0, time=pylsl.local_clock(), raw=nan, value=nan, told=nan,
        fault="the session has ended",
    )  # fmt: skip
