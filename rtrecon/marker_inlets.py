"""All marker streams that belong to one volume stream, heard as one."""

import heapq
import logging
import queue
import threading
from collections.abc import Callable, Iterator

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtrecon import wire
from rtrecon.connect import Clock, Hears
from rtrecon.errors import BadStream
from rtrecon.network import check_claim
from rtrecon.types import Marker

log = logging.getLogger(__name__)

_MOST_STREAMS = 32  # whoever is on the network can make more, and each takes a thread to join
_BUFFER_S = 3600
_MOST = 1000  # markers that one stream may hand over before the next volume is looked at
_FORGOTTEN_S = 5.0  # for so long LSL still lists a stream whose program is gone


class MarkerInlets:
    """The markers of every program that sends for one volume stream, on the local clock.

    Programs may join, end and begin again at any time. They are told apart by their source ids:
    LSL finds a restarted program again by it, and keeps what it had sent before it ended. A stream
    without one is another stream after a restart. Owned by one thread.

    Parameters
    ----------
    name : str
        Of the volume stream.
    after : callable, optional
        Says of an outlet whether another has joined it: only then it is joined here, and at once. LSL
        does not find a program again by itself then: that one has to have it again before.
    belongs : callable, optional
        Says of a stream whether it is one for this volume stream, and no other scanner's.
    say : callable
        Told once of each thing that the operator has to know, from any thread.
    """

    def __init__(
        self,
        name: str,
        after: Hears | None = None,
        belongs: Callable[[pylsl.StreamInfo], bool] = lambda info: True,
        say: Callable[[str], None] = log.warning,
    ) -> None:
        self._after, self._belongs, self._say = after, belongs, say
        self.outlets: tuple[str, ...] = ()
        """Uids of those that have joined, or that markers came from; may be read from any thread."""
        self._listed: dict[str, list[str]] = {}  # uids, by source
        self._reconnected: set[str] = set()  # LSL has found these programs, started anew
        self._search = pylsl.ContinuousResolver(
            "name", wire.marker_stream(name), forget_after=_FORGOTTEN_S
        )
        self._joining: dict[str, threading.Thread] = {}  # by source, as all of these
        self._connected: queue.SimpleQueue[tuple[str, _Inlet | None]] = queue.SimpleQueue()
        self._inlets: dict[str, _Inlet] = {}
        self._not_before: dict[str, float] = {}  # one that was lost may only be listed still
        self._doubled: dict[str, float] = {}  # since when two streams have one source id
        self._told: set[str] = set()
        self.joined = threading.Event()  # a first stream has, or does not answer

    def pull(self, grace_s: float) -> Iterator[Marker]:
        """What has come since the last time, in the order of the stamps.

        Markers of one stream stay in the order in which they were sent.

        Parameters
        ----------
        grace_s : float
            How long to wait for one more, where markers are about to come. 0 does not wait.
        """
        self._look()
        came: dict[str, list[Marker]] = {source: [] for source in self._inlets}
        more = bool(came)
        while more:
            more, wait_s = False, grace_s  # one wait serves all: it passes for each of them
            for source, inlet in list(self._inlets.items()):
                new = self._new(source, inlet, wait_s)
                came[source] += new
                more, wait_s = more or bool(new and grace_s), 0.0
            more = more and sum(map(len, came.values())) < _MOST
        yield from heapq.merge(*came.values(), key=lambda marker: marker.stamp)

    @property
    def heard(self) -> int:
        """How many streams have joined."""
        return len(self._inlets)

    def let_join(self) -> None:
        """Wait for the streams that are just connecting.

        Their senders already count on us and may send a whole run at once.
        """
        for thread in list(self._joining.values()):
            thread.join()

    def close(self) -> None:
        """Let go of the streams."""
        self.let_join()
        self._take_connected()
        for inlet in self._inlets.values():
            inlet.close()
        self._inlets.clear()

    def _look(self) -> None:
        """Connecting takes a second that volumes must not wait: each stream joins in a thread."""
        self._take_connected()
        self._listed = {}
        for info in self._search.results():
            source = self._source(info)
            if info.type() != wire.MARKER_TYPE or not self._usable(source, info):
                continue
            if not self._belongs(info):
                self._leave(source)
                continue
            if source in self._listed:
                self._doubt(source, info)
            elif self._may_join(source):
                self._joining[source] = threading.Thread(
                    target=self._join, args=(source, info), name="rtrecon-markers"
                )
                self._joining[source].start()
            self._listed.setdefault(source, []).append(info.uid())
            if source in self._reconnected and info.uid() not in self.outlets:
                self._reconnected.discard(source)
                self._heard_from(info.uid())

    def _leave(self, source: str) -> None:
        """It was heard as long as its scanner was, and that one is back beside another."""
        if (inlet := self._inlets.pop(source, None)) is not None:
            inlet.close()

    def _source(self, info: pylsl.StreamInfo) -> str:
        """What is joined once: a program over its restarts, or each outlet that another has."""
        return str(info.uid() if self._after else info.source_id() or info.uid())

    def _may_join(self, source: str) -> bool:
        known = source in self._inlets or source in self._joining
        if self._after is not None and not self._after(source):
            return False
        if not known and len(self._inlets) + len(self._joining) >= _MOST_STREAMS:
            self._tell("too many", f"over {_MOST_STREAMS} marker streams: the others are not heard")
            return False
        return not known and pylsl.local_clock() >= self._not_before.get(source, 0.0)

    def _take_connected(self) -> None:
        while not self._connected.empty():
            source, inlet = self._connected.get()
            self._joining.pop(source).join()
            if inlet is None:
                self._not_before[source] = pylsl.local_clock() + 2 * _FORGOTTEN_S
            else:
                self._inlets[source] = inlet

    def _join(self, source: str, info: pylsl.StreamInfo) -> None:
        inlet = None
        try:
            inlet = _Inlet(info, at_once=self._after is not None)
            log.info("%s is heard", _named(info))
            self._heard_from(info.uid())
        except (LslTimeoutError, LostError):
            self._tell(source, f"{_named(info)} does not answer: its markers are not heard")
        self._connected.put((source, inlet))
        self.joined.set()

    def _new(self, source: str, inlet: "_Inlet", wait_s: float) -> list[Marker]:
        came: list[Marker] = []
        try:
            came.extend(inlet.new(wait_s, self._skip))  # what was read before a loss stays
            if inlet.reconnected:
                self._reconnected.add(source)
            listed = self._listed.get(source, [])
            if came and len(listed) == 1:  # in case that LSL did not say so
                self._heard_from(listed[0])
        except LostError:  # it had no source id to be found again by
            log.warning("%s ended: markers are heard again once it is back", inlet.named)
            del self._inlets[source]
            self._not_before[source] = pylsl.local_clock() + 2 * _FORGOTTEN_S
        return came

    def _heard_from(self, uid: str) -> None:
        if uid not in self.outlets:
            self.outlets = (*self.outlets, uid)

    def _usable(self, source: str, info: pylsl.StreamInfo) -> bool:
        if info.channel_format() != pylsl.cf_string or info.channel_count() != 1:
            self._tell(
                source,
                f"{_named(info)} is not one string channel and is not heard: see docs/wire.md",
            )
            return False
        try:
            check_claim(info, _BUFFER_S)
        except BadStream as error:
            self._tell(source, f"{_named(info)} is not heard: {error}")
            return False
        return True

    def _doubt(self, source: str, info: pylsl.StreamInfo) -> None:
        """Two at once are a program and its restart, unless both stay."""
        since = self._doubled.setdefault(source, pylsl.local_clock())
        if pylsl.local_clock() - since > 2 * _FORGOTTEN_S:
            self._tell(
                f"{source} twice",
                f"{_named(info)} is there twice and only one is heard: give each program its own",
            )

    def _skip(self, named: str, error: Exception) -> None:
        log.warning("a marker was skipped: %s", error)
        self._tell(
            f"{named} unread", f"{named} sends what cannot be read as a marker: the log has each"
        )

    def _tell(self, about: str, what: str) -> None:
        if about not in self._told and len(self._told) < _MOST:
            self._told.add(about)
            self._say(what)


