"""From LSL inlets to one sequence of volumes and markers; nothing is dropped in silence."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon import wire
from rtrecon.connect import PACED_POLL_S, POLL_S, Clock, find_stream, open_volumes, taken_of
from rtrecon.errors import BadStream
from rtrecon.marker_inlets import MarkerInlets
from rtrecon.types import Event, Marker, Times, Volume, VolumeCounts

log = logging.getLogger(__name__)

SILENCE_TRS = 3  # after so many TRs without a volume the stream counts as silent
TAIL_S = 2.0  # what is still under way when the end marker comes gets this long
_GRACE_S = 0.02  # that markers get to come before a volume of a backlog
_MAX_GAP = 10_000  # a volume number further ahead than this is no number


class Receiver:
    """Volumes and markers of one run, in order, each with its times on the local clock.

    A volume with a `fault` is for the record alone; it is not among those received.
    Iterate in one thread; `counts`, `geometry`, `last_received` and `markers_joined` may be read
    from any.
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
        Says of a marker stream, by its source id, whether the receiver beside which this one listens
        hears it: it is heard here only then, so that its program does not begin before that one
        listens, and a paced sender is told of nothing that is taken here.

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
        after: Callable[[str], bool] | None = None,
    ) -> None:
        found = find_stream(name, wait_s, stop)
        self.name = name
        self.stop = stop
        self.until_idle_s = until_idle_s
        self.geometry, self._volumes = open_volumes(found)
        self._taken = taken_of(self._volumes) if after is None else None
        self._clock = Clock(self._volumes)
        self._markers = MarkerInlets(name, after)
        self.markers_joined = self._markers.joined
        self.counts = VolumeCounts()
        self.last_received = pylsl.local_clock()  # of a volume; before the first, of listening
        self.silent = False
        self.on_silence: Callable[[], None] = lambda: None  # called when `silent` has changed
        self._expected = 0  # the next volume's number
        self._last_stamp = -np.inf
        self._anchor: tuple[float, float] | None = None  # run time and stamp of the newest volume
        self._held: list[Marker] = []  # without an onset of their own, before the first volume
        self._end: Marker | None = None

    def __iter__(self) -> Iterator[Volume | Marker]:
        self.last_received = pylsl.local_clock()  # what has come since connecting waits to be read
        poll_s = POLL_S if self._taken is None else PACED_POLL_S
        while not (self.stop.is_set() or self._over()):
            samples, stamps = self._volumes.pull_chunk(poll_s, max_samples=1, as_numpy=True)
            received = pylsl.local_clock()
            if len(stamps) and self._expected == 0:
                self._markers.let_join()
            # A marker of before this volume's end is here by now, and belongs before it.
            yield from self._pull_markers(
                _GRACE_S if len(stamps) and self._hurried(received) else 0
            )
            if len(stamps):
                stamp = float(stamps[0]) + self._clock.correction()
                yield from self._take(samples[0], stamp, received)
            if self._taken is not None:
                self._taken.add(volumes=len(stamps))
        yield from self._finish()

    @property
    def marker_sources(self) -> tuple[str, ...]:
        """Source ids of the marker streams that are heard."""
        return self._markers.sources

    def close(self) -> None:
        """Let go of the streams."""
        self._volumes.close_stream()
        self._markers.close()
        self._taken = None

    def _over(self) -> bool:
        idle_s = pylsl.local_clock() - self.last_received
        tr_s = self.geometry.tr_s / self.geometry.speed
        self._watch(idle_s, tr_s)
        if self._end is not None:
            promised = self._end.volumes
            return (promised is not None and self._expected >= promised) or idle_s > TAIL_S + tr_s
        if self.until_idle_s is None or idle_s <= self.until_idle_s:
            return False
        log.warning(
            "stream '%s' was silent for %.0f s after %s: ended as --until-idle says",
            self.name, idle_s, self._position(),
        )  # fmt: skip
        return True

    def _watch(self, idle_s: float, tr_s: float) -> None:
        silent = self._expected > 0 and self._end is None and idle_s > max(SILENCE_TRS * tr_s, 0.5)
        if silent and not self.silent:
            log.warning(
                "stream '%s' is silent since %s: waiting for it", self.name, self._position()
            )
        elif self.silent and not silent:
            log.warning("stream '%s' is back with %s", self.name, self._position())
        changed, self.silent = silent != self.silent, silent
        if changed:
            self.on_silence()

    def _position(self) -> str:
        return f"volume {self._expected - 1}" if self._expected else "the start, before any volume"

    def _take(
        self, sample: NDArray[np.generic], stamp: float, received: float
    ) -> Iterator[Volume | Marker]:
        self.last_received = received
        try:
            volume = wire.volume_of(sample, self.geometry, Times(stamp, received))
            if volume.number - self._expected > _MAX_GAP:
                raise BadStream(
                    f"volume number {volume.number} after {self._expected - 1} is no number"
                )
        except BadStream as error:
            self._count(rejected=1)
            log.warning("a volume was rejected: %s", error)
            return
        if volume.number < self._expected:
            if stamp <= self._last_stamp:
                self._count(duplicate=1)
                log.warning("volume %d came again and is skipped", volume.number)
                yield replace(volume, fault="came again")
                return
            yield self._new_run(volume.number)
        if lost := volume.number - self._expected:
            self._count(lost=lost)
            log.warning("%d volume(s) lost before volume %d", lost, volume.number)
        self._expected, self._last_stamp = volume.number + 1, stamp
        self._anchor = volume.end_s(self.geometry.tr_s), stamp
        yield from (self._placed(marker) for marker in self._held)
        self._held.clear()
        if fault := _fault(volume.data):
            self._count(rejected=1)
            log.warning("volume %d is %s and is skipped", volume.number, fault)
            yield replace(volume, fault=fault)
            return
        self._count(received=1)
        yield volume

    def _new_run(self, number: int) -> Marker:
        """The count went back while time went on: the scanner was started anew."""
        log.warning("the volume numbers began again at %d: taken as a new run", number)
        self._expected = number
        return Marker(Event.RUN_START)

    def _hurried(self, received: float) -> bool:
        """Whether volumes come as fast as they are taken, or this is the first one.

        After a standstill, or when a sender pays no heed to time, volumes and markers have queued
        up, and which of the two streams is through first is chance. A paced sender keeps the order.
        """
        if self._taken is not None:
            return False
        hurry_s = self.geometry.tr_s / self.geometry.speed / 4
        return self._expected == 0 or received - self.last_received < hurry_s

    def _pull_markers(self, grace_s: float) -> Iterator[Marker]:
        for marker in self._markers.pull(grace_s):
            yield from self._ordered(marker)
            if self._taken is not None:
                self._taken.add(markers=1)

    def _ordered(self, marker: Marker) -> Iterator[Marker]:
        if marker.event is Event.RUN_END:
            self._end = marker  # passed on when the last volume is through
        elif marker.event is Event.TRIAL and np.isnan(marker.onset_s) and self._anchor is None:
            self._held.append(marker)
        elif marker.event is Event.RUN_START:
            if marker.stamp > self._last_stamp:  # else it was only late: the run is under way
                self._expected, self._anchor = 0, None
                yield marker
        else:
            yield self._placed(marker)

    def _placed(self, marker: Marker) -> Marker:
        """The marker with its onset in run time, worked out of its stamp where it has none."""
        if self._anchor is None or not np.isnan(marker.onset_s):
            return marker
        end_s, stamp = self._anchor
        return replace(marker, onset_s=end_s + (marker.stamp - stamp) * self.geometry.speed)

    def _finish(self) -> Iterator[Marker]:
        if self._end is None:
            return
        missing = max(0, (self._end.volumes or 0) - self._expected)
        if missing:
            self._count(lost=missing)
            log.warning("%d volume(s) lost at the end of the run", missing)
        yield self._end

    def _count(self, **more: int) -> None:
        changed = {key: getattr(self.counts, key) + value for key, value in more.items()}
        self.counts = replace(self.counts, **changed)


def _fault(data: NDArray[np.generic]) -> str:
    """Why a volume cannot be used, or nothing."""
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        return "not finite (NaN or infinite voxels)"
    return "constant" if data.min() == data.max() else ""
