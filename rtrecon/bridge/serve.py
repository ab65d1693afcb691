"""The bridge at work: what the scanner exports goes out to whoever listens, until it ends."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl

from rtrecon.bridge import formats
from rtrecon.bridge.assemble import Assembler, Ended, Output, Started
from rtrecon.bridge.clock import ScannerClock
from rtrecon.bridge.intake import Intake
from rtrecon.bridge.piece import Piece
from rtrecon.bridge.run import Assembled
from rtrecon.bridge.watch import Watcher
from rtrecon.types import Event, Geometry, Marker
from rtrecon.wire import ScannerOutlet

log = logging.getLogger(__name__)

_TURN_S = 0.02  # how soon a stop, a time-out or a file's next try is honoured
_LINGER_S = 5.0  # that receivers get to take what was sent last
_KEPT_BYTES = 1 << 30  # of volumes that wait for a receiver
# Volumes that come at once are not sent at once: LSL's queues would overflow, and drop the oldest.
_BYTES_PER_S = 50e6
_MARKERS_S = 2.0  # that who takes the volumes gets to take the markers too
Sending = Callable[[ScannerOutlet], None]


class Publisher:
    """Sends what was assembled. One stream, opened anew only where the geometry changes.

    Until somebody listens, or `wait_s` is over, what is to be sent is kept.
    """

    def __init__(self, stream: str, wait_s: float) -> None:
        self._stream, self._wait_s = stream, wait_s
        self._outlet: ScannerOutlet | None = None
        self._source = ""
        self._kept: deque[Sending] = deque()
        self._opened = self._heard = float("inf")  # LSL clock
        self._clock: ScannerClock | None = None
        self._last_stamp = 0.0
        self._next = 0.0  # when the next may be sent
        self._is_first = True

    def take(self, outputs: Sequence[Output]) -> None:
        """Send, or keep, in order."""
        for output in outputs:
            if isinstance(output, Started):
                self._start(output)
            elif isinstance(output, Assembled):
                self._keep_volume(output)
            else:
                self._keep_end(output)
        self.send()

    def send(self) -> None:
        """Send what is kept if it need not wait any longer."""
        while self._outlet is not None and self._kept and self._may_send(self._outlet):
            if (now := pylsl.local_clock()) < self._next:
                return
            self._kept.popleft()(self._outlet)
            self._next = now + _bytes(self._outlet.geometry) / _BYTES_PER_S

    def finish(self) -> None:
        """Send the rest and close, once receivers have gone or had some seconds to read."""
        if self._outlet is None:
            return
        self._drain(self._outlet)
        deadline = pylsl.local_clock() + _LINGER_S
        while self._outlet.has_receiver and pylsl.local_clock() < deadline:
            time.sleep(_TURN_S)
        self._outlet = None

    def _drain(self, outlet: ScannerOutlet) -> None:
        """Send all that is kept, to whoever listens by now."""
        while self._kept:
            self._kept.popleft()(outlet)
            time.sleep(_bytes(outlet.geometry) / _BYTES_PER_S)

    def _start(self, started: Started) -> None:
        tr_s = started.geometry.tr_s
        self._clock = ScannerClock(started.acquired, tr_s, time.time())
        self._is_first = True
        self._open(started.geometry, self._clock.source)
        log.info(
            "series '%s' is followed: %s voxels, TR %g s, %s volumes planned",
            started.description or started.series, " x ".join(map(str, started.geometry.shape)),
            tr_s, started.volumes or "an unknown number of",
        )  # fmt: skip

    def _open(self, geometry: Geometry, source: str) -> None:
        if self._outlet is not None:
            if _same(self._outlet.geometry, geometry) and self._source == source:
                return
            log.info("its geometry is another: stream '%s' is opened anew", self._stream)
            self._drain(self._outlet)
        self._source = source
        self._outlet = ScannerOutlet(self._stream, geometry, acquired_from=source)
        self._opened, self._heard = pylsl.local_clock(), float("inf")
        log.info("stream '%s' is open", self._stream)

    def _keep_volume(self, volume: Assembled) -> None:
        assert self._clock is not None
        assert self._outlet is not None
        offset_s = time.time() - pylsl.local_clock()
        stamp = self._clock.stamp(volume.number, volume.acquired, volume.arrived, offset_s)
        self._last_stamp = stamp
        if self._is_first:
            # A run begins with the acquisition of its volume 0, whichever came first.
            begin = stamp - (volume.number + 1) * self._outlet.geometry.tr_s
            self._kept.append(lambda out: out.send_marker(Marker(Event.RUN_START), begin))
            log.info("volume %d is the first one", volume.number)
            self._is_first = False
        self._kept.append(lambda out: out.send_volume(volume.number, volume.data, stamp))

    def _keep_end(self, ended: Ended) -> None:
        stamp = self._last_stamp
        marker = Marker(Event.RUN_END, volumes=ended.volumes)
        self._kept.append(lambda out: out.send_marker(marker, stamp))
        log.info("the series has ended with %d volumes", ended.volumes)

    def _may_send(self, outlet: ScannerOutlet) -> bool:
        now = pylsl.local_clock()
        if self._heard <= now - _MARKERS_S:
            return True
        if outlet.wait_for_receiver(0.0):
            self._heard = now - _MARKERS_S
        elif outlet.has_receiver:
            self._heard = min(self._heard, now)
        elif (
            now - self._opened >= self._wait_s
            or len(self._kept) * _bytes(outlet.geometry) > _KEPT_BYTES
        ):
            log.warning("nobody listens to stream '%s': sent all the same", self._stream)
            self._heard = now - _MARKERS_S
        return self._heard <= now - _MARKERS_S


class Bridge:
    """Files in, stream out; runs in the thread that calls `run`.

    Parameters
    ----------
    watcher : Watcher
    assembler : Assembler
    publisher : Publisher
    tr_s : float or None
        Overrules the headers'.
    read : callable
        Path to pieces, as `formats.read`.
    """

    def __init__(
        self,
        watcher: Watcher,
        assembler: Assembler,
        publisher: Publisher,
        tr_s: float | None = None,
        read: Callable[[Path], list[Piece]] = formats.read,
    ) -> None:
        self._watcher, self._assembler, self._publisher = watcher, assembler, publisher
        self._tr_s, self._read_file = tr_s, read
        self._intake = Intake(self._read)

    def run(self, stop: threading.Event, until_idle_s: float | None = None) -> None:
        """Until `stop` is set, or nothing new has come for so long."""
        last = pylsl.local_clock()
        with self._watcher:
            while not stop.is_set():
                changed = self._watcher.wait(_TURN_S)
                now = pylsl.local_clock()
                if changed:
                    last = now
                elif until_idle_s is not None and now - last >= until_idle_s:
                    log.info("no file has changed for %g s", until_idle_s)
                    break
                for piece in self._intake.take(changed, now):
                    self._publisher.take(list(self._assembler.add([piece], pylsl.local_clock())))
                self._publisher.take(list(self._assembler.tick(now)))
        self._publisher.take(list(self._assembler.finish(pylsl.local_clock())))
        self._publisher.finish()
        self._tell()

    def _read(self, path: Path) -> list[Piece]:
        pieces = self._read_file(path)
        return [replace(p, tr_s=self._tr_s) for p in pieces] if self._tr_s else pieces

    def _tell(self) -> None:
        counts = {**self._assembler.counts, **self._intake.counts}
        told = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
        log.info("bridge ended: %s", told or "no volume came")


def _bytes(geometry: Geometry) -> int:
    return geometry.n_voxels * np.dtype(geometry.dtype).itemsize


def _same(one: Geometry, other: Geometry) -> bool:
    plain = replace(one, affine=other.affine)
    return plain == other and bool((one.affine == other.affine).all())
