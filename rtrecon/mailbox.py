"""One slot, newest wins: the only way between two threads where only the newest is worth anything."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A slot for one item that `put` replaces and `take` empties. Safe from any thread.

    An item replaced before anybody took it is counted in `superseded`, one that was taken in
    `taken`. `newest` is the last one put, taken or not, for whoever only looks.
    """

    def __init__(self) -> None:
        self._filled = threading.Condition()
        self._item: T | None = None
        self._closed = self._held = False
        self.newest: T | None = None
        self.superseded = self.taken = 0

    def put(self, item: T) -> None:
        """Leave `item`, in place of the one that nobody took."""
        with self._filled:
            if self._held:
                return
            self.superseded += self._item is not None
            self._item = self.newest = item
            self._filled.notify()

    def take(self, timeout_s: float | None = 0.0) -> T | None:
        """The item, or None if there is none within `timeout_s` (None: wait until closed)."""
        with self._filled:
            self._filled.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            self.taken += item is not None
            return item

    def peek(self) -> T | None:
        """The item that waits, left where it is."""
        return self._item

    def hold(self, on: bool) -> None:
        """From now on (or no longer) let go of all that is put, and of what waits."""
        with self._filled:
            self._held = on
            if on:
                self._item = None

    def clear(self) -> None:
        """Let go of all that was put, and of whatever will be."""
        with self._filled:
            self._held = True
            self._item = self.newest = None

    def close(self) -> None:
        """Wake whoever waits; an item still inside can be taken."""
        with self._filled:
            self._closed = True
            self._filled.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed
