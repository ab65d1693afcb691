"""A scanner made of a file: replays a recorded run over Lab Streaming Layer, on time."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf, isfinite

from rtrecon.errors import Error, StreamMissing
from rtrecon.types import Event, Geometry, Marker, Volume
from rtrecon.wire import ScannerOutlet
from simulator.faults import Faults
from simulator.pace import MAX_SPEED, Clock, Pace, Window, told_speed
from simulator.recording import Looped, Recording, runs_of

log = logging.getLogger(__name__)

GRACE_S = 2.0  # what is on its way is lost when an outlet goes, and LSL cannot say whether any is
_POLL_S = 0.05
_TURN_S = 0.1


@dataclass(frozen=True)
class Sending:
    """One thing the scanner sends. `due_s`: run time at which it can be sent."""

    due_s: float
    what: Volume | Marker


class ScannerDied(Error):
    """The scanner stopped dead in mid-run, as it was told to."""


def schedule(recording: Recording) -> Iterator[Sending]:
    """When each volume and marker is sent, in the order in which they were recorded.

    A volume when complete, a marker at its onset; where stamps were recorded, these say when, counted
    from the run's first volume. Every time is reckoned from the start of its run, so that none
    inherits another's delay. A run begins one TR after the last thing of the run before.
    """
    start_s = 0.0
    for run in runs_of(recording):
        latest_s = 0.0
        stamped = any(isinstance(i, Volume) and isfinite(i.times.acquired) for i in run)
        for item, due_s in zip(run, _due_s(run, recording.geometry), strict=True):
            latest_s = max(latest_s, due_s)  # nothing overtakes what came before it
            yield Sending(start_s + latest_s, item if stamped else _told(item, due_s))
        start_s += latest_s + recording.geometry.tr_s


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


def play(
    recording: Recording,
    stream: str,
    speed: float = 1.0,
    wait_s: float = 60.0,
    faults: Faults | None = None,
    clock: Clock | None = None,
    progress: Callable[[int], None] = lambda number: None,
    loop: int | None = 1,
    paced: bool = False,
    paused: Callable[[], bool] = lambda: False,
) -> None:
    """Replay a recording once somebody listens; returns when it was received.

    Parameters
    ----------
    recording : Recording
        A BIDS run (`rtrecon.bids.Run`) is one.
    stream : str
        Name of the volume stream.
    speed : float
        Times faster than the scanner was; `MAX_SPEED`: as fast as the receiver takes it.
    wait_s : float
        How long to wait for a receiver.
    faults : Faults, optional
        By the numbers of volumes, in each run.
    clock : Clock, optional
    progress : callable
        Called with the number of each volume after its turn.
    loop : int or None
        How often; None for ever.
    paced : bool
        Whether nothing overtakes and nothing can be lost, at any speed, because what is next waits
        for the receiver; a receiver that says nothing of what it has taken is sent it by time.
    paused : callable
        Asked again and again whether to stand still.

    Raises
    ------
    StreamMissing
        Nobody came to listen, the receiver cannot be paced, or it has left.
    ScannerDied
        The faults asked for it; volumes until then were received.
    BadConfig
        The faults do not fit the recording.
    """
    faults, clock = faults or Faults(), clock or Clock()
    geometry = replace(recording.geometry, speed=told_speed(speed))
    faults.check(_n_numbers(recording), geometry.dtype)
    paced = paced or speed == MAX_SPEED
    outlet = ScannerOutlet(stream, geometry, paced=paced)
    _await_receiver(outlet, stream, wait_s, clock)
    window = _window(outlet, stream, speed) if paced else None
    pace = Pace(clock, speed, paused)
    try:
        _send_all(Looped(recording, loop), outlet, faults, pace, window, progress)
    finally:
        if window is not None:
            window.close()
        _linger(outlet, clock)


def _n_numbers(recording: Recording) -> int:
    return 1 + max(
        (item.number for item in recording.walk() if isinstance(item, Volume)), default=-1
    )


def _window(outlet: ScannerOutlet, stream: str, speed: float) -> Window | None:
    try:
        return Window(outlet, stream)
    except StreamMissing as error:
        if speed == MAX_SPEED:
            raise
        log.warning("%s: what is sent at one moment may arrive in another order", error)
        return None


def _await_receiver(outlet: ScannerOutlet, stream: str, wait_s: float, clock: Clock) -> None:
    deadline = clock.now() + wait_s
    # In short turns, since Ctrl-C is not heard inside LSL.
    while not outlet.wait_for_receiver(_TURN_S):
        if clock.now() >= deadline:
            raise StreamMissing(
                f"nobody listens to stream '{stream}' after {wait_s:g} s: "
                f"start 'rtrecon run --stream {stream} ...' or allow more with --wait"
            )


def _send_all(
    recording: Recording,
    outlet: ScannerOutlet,
    faults: Faults,
    pace: Pace,
    window: Window | None,
    progress: Callable[[int], None],
) -> None:
    for sending in schedule(recording):
        moment = pace.wait(sending.due_s)
        if isinstance(sending.what, Marker):
            if window is not None:
                window.marker()
            outlet.send_marker(sending.what, moment)
            continue
        number = sending.what.number
        if number in faults.die:
            raise ScannerDied(f"--faults die={number}: stopped dead before volume {number}")
        for data in faults.sent(number, sending.what.data):
            if window is not None:
                window.volume()
            outlet.send_volume(number, data, moment)
        progress(number)
    if window is not None:
        window.drain()


def _linger(outlet: ScannerOutlet, clock: Clock) -> None:
    """Keep the streams up while somebody may still be reading."""
    deadline = clock.now() + GRACE_S
    while outlet.has_receiver and clock.now() < deadline:
        clock.sleep(_POLL_S)
