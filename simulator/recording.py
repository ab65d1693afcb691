"""What can be played: a BIDS run, a recorded session, an XDF file, or a part of one, once or often."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Protocol

from rtrecon.bids import load_run
from rtrecon.errors import BadConfig, BadDataset
from rtrecon.session_folder import damage_told, is_session_folder, open_session_folder
from rtrecon.types import Event, Geometry, Marker, Volume


class Recording(Protocol):
    """One or several runs that have been recorded; a BIDS run is one as it is."""

    @property
    def name(self) -> str:
        """For people to read."""
        ...

    @property
    def geometry(self) -> Geometry:
        """Of all its volumes; `speed` is what its stamps were taken at."""
        ...

    @property
    def n_volumes(self) -> int:
        """How many volumes it holds."""
        ...

    def walk(self) -> Iterator[Volume | Marker]:
        """All of it in the order in which it came. Runs begin with RUN_START."""
        ...


def runs_of(recording: Recording) -> Iterator[list[Volume | Marker]]:
    """Its runs, one after the other."""
    run: list[Volume | Marker] = []
    for item in recording.walk():
        if run and isinstance(item, Marker) and item.event is Event.RUN_START:
            yield run
            run = []
        run.append(item)
    yield run


@dataclass(frozen=True)
class Items:
    """A recording as a list; volumes of a session's folder stay on disk until they are sent."""

    name: str
    geometry: Geometry
    items: tuple[Volume | Marker, ...]

    @property
    def n_volumes(self) -> int:
        """How many volumes it holds."""
        return sum(isinstance(item, Volume) for item in self.items)

    def walk(self) -> Iterator[Volume | Marker]:
        """All of it in order."""
        return iter(self.items)


@dataclass(frozen=True)
class Looped:
    """A recording again and again; `times`: None for ever.

    Each time is a run of its own. Only the last has an end marker, which would end the session.
    """

    once: Recording
    times: int | None

    @property
    def name(self) -> str:
        """Of what is repeated."""
        return self.once.name

    @property
    def geometry(self) -> Geometry:
        """Of what is repeated."""
        return self.once.geometry

    @property
    def n_volumes(self) -> int:
        """Of all times; of one where there is no end."""
        return self.once.n_volumes * (self.times or 1)

    def walk(self) -> Iterator[Volume | Marker]:
        """All of it in order, perhaps without an end."""
        for turn in count(1):
            yield from _unended(self.once.walk(), ends=turn == self.times)
            if turn == self.times:
                return


@dataclass(frozen=True)
class Place:
    """Where in a recording to begin: `volumes` from its start, or `seconds` (the other is None)."""

    volumes: int | None = None
    seconds: float | None = None

    def in_volumes(self, tr_s: float) -> int:
        """Counted in volumes."""
        if self.seconds is not None:
            return math.ceil(self.seconds / tr_s - 1e-6)
        return self.volumes or 0

    def __str__(self) -> str:
        return f"{self.volumes}" if self.seconds is None else f"{self.seconds:g}s"


def parse_place(text: str) -> Place:
    """A place as the command line has it: `40` (volumes) or `80s`.

    Raises
    ------
    ValueError
        Neither.
    """
    if text.isdecimal():
        return Place(volumes=int(text))
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not (text.endswith("s") and 0 <= seconds < 1e7):
        raise ValueError(f"'{text}': a volume (40) or seconds (80s)")
    return Place(seconds=seconds)


def open_recording(path: Path) -> Recording:
    """The recording of a path: `..._bold.nii.gz`, `....xdf` or a session's folder.

    Raises
    ------
    BadDataset, BadStream
        It is none of these, or damaged.
    """
    if path.is_dir():
        if not is_session_folder(path):
            raise BadDataset(
                f"{path} is a folder but no session's: name a folder that rtrecon run wrote, "
                "a BIDS run (..._bold.nii.gz) or an XDF file"
            )
        return of_session(path)
    return of_xdf(path) if path.suffix.lower() == ".xdf" else load_run(path)


