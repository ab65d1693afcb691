"""When each thing of a recording is sent, and in which order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf, isfinite

from rtrecon.types import Event, Geometry, Marker, Volume
from simulator.faults.plan import Fault
from simulator.recording import Recording, runs_of


@dataclass(frozen=True)
class Raw:
    """What is sent as a marker and is none."""

    content: bytes


@dataclass(frozen=True)
class Turn:
    """Something happens to the scanner itself: a fault begins, or is over."""

    fault: Fault
    begins: bool


@dataclass(frozen=True)
class Sending:
    """One thing the scanner sends or does.

    Attributes
    ----------
    due_s : float
        Run time at which it can be sent.
    late_s : float
        Run time that it is sent after the moment it is stamped with.
    step_s : float
        Seconds that the clock of its stamp is off.
    of : int
        Of a volume, its number in the undisturbed run.
    unheard : bool
        The scanner is away meanwhile.
    """

    due_s: float
    what: Volume | Marker | Raw | Turn
    late_s: float = 0.0
    step_s: float = 0.0
    of: int = -1
    unheard: bool = False


def schedule(
    recording: Recording, disturbed: Callable[[list[Sending]], list[Sending]] = list
) -> Iterator[Sending]:
    """When each volume and marker is sent, in the order in which they were recorded.

    A volume when complete, a marker at its onset; where stamps were recorded, these say when, counted
    from the run's first volume. Every time is reckoned from the start of its run, so that none
    inherits another's delay. A run begins one TR after the last thing of the run before.

    `disturbed` makes of each run's sendings what is sent in their place.
    """
    start_s = 0.0
    for run in runs_of(recording):
        latest_s = 0.0
        for sending in disturbed(_undisturbed(run, recording.geometry)):
            latest_s = sending.due_s
            yield replace(sending, due_s=start_s + latest_s)
        start_s += latest_s + recording.geometry.tr_s


def _undisturbed(run: list[Volume | Marker], geometry: Geometry) -> list[Sending]:
    sendings: list[Sending] = []
    latest_s = 0.0
    stamped = any(isinstance(i, Volume) and isfinite(i.times.acquired) for i in run)
    for item, due_s in zip(run, _due_s(run, geometry), strict=True):
        latest_s = max(latest_s, due_s)  # nothing overtakes what came before it
        of = item.number if isinstance(item, Volume) else -1
        sendings.append(Sending(latest_s, item if stamped else _told(item, due_s), of=of))
    return sendings


def _due_s(run: list[Volume | Marker], geometry: Geometry) -> list[float]:
    """Run time of each item; that of a marker which came before a volume is never after it."""
    first = next((i for i in run if isinstance(i, Volume) and isfinite(i.times.acquired)), None)
    next_s, due_s = inf, list[float]()
    for item in reversed(run):
        own_s = _run_s(item, first, geometry)
        if isinstance(item, Volume):
            next_s = own_s
        due_s.append(min(own_s, next_s))
    return due_s[::-1]


def _run_s(item: Volume | Marker, first: Volume | None, geometry: Geometry) -> float:
    stamp = item.times.acquired if isinstance(item, Volume) else item.stamp
    if first is not None and isfinite(stamp):
        return first.end_s(geometry.tr_s) + (stamp - first.times.acquired) * geometry.speed
    if isinstance(item, Volume):
        return item.end_s(geometry.tr_s)
    if item.event is Event.RUN_END:
        return (item.volumes or 0) * geometry.tr_s
    return item.onset_s if isfinite(item.onset_s) else 0.0


def _told(item: Volume | Marker, due_s: float) -> Volume | Marker:
    """The ends of a BIDS run, in which nothing has a stamp, say when they are."""
    if isinstance(item, Marker) and item.event in {Event.RUN_START, Event.RUN_END}:
        return replace(item, onset_s=due_s)
    return item
