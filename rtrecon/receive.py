"""From LSL inlets to one sequence of volumes and markers; nothing is dropped in silence."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pylsl
from numpy.typing import NDArray
from pylsl.util import LostError

from rtrecon import wire
from rtrecon.connect import (
    PACED_POLL_S,
    POLL_S,
    Clock,
    Hears,
    find_stream,
    open_volumes,
    taken_of,
)
from rtrecon.count import Count
from rtrecon.errors import BadStream
from rtrecon.lookout import Lookout
from rtrecon.marker_inlets import MarkerInlets
from rtrecon.onsets import Onsets
from rtrecon.printable import printable
from rtrecon.types import Event, Marker, Times, Volume, VolumeCounts
from rtrecon.volume_fault import CAME_LATE, VolumeFault
from rtrecon.watchdogs import Standstill

log = logging.getLogger(__name__)

_READ_UP_S = 2.0  # what a reserve still brings of what was read already has come by then
_Samples = tuple[NDArray[np.generic], Sequence[float]]

SILENCE_TRS = 3  # after so many TRs without a volume the stream counts as silent
TAIL_S = 2.0  # what is still under way when the end marker comes gets this long
_GRACE_S = 0.02  # that markers get to come before a volume of a backlog
_LATEST = 1e12  # s, of any clock
_LONGEST = 400  # characters of what is told
_MAX_GAP = 10_000  # a volume number further ahead than this is no number


class Receiver:
    """Volumes and markers of one run, in order, each with its times on the local clock.

    A volume with a `fault` is for the record alone; it is not among those received. One whose number
    was there already may be passed on behind the next, which tells whether a new run has begun.
    Iterate in one thread; `counts`, `geometry`, `last_received`, `markers_joined`, `looks` (which
    moves as long as somebody iterates), `waiting` and `trouble` may be read from any.
    `say` is called, from several threads, with what the operator has to know: whoever has an operator
    puts its own there.
    Iteration ends when the run is over: at the end marker (and the last volume it promises),
    after `until_idle_s` without a volume, or when `stop` is set.

    Parameters
    ----------
    name : str
        Of the volume stream.
    wait_s : float
        How long to wait for it.
    until_idle_s : float or None
        End after so long without a volume; None waits for ever.
    stop : threading.Event
    after : callable, optional
        Says of an outlet whether the receiver beside which this one listens hears it: it is heard
        here only then. So no scanner and no program begins, at first or again after it was gone,
        before that one listens; and a paced sender is told of nothing that is taken here.

    Raises
    ------
    StreamMissing, BadStream
        From the constructor: nothing is wrong any more once iteration begins.
    """

    def __init__(
        self,
        name: str,
        wait_s: float,
        until_idle_s: float | None,
        stop: threading.Event,
        after: Hears | None = None,
    ) -> None:
        found = find_stream(name, wait_s, stop, after)
        self.name = name
        self.stop = stop
        self.say: Callable[[str], None] = log.warning
        self.until_idle_s = until_idle_s
        self.geometry, self._volumes = open_volumes(found, recover=after is None)
        self.uid = found.uid()
        """Of the outlet that volumes come from; may be read from any thread."""
        self._reconnected = False  # LSL has found the source, started anew
        self._read = -np.inf  # stamp of the newest volume, as it was sent
        self._lost_at = -np.inf  # LSL clock, s: when the reserve was gone on with for that
        self._reserve: tuple[pylsl.StreamInlet, Clock] | None = None
        self._ahead: _Samples = np.empty(0), ()  # what was read of the reserve last
        self._taken = taken_of(self._volumes) if after is None else None
        self._clock = Clock(self._volumes)
        tr_s = self.geometry.tr_s / self.geometry.speed
        self._silent_s = max(SILENCE_TRS * tr_s, 0.5)
        self._count, self._fault_of = Count(tr_s), VolumeFault()
        self._doubtful: Volume | None = None  # its number was there: the next tells what it is
        self.counts = VolumeCounts()
        self.last_received = pylsl.local_clock()  # of a volume; before the first, of listening
        self.silent = False
        self.looks = 0
        self._idle = Standstill()
        self._last_stamp = -np.inf
        self._onsets = Onsets(self.geometry.speed, self._silent_s, self._tell)
        self._end: Marker | None = None
        self._end_came = np.inf  # LSL clock, s
        self._lookout = Lookout(
            found, self.geometry, self._silent_s, lambda: self.last_received, after, self._tell
        )
        self._markers = MarkerInlets(name, after, self._lookout.has_markers, self._tell)
        self.markers_joined = self._markers.joined

    def __iter__(self) -> Iterator[Volume | Marker]:
        self.last_received = pylsl.local_clock()  # what has come since connecting waits to be read
        poll_s = POLL_S if self._taken is None else PACED_POLL_S
        while not (self.stop.is_set() or self._over()):
            samples, stamps = self._pull(poll_s)
            received = pylsl.local_clock()
            if len(stamps) and self._count.expected == 0:
                self._markers.let_join()
            # A marker of before this volume's end is here by now, and belongs before it.
            yield from self._pull_markers(
                _GRACE_S if len(stamps) and self._hurried(received) else 0
            )
            if len(stamps):
                stamp = float(stamps[0]) + self._clock.correction()
                yield from self._take(samples[0], stamp, received)
            else:
                self._succeed()
                if self.silent:
                    yield from self._settle(None)
            if self._taken is not None:
                self._taken.add(volumes=len(stamps))
        yield from self._finish()

    @property
    def waiting(self) -> int:
        """Volumes that have come and were not looked at yet."""
        return int(self._volumes.samples_available())

    @property
    def trouble(self) -> str:
        """Who sends under this name and is not heard, and why; empty: nobody."""
        return _short(self._lookout.trouble)

    @property
    def at(self) -> int:
        """Number of the newest volume that was looked at; -1 before the first."""
        return self._count.expected - 1

    @property
    def streams(self) -> tuple[str]:
        """What is listened to."""
        return (self.name,)

    @property
    def stopping(self) -> bool:
        """Whether the end was asked for."""
        return self.stop.is_set()

    @property
    def outlets(self) -> tuple[str, ...]:
        """Uids of all that is heard: what volumes come from, then what markers come from."""
        return (self.uid, *self.marker_outlets)

    @property
    def marker_outlets(self) -> tuple[str, ...]:
        """Uids of the outlets that markers come from."""
        return self._markers.outlets

    def close(self) -> None:
        """Let go of the streams."""
        self._lookout.close()
        self._succeed()
        if self._reserve is not None:
            self._lookout.reserves.put(self._reserve)
        while not self._lookout.reserves.empty():
            self._lookout.reserves.get()[0].close_stream()
        self._volumes.close_stream()
        self._markers.close()
        self._taken = None

    def _pull(self, poll_s: float) -> _Samples:
        if self._reserve is None and self._ahead[1]:  # it was left over
            ahead, self._ahead = self._ahead, (np.empty(0), ())
            return ahead
        try:
            samples, stamps = self._volumes.pull_chunk(poll_s, max_samples=1, as_numpy=True)
            if self._volumes.was_clock_reset():
                self._lookout.recovered.set()
                self._reconnected = True
            if len(stamps) or self._reconnected:
                self._know_outlet()
            again = pylsl.local_clock() - self._lost_at < _READ_UP_S
            if again and len(stamps) and stamps[0] <= self._read:
                return np.empty(0), ()
            if len(stamps):
                self._read = float(stamps[0])
                self._go_on_with_reserve()
            return samples, stamps
        except LostError:  # of a source that LSL does not look for: the lookout does
            if not self._go_on_with_reserve(lost=True):
                self._lookout.lost.set()
                self.stop.wait(poll_s)
            return np.empty(0), ()

    def _go_on_with_reserve(self, lost: bool = False) -> bool:
        """Do so where it is at the volume that was read last; or, when ours is lost, behind that one."""
        if self._reserve is None:
            if self._lookout.reserves.empty():
                return False
            self._reserve = self._lookout.reserves.get()
        stamps: Sequence[float] = self._ahead[1]
        while not stamps or stamps[0] < self._read:
            samples, stamps = self._reserve[0].pull_chunk(0.0, max_samples=1, as_numpy=True)
            if not len(stamps):
                break
            self._ahead = samples, [float(stamps[0])]
            stamps = self._ahead[1]
        even = bool(stamps) and stamps[0] == self._read
        if not (even or lost):
            return False
        if not stamps or stamps[0] <= self._read:
            self._ahead = np.empty(0), ()
        if lost:
            self._lost_at = pylsl.local_clock()
        gone = self._volumes
        (self._volumes, self._clock), self._reserve = self._reserve, None
        gone.close_stream()
        return True

    def _know_outlet(self) -> None:
        """The lookout may find a restarted source later than LSL, or find out that it does not fit."""
        if self.uid != self._lookout.uid and not self._lookout.misfit:
            self.uid, self._reconnected = self._lookout.uid, False

    def _over(self) -> bool:
        now = pylsl.local_clock()
        self.looks += 1
        # While the whole program stood still nobody listened, and what came then waits to be read.
        idle_s = now - self._idle.since(True, self.last_received, now)
        tr_s = self.geometry.tr_s / self.geometry.speed
        self._watch(idle_s)
        if self._end is not None:
            # After a cut the marker may be through before the volumes that waited with it; and where
            # more came than it tells of, they were another run's.
            tail_s = min(idle_s, now - self._end_came)
            return self._count.expected == self._end.volumes or tail_s > TAIL_S + tr_s
        if self.until_idle_s is None or idle_s <= self.until_idle_s:
            return False
        log.warning(
            "stream '%s' was silent for %.0f s after %s: ended as --until-idle says",
            self.name, idle_s, self._position(),
        )  # fmt: skip
        return True

    def _watch(self, idle_s: float) -> None:
        silent = self._count.expected > 0 and self._end is None and idle_s > self._silent_s
        if silent and not self.silent:
            log.warning(
                "stream '%s' is silent since %s: waiting for it", self.name, self._position()
            )
        elif self.silent and not silent:
            log.warning("stream '%s' is back with %s", self.name, self._position())
        self.silent = silent

    def _position(self) -> str:
        expected = self._count.expected
        return f"volume {expected - 1}" if expected else "the start, before any volume"

    def _succeed(self) -> None:
        """Another source has taken the place of the one that went."""
        while not self._lookout.successors.empty():
            gone = self._volumes
            self._lookout.lost.clear()  # first: it looks for a successor while none waits here
            self._volumes, self._clock = self._lookout.successors.get()
            self.uid = self._lookout.uid
            gone.close_stream()

    def _take(
        self, sample: NDArray[np.generic], stamp: float, received: float
    ) -> Iterator[Volume | Marker]:
        self.last_received = received
        try:
            volume = wire.volume_of(sample, self.geometry, Times(stamp, received))
            if not abs(stamp) < _LATEST:
                raise BadStream(f"volume {volume.number} is stamped {stamp}, which is no time")
            if volume.number - self._count.expected > _MAX_GAP:
                raise BadStream(
                    f"volume number {volume.number} after {self._count.expected - 1} is no number"
                )
        except BadStream as error:
            self._counted(rejected=1)
            log.warning("a volume was rejected: %s", error)
            return
        if misfit := self._lookout.misfit:
            yield self._rejected(volume, f"came from a scanner with {misfit}")
            return
        yield from self._settle(volume)
        if volume.number >= self._count.expected:
            yield from self._next(volume)
        elif self._count.fits(volume.number, stamp):
            yield self._of_before(volume)
        else:
            self._doubtful = volume

    def _settle(self, newer: Volume | None) -> Iterator[Volume | Marker]:
        """Say what the volume in doubt is, as the one after it tells, or that none came."""
        volume, self._doubtful = self._doubtful, None
        if volume is None:
            return
        if newer is None or not self._count.begins_anew(_place(volume), _place(newer)):
            yield self._of_before(volume)
            return
        self._tell(f"the volume numbers began again at {volume.number}: taken as a new run")
        self._begin(volume.number)
        yield Marker(Event.RUN_START)
        yield from self._next(volume)

    def _begin(self, number: int) -> None:
        """A new run begins with this number."""
        self._count.begin(number)
        self._fault_of = VolumeFault()
        self._onsets.restart()

    def _of_before(self, volume: Volume) -> Volume:
        """A volume of this run that is for the record alone."""
        if self._count.late(*_place(volume)):
            self._counted(lost=-1)
            return self._rejected(volume, CAME_LATE)
        self._counted(duplicate=1)
        log.warning("volume %d came again and is skipped", volume.number)
        return replace(volume, fault="came again")

    def _rejected(self, volume: Volume, fault: str, told: str = "") -> Volume:
        self._counted(rejected=1)
        log.warning("volume %d %s and is skipped", volume.number, told or fault)
        return replace(volume, fault=fault)

    def _next(self, volume: Volume) -> Iterator[Volume | Marker]:
        """The volume that was expected, or one further ahead."""
        if lost := self._count.take(*_place(volume)):
            self._counted(lost=lost)
            log.warning("%d volume(s) lost before volume %d", lost, volume.number)
        self._last_stamp = volume.times.acquired
        yield from self._onsets.volume(volume.end_s(self.geometry.tr_s), self._last_stamp)
        if fault := self._fault_of(volume.data):
            yield self._rejected(volume, fault, f"is {fault}")
            return
        self._counted(received=1)
        yield volume

    def _hurried(self, received: float) -> bool:
        """Whether volumes come as fast as they are taken, or this is the first one.

        After a standstill, or when a sender pays no heed to time, volumes and markers have queued
        up, and which of the two streams is through first is chance. A paced sender keeps the order.
        """
        if self._taken is not None:
            return False
        hurry_s = self.geometry.tr_s / self.geometry.speed / 4
        return self._count.expected == 0 or received - self.last_received < hurry_s

    def _pull_markers(self, grace_s: float) -> Iterator[Volume | Marker]:
        for marker in self._markers.pull(grace_s):
            yield from self._ordered(marker)
            if self._taken is not None:
                self._taken.add(markers=1)

    def _ordered(self, marker: Marker) -> Iterator[Volume | Marker]:
        if not abs(marker.stamp) < _LATEST:
            log.warning("a marker was skipped: it is stamped %s, which is no time", marker.stamp)
        elif marker.event is Event.RUN_END:
            self._end = marker  # passed on when the last volume is through
            self._end_came = pylsl.local_clock()
        elif marker.event is Event.RUN_START:
            if marker.stamp <= self._last_stamp:
                log.info("a run's start marker came when its volumes did already")
                return
            doubtful, self._doubtful = self._doubtful, None
            self._begin(0)
            yield marker
            if doubtful is not None:  # it was the first of this run
                yield from self._next(doubtful)
        elif placed := self._onsets.place(marker):
            yield placed

    def _finish(self) -> Iterator[Volume | Marker]:
        yield from self._settle(None)
        yield from self._onsets.rest()
        if self._end is None:
            return
        missing = max(0, (self._end.volumes or 0) - self._count.expected)
        if missing:
            self._counted(lost=missing)
            log.warning("%d volume(s) lost at the end of the run", missing)
        yield self._end

    def _tell(self, what: str) -> None:
        self.say(_short(what))

    def _counted(self, **more: int) -> None:
        changed = {key: getattr(self.counts, key) + value for key, value in more.items()}
        self.counts = replace(self.counts, **changed)


def _short(what: str) -> str:
    """Names in it are as long as whoever is on the network likes."""
    return printable(what[:_LONGEST])


def _place(volume: Volume) -> tuple[int, float]:
    return volume.number, volume.times.acquired