class _Inlet:
    """One stream, open, with its own clock. The constructor waits for the sender's answers.

    `at_once`: another has joined before, its sender counts on that one, and does so again after it
    was gone: this is of no use then, and says so.
    """

    def __init__(self, info: pylsl.StreamInfo, at_once: bool = False) -> None:
        self.named = _named(info)
        self._inlet = pylsl.StreamInlet(info, max_buflen=_BUFFER_S, recover=not at_once)
        if at_once:
            self._inlet.open_stream(timeout=10.0)
        self._clock = Clock(self._inlet)  # first: once it is open, its sender counts on us
        self._inlet.open_stream(timeout=10.0)

    def new(self, wait_s: float, skip: Callable[[str, Exception], None]) -> Iterator[Marker]:
        """Markers until none has come for `wait_s`, on the local clock; what is none is skipped."""
        for _ in range(_MOST):
            try:
                sample, stamp = self._inlet.pull_sample(timeout=wait_s)
                if sample is None:
                    return
                yield wire.marker_of(sample[0], stamp + self._clock.correction())
            except (BadStream, UnicodeDecodeError) as error:
                skip(self.named, error)

    @property
    def reconnected(self) -> bool:
        """Whether LSL has found the program, started anew, since this was asked last."""
        return bool(self._inlet.was_clock_reset())

    def close(self) -> None:
        self._inlet.close_stream()


def _named(info: pylsl.StreamInfo) -> str:
    source = f" with source id '{info.source_id()}'" if info.source_id() else ""
    return f"marker stream '{info.name()}'{source} on {info.hostname()}"
