"""What a keeper holds and records on of a session whose volumes are decoded."""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtrecon.errors import BadStream
from rtrecon.held import Counted, Held, OnDisk
from rtrecon.keeping import FIND_S
from rtrecon.receive import Receiver
from rtrecon.record import Recorder
from rtrecon.session_folder import SessionFolder, open_session_folder
from rtrecon.types import Geometry, Marker, Volume, VolumeCounts


class KeptVolumes:
    """A `rtrecon.keeping.Kept`: volumes, known by number and stamp, and markers."""

    loads, unit = "", "volumes"

    def __init__(self) -> None:
        self.count = 0
        self._held, self._counted = Held(), Counted()
        self._geometry: Geometry | None = None  # of what the session left
        self._session: SessionFolder
        self._disk: OnDisk  # what was there at the takeover
        self._recorder: Recorder

    @property
    def counts(self) -> VolumeCounts:
        """As `Kept.counts`."""
        return self._counted.counts

    @property
    def markers(self) -> list[Marker]:
        """As `Kept.markers`."""
        return [marker for _, marker in self._session.markers]

    def listen(
        self, streams: Sequence[str], stop: threading.Event, after: Callable[[str], bool]
    ) -> Receiver:
        """As `Kept.listen`."""
        receiver = Receiver(streams[0], FIND_S, None, stop, after=after)
        if not self._fits(receiver.geometry):
            receiver.close()
            raise BadStream(f"stream '{streams[0]}' sends other volumes than the session's")
        self._held.near_s = receiver.geometry.tr_s / receiver.geometry.speed / 2
        return receiver

    def _fits(self, geometry: Geometry) -> bool:
        """Whether such volumes can be put to those that the session left."""
        ours = self._geometry
        return ours is None or (ours.shape, ours.tr_s) == (geometry.shape, geometry.tr_s)

    def hold(self, item: Volume | Marker) -> None:
        """As `Kept.hold`."""
        self._held.add(item)

    def forget(self, newest: Any) -> None:
        """As `Kept.forget`, of number and stamp."""
        self._held.forget(*newest)

    def resume(self, folder: Path) -> Recorder:
        """As `Kept.resume`."""
        self._geometry = open_session_folder(folder).geometry
        self._recorder = Recorder(folder, self._geometry, {}, resumed=True)
        with ExitStack() as failing:
            failing.callback(self._recorder.close)
            self._session = open_session_folder(folder)
            failing.pop_all()
        return self._recorder

    def held(self) -> list[Volume | Marker]:
        """As `Kept.held`."""
        for item in self._session.all():
            self._counted.add(item)
        self._disk = OnDisk(self._session)
        held = self._held.not_on(self._disk)
        for number, _ in self._held.dropped:
            self._recorder.lost(f"volume {number}", "too much waited in memory")
        return held

    def record(self, item: Volume | Marker) -> None:
        """As `Kept.record`."""
        self._counted.add(item)
        if isinstance(item, Marker):
            self._recorder.marker(item)
        else:
            self._recorder.volume(item)
            self.count += 1

    def take(self, item: Volume | Marker) -> None:
        """As `Kept.take`."""
        if not self._disk.has(item, self._held.near_s):
            self.record(item)

    def ends(self) -> float:
        """The end marker or silence ends it, and nothing else."""
        return float("inf")

    def summary(self) -> dict[str, Any]:
        """Counts of what is on disk."""
        shown = None
        with suppress(OSError):  # a disk that is away: the rest is known
            shown = len(self._session.table("frames.tsv"))
        return {
            "volumes": asdict(self.counts),
            "frames": {"shown": shown, "superseded": None},
        }