def of_session(folder: Path) -> Items:
    """All that a session received, with what was rejected of it, in the order in which it came.

    Raises
    ------
    BadDataset
        As `open_session_folder`, or there is no volume.
    """
    session = open_session_folder(folder)
    items: list[Volume | Marker] = []
    markers = list(session.markers)
    for index in range(len(session.rows)):
        while markers and markers[0][0] <= index:
            items.append(markers.pop(0)[1])
        with damage_told(folder / f"volumes.tsv, row {index}"):
            items.append(session.volume(index))
    items += [marker for _, marker in markers]
    return _checked(folder.name, session.geometry, items, folder)


def of_xdf(file: Path) -> Items:
    """All runs of an XDF file.

    Raises
    ------
    BadDataset, BadStream
        It cannot be read, or holds no volume.
    """
    from rtrecon.xdf_runs import items

    geometry, found = items(file)
    return _checked(file.stem, geometry, list(found), file)


def _checked(name: str, geometry: Geometry, items: list[Volume | Marker], of: Path) -> Items:
    # What ended the session that was recorded must not end one that it is played to.
    stop = Event.WITHDRAW
    items = [item for item in items if not (isinstance(item, Marker) and item.event is stop)]
    volumes = [index for index, item in enumerate(items) if isinstance(item, Volume)]
    if not volumes:
        raise BadDataset(f"{of} holds no volume: nothing can be played of it")
    # An end marker ends the session of whoever listens: the runs that follow would not be heard.
    last = volumes[-1]
    kept = [*_unended(iter(items[:last]), ends=False), *items[last:]]
    return Items(name, geometry, tuple(_placed(kept, geometry)))


def _placed(items: list[Volume | Marker], geometry: Geometry) -> Iterator[Volume | Marker]:
    """Trials without an onset get it from their stamp, as a receiver would give it to them."""
    newest: Volume | None = None
    for index, item in enumerate(items):
        if isinstance(item, Volume):
            newest = item
        elif item.event is Event.RUN_START:
            newest = None
        elif item.event is Event.TRIAL and math.isnan(item.onset_s):
            later = (later for later in items[index:] if isinstance(later, Volume))
            if near := newest or next(later, None):
                late_s = (item.stamp - near.times.acquired) * geometry.speed
                item = replace(item, onset_s=near.end_s(geometry.tr_s) + late_s)
        yield item


def _unended(items: Iterator[Volume | Marker], ends: bool) -> Iterator[Volume | Marker]:
    return (
        item for item in items
        if ends or isinstance(item, Volume) or item.event is not Event.RUN_END
    )  # fmt: skip


def seek(recording: Recording, place: Place) -> Items:
    """The recording from a place on, as if its scanner had been started there.

    The run in which the place lies counts its volumes and run time from there; trials that began
    before are left out. Lost volumes count as places, and run follows run.

    Raises
    ------
    BadConfig
        The recording ends before.
    """
    wanted = place.in_volumes(recording.geometry.tr_s)
    runs = list(runs_of(recording))
    for index, run in enumerate(runs):
        length = _length(run)
        if wanted < length:
            first = _from(run, wanted, recording.geometry.tr_s)
            rest = (item for later in runs[index + 1 :] for item in later)
            return Items(recording.name, recording.geometry, (*first, *rest))
        wanted -= length
    total = sum(map(_length, runs))
    tr_s = recording.geometry.tr_s
    raise BadConfig(f"--seek {place}: '{recording.name}' has {total} volumes ({total * tr_s:g} s)")


def _length(run: list[Volume | Marker]) -> int:
    return 1 + max((item.number for item in run if isinstance(item, Volume)), default=-1)


def _from(run: list[Volume | Marker], first: int, tr_s: float) -> Iterator[Volume | Marker]:
    """One run from volume `first` on, which becomes volume 0."""
    yield Marker(Event.RUN_START)
    for item in run:
        if isinstance(item, Volume):
            if item.number >= first:
                yield replace(item, number=item.number - first)
        elif item.event is Event.RUN_END:
            volumes = None if item.volumes is None else max(0, item.volumes - first)
            yield replace(item, volumes=volumes)
        elif item.event is not Event.RUN_START and item.onset_s >= first * tr_s:
            yield replace(item, onset_s=item.onset_s - first * tr_s)
