"""What a keeper hears, holds and records on of an EEG session."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import pylsl

from rtrecon.eeg.folder import SENT, STAMP, EegFolder, open_eeg_folder
from rtrecon.eeg.held import HeldSamples, SamplesOnDisk
from rtrecon.eeg.inlet import Chunk, EegInlet, gaps_in, open_inlets
from rtrecon.eeg.record import EegRecorder
from rtrecon.errors import Error, Mismatch, StreamMissing
from rtrecon.held import HELD_BYTES, MOST_MARKERS, MarkersOnDisk
from rtrecon.keeping import FIND_S
from rtrecon.marker_inlets import MarkerInlets
from rtrecon.protocol.settings import read_protocol
from rtrecon.types import Marker, VolumeCounts
from rtrecon.watchdogs import Standstill

log = logging.getLogger(__name__)

MOST_S = 3600.0  # an amplifier sends for ever: so long a keeper records on at the most
_TAIL_S = 1.0  # after the last block
_POLL_S = 0.02


class Came(NamedTuple):
    """Samples of the person of this place, from 0."""

    place: int
    chunk: Chunk


class EegListening:
    """People's streams and their session's markers, heard as one. Owned by one thread.

    Parameters
    ----------
    streams : sequence of str
        The session's, then each person's.
    stop : threading.Event
    after : callable
        As in `MarkerInlets`.

    Raises
    ------
    StreamMissing, BadStream
    """

    def __init__(
        self, streams: Sequence[str], stop: threading.Event, after: Callable[[str], bool]
    ) -> None:
        name, *people = streams
        try:
            self.inlets = open_inlets(people, FIND_S, stop)
        except Mismatch as error:  # one was started anew since
            raise StreamMissing(str(error)) from error
        self._stop, self._idle = stop, Standstill()
        self._markers = MarkerInlets(name, after)
        self.until_idle_s: float | None = None
        self.last_received = pylsl.local_clock()
        self.silent = False  # LSL finds a source again by itself

    @property
    def marker_outlets(self) -> tuple[str, ...]:
        """As `Listening.marker_outlets`."""
        return self._markers.outlets

    def __iter__(self) -> Iterator[Came | Marker]:
        while not (self._stop.is_set() or self._silent()):
            came: list[Came | Marker] = list(self._markers.pull(0))
            for place, inlet in enumerate(self.inlets):
                came += (Came(place, chunk) for chunk in inlet.pull())
            yield from came
            if not came:
                self._stop.wait(_POLL_S)

    def close(self) -> None:
        """Let go of the streams."""
        for inlet in self.inlets:
            inlet.close()
        self._markers.close()

    def _silent(self) -> bool:
        now = pylsl.local_clock()
        newest = max(self.last_received, *(inlet.last_received for inlet in self.inlets))
        idle_s = now - self._idle.since(True, newest, now)
        return self.until_idle_s is not None and idle_s > self.until_idle_s


class KeptEeg:
    """A `rtrecon.keeping.Kept`: each person's samples, known by their stamps as sent, and markers."""

    loads, unit = "rtrecon.eeg.kept", "samples"
    counts = VolumeCounts()

    def __init__(self) -> None:
        self.count = 0
        self.markers: list[Marker] = []
        self._held: list[HeldSamples] = []
        self._held_markers: deque[Marker] = deque(maxlen=MOST_MARKERS)
        self._session: EegFolder
        self._recorder: EegRecorder
        self._disk: list[SamplesOnDisk] = []
        self._marked = MarkersOnDisk(())
        self._newest: list[float | None] = []  # stamp on disk, of each person
        self._samples: list[int] = []
        self._gaps: list[int] = []

    def listen(
        self, streams: Sequence[str], stop: threading.Event, after: Callable[[str], bool]
    ) -> EegListening:
        """As `Kept.listen`."""
        listening = EegListening(streams, stop, after)
        if not self._held:
            self._held = [HeldSamples(_near_s(inlet)) for inlet in listening.inlets]
        return listening

    def hold(self, item: Came | Marker) -> None:
        """As `Kept.hold`."""
        if isinstance(item, Marker):
            self._held_markers.append(item)
            return
        self._held[item.place].add(item.chunk)
        while sum(held.n_bytes for held in self._held) > HELD_BYTES:
            max(self._held, key=lambda held: held.n_bytes).drop_oldest()

    def forget(self, newest: Any) -> None:
        """As `Kept.forget`, of `EegRecorder.newest`."""
        for held, sent in zip(self._held, newest, strict=False):
            if sent is not None:
                held.forget(sent)

    def resume(self, folder: Path) -> EegRecorder:
        """As `Kept.resume`."""
        signals = [recording.signal for recording in open_eeg_folder(folder).recordings]
        self._recorder = EegRecorder(folder, signals, {}, resumed=True)
        with ExitStack() as failing:
            failing.callback(self._recorder.close)
            self._session = open_eeg_folder(folder)
            failing.pop_all()
        return self._recorder

    def held(self) -> list[Came | Marker]:
        """As `Kept.held`; nothing, where the session had not begun."""
        self.markers = self._session.markers
        self._marked = MarkersOnDisk(self.markers)
        missing: list[Came | Marker] = []
        for recording in self._session.recordings:
            stamps = recording.stamps
            self._disk.append(SamplesOnDisk(stamps[:, SENT], recording.step_s / 2))
            self._newest.append(float(stamps[-1, STAMP]) if len(stamps) else None)
            self._samples.append(len(stamps))
            self._gaps.append(len(recording.gaps()))
        if self._standing() is None:
            return []
        for place, held in enumerate(self._held):
            missing += (Came(place, chunk) for chunk in held.not_on(self._disk[place]))
            if held.dropped:
                what = f"{held.dropped} samples of eeg-{place + 1}"
                self._recorder.lost(what, "too much waited in memory")
        return missing + [marker for marker in self._held_markers if not self._marked.has(marker)]

    def record(self, item: Came | Marker) -> None:
        """As `Kept.record`."""
        if isinstance(item, Marker):
            self._recorder.marker(item)
            return
        place, chunk = item
        if not len(chunk.stamps):
            return
        self._tell_gap(place, chunk)
        self._newest[place] = float(chunk.stamps[-1])
        self._recorder.chunk(place, chunk)
        self._samples[place] += len(chunk.stamps)
        self.count += len(chunk.stamps)

    def take(self, item: Came | Marker) -> None:
        """As `Kept.take`."""
        if not isinstance(item, Marker):
            self.record(Came(item.place, self._disk[item.place].take(item.chunk)))
        elif not self._marked.has(item):
            self.record(item)

    def ends(self) -> float:
        """With the last block, by the schedule as it stood, or when it has gone on for an hour."""
        now = pylsl.local_clock()
        try:
            left_s = self._left_s(now)
        except (Error, LookupError, TypeError, ValueError) as error:
            log.warning("it is not known when the session was to end: %s", error)
            left_s = inf
        return now + min(left_s, MOST_S)

    def summary(self) -> dict[str, Any]:
        """Samples and gaps, of what is on disk."""
        people = {
            recording.person.name: {"samples": samples, "gaps": gaps}
            for recording, samples, gaps in zip(
                self._session.recordings, self._samples, self._gaps, strict=True
            )
        }
        return {"people": people}

    def _tell_gap(self, place: int, chunk: Chunk) -> None:
        """By the stamps, as the session does."""
        recording, before = self._session.recordings[place], self._newest[place]
        if before is None or not gaps_in(chunk.stamps[:1], before, recording.step_s):
            return
        self._gaps[place] += 1
        log.warning(
            "%s: samples are missing between %.3f and %.3f",
            recording.person.name, before, chunk.stamps[0],
        )  # fmt: skip

    def _standing(self) -> dict[str, Any] | None:
        """Where the schedule stood when that was last recorded; None: it had not begun."""
        lines = self._session.lines("status.jsonl")
        return next((line for line in reversed(lines) if line.get("elapsed") is not None), None)

    def _left_s(self, now: float) -> float:
        """Until the schedule ends; it stands still in a pause, which nobody could end any more."""
        standing, found = self._standing(), read_protocol(self._session.about["tables"])
        if standing is None or found is None:
            return 0.0
        speed = self._session.recordings[0].signal.speed
        since = now if standing["paused"] else float(standing["time"])
        left_s = (found[1].duration_s - float(standing["elapsed"])) / speed
        return max(0.0, left_s - (now - since) + _TAIL_S)


def _near_s(inlet: EegInlet) -> float:
    return 1 / (inlet.signal.rate_hz * inlet.signal.speed) / 2
