"""What a keeper holds: volumes and markers that are not known to be on disk yet."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import isnan
from typing import Any

from rtrecon.session_folder import SessionFolder
from rtrecon.types import Event, Marker, Volume, VolumeCounts
from rtrecon.volume_fault import CAME_LATE

HELD_BYTES = (
    512e6  # four minutes of 104 x 90 x 72 voxels every 0.72 s, an hour of 64 x 64 x 36 every 2 s
)
MOST_MARKERS = 10_000  # what is older is on disk long since
_MOST_DROPPED = 10_000
_NEAR_S = 0.05  # two readings of the same marker's time, by two clock measurements


class Held:
    """In the order in which they came. Owned by one thread, or used under a lock.

    Two receivers of one stream see the same volumes in the same order. A volume is known by its
    number and its stamp; two clock measurements are less than half a volume apart.
    """

    def __init__(self, near_s: float = _NEAR_S) -> None:
        self.near_s = near_s
        self._items: deque[Volume | Marker] = deque()
        self._n_bytes = self._n_markers = 0
        self._told: tuple[int, float] | None = None  # on disk, and not come here yet
        self.dropped: deque[tuple[int, float]] = deque(maxlen=_MOST_DROPPED)
        """Number and stamp of what was too much to be held."""

    def add(self, item: Volume | Marker) -> None:
        """One more, and the oldest away where it is too much."""
        self._items.append(item)
        if isinstance(item, Marker):
            self._n_markers += 1
        else:
            self._n_bytes += item.data.nbytes
            if self._told is not None and _same(self._told, _key(item), self.near_s):
                self._forget_volumes(len(self._items))
        while self._n_bytes > HELD_BYTES:
            first = next(item for item in self._items if isinstance(item, Volume))
            self.dropped.append(_key(first))
            self._remove(first)
        while self._n_markers > MOST_MARKERS:
            self._remove(next(item for item in self._items if isinstance(item, Marker)))

    def forget(self, number: int, stamp: float) -> None:
        """All are on disk up to this volume, known by its number and stamp."""
        self._told = (number, stamp)
        self.dropped.clear()
        for place in range(len(self._items), 0, -1):
            item = self._items[place - 1]
            if isinstance(item, Volume) and _same(self._told, _key(item), self.near_s):
                self._forget_volumes(place)
                return

    def not_on(self, disk: "OnDisk") -> list[Volume | Marker]:
        """What is not on disk: all volumes that came after the last one there, and every marker."""
        missing: list[Volume | Marker] = []
        for item in self._items:
            if not disk.has(item, self.near_s):
                missing.append(item)
            elif isinstance(item, Volume):  # what came before it can be put there no more
                missing = [old for old in missing if isinstance(old, Marker)]
        return missing

    def _forget_volumes(self, places: int) -> None:
        for item in [self._items[n] for n in range(places)]:
            if isinstance(item, Volume):
                self._remove(item)
        self._told = None

    def _remove(self, gone: Volume | Marker) -> None:
        place = next(n for n, item in enumerate(self._items) if item is gone)
        del self._items[place]
        if isinstance(gone, Marker):
            self._n_markers -= 1
        else:
            self._n_bytes -= gone.data.nbytes


class OnDisk:
    """What a killed session left, as long as it has not come here too: some of it may be on its way.

    Parameters
    ----------
    session : SessionFolder
    """

    def __init__(self, session: SessionFolder) -> None:
        self._rows = [(int(row["number"]), float(row["acquired"])) for row in session.rows]
        self._markers = MarkersOnDisk(marker for _, marker in session.markers)

    def has(self, item: Volume | Marker, near_s: float) -> bool:
        """Whether it is there; asked once of each, in the order in which they came."""
        if isinstance(item, Marker):
            return self._markers.has(item)
        place = _taken(self._rows, lambda there: _same(there, _key(item), near_s))
        del self._rows[: max(place, 0)]
        return place >= 0


class MarkersOnDisk:
    """The markers that a killed session left."""

    def __init__(self, markers: Iterable[Marker]) -> None:
        self._markers = list(markers)

    def has(self, marker: Marker) -> bool:
        """Whether it is there; asked once of each."""
        return _taken(self._markers, lambda there: _same_marker(there, marker)) >= 0


class Counted:
    """What became of the volumes, by what was recorded of them: the rejected ones too."""

    def __init__(self) -> None:
        self.counts = VolumeCounts()
        self._expected = 0

    def add(self, item: Volume | Marker) -> None:
        """One more, in the order in which they came."""
        if isinstance(item, Marker):
            if item.event is Event.RUN_START:
                self._expected = 0
            if item.event is Event.RUN_END:
                self._count(lost=max(0, (item.volumes or 0) - self._expected))
        elif item.fault == CAME_LATE:
            self._count(lost=-1, rejected=1)
        elif item.fault and item.number < self._expected:
            self._count(duplicate=1)
        else:
            lost = max(0, item.number - self._expected)
            self._expected = item.number + 1
            self._count(lost=lost, received=not item.fault, rejected=bool(item.fault))

    def _count(self, **more: int) -> None:
        changed = {key: getattr(self.counts, key) + value for key, value in more.items()}
        self.counts = replace(self.counts, **changed)


def _taken(among: list[Any], same: Callable[[Any], bool]) -> int:
    """Where it was, and is no longer; -1: nowhere."""
    place = next((n for n, there in enumerate(among) if same(there)), -1)
    if place >= 0:
        del among[place]
    return place


def _key(volume: Volume) -> tuple[int, float]:
    return volume.number, volume.times.acquired


def _same(one: tuple[int, float], other: tuple[int, float], near_s: float) -> bool:
    return one[0] == other[0] and not abs(one[1] - other[1]) > near_s


def _same_marker(one: Marker, other: Marker) -> bool:
    """An onset may have been worked out of a stamp, with another clock measurement."""
    told = (one.event, one.trial_type, one.stim_file, one.volumes)
    if told != (other.event, other.trial_type, other.stim_file, other.volumes):
        return False
    return isnan(one.stamp) == isnan(other.stamp) and not abs(one.stamp - other.stamp) > _NEAR_S
