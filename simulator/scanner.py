"""A scanner made of a file: replays a recorded run over Lab Streaming Layer, on time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pylsl

from rtrecon.bids import Run
from rtrecon.errors import Error, StreamMissing
from rtrecon.types import Event, Marker, Volume
from rtrecon.wire import ScannerOutlet
from simulator.faults import Faults

GRACE_S = 2.0  # what is on its way is lost when an outlet goes, and LSL cannot say whether any is
_POLL_S = 0.05
_TURN_S = 0.1


@dataclass(frozen=True)
class Clock:
    """Time as the scanner knows it; tests bring their own.

    Attributes
    ----------
    now : callable
        LSL clock, s.
    sleep : callable
        Waits that many seconds.
    """

    now: Callable[[], float] = pylsl.local_clock
    sleep: Callable[[float], None] = time.sleep

    def wait_until(self, moment: float) -> None:
        """Return at that LSL time, or at once when it is past."""
        while (left_s := moment - self.now()) > 0:
            self.sleep(left_s)


@dataclass(frozen=True)
class Sending:
    """One thing the scanner sends. `due_s`: run time at which it can be sent."""

    due_s: float
    what: Volume | Marker


class ScannerDied(Error):
    """The scanner stopped dead in mid-run, as it was told to."""


def schedule(run: Run) -> Iterator[Sending]:
    """When each volume and marker of a run is sent: a volume when complete, a marker at its onset.

    Every time is reckoned from the start of the run, so that none inherits another's delay.
    """
    tr_s = run.geometry.tr_s
    for item in run.walk():
        if isinstance(item, Volume):
            yield Sending(item.end_s(tr_s), item)
        elif item.event is Event.RUN_START:
            yield Sending(0.0, replace(item, onset_s=0.0))
        elif item.event is Event.RUN_END:
            end_s = run.n_volumes * tr_s
            yield Sending(end_s, replace(item, onset_s=end_s))
        else:
            yield Sending(item.onset_s, item)


def play(
    run: Run,
    stream: str,
    speed: float = 1.0,
    wait_s: float = 60.0,
    faults: Faults | None = None,
    clock: Clock | None = None,
    progress: Callable[[int], None] = lambda number: None,
) -> None:
    """Replay a run once somebody listens; returns when it was received.

    Parameters
    ----------
    run : Run
    stream : str
        Name of the volume stream.
    speed : float
        Times faster than the scanner was.
    wait_s : float
        How long to wait for a receiver.
    faults : Faults, optional
    clock : Clock, optional
    progress : callable
        Called with the number of each volume after its turn.

    Raises
    ------
    StreamMissing
        Nobody came to listen.
    ScannerDied
        The faults asked for it; volumes until then were received.
    BadConfig
        The faults do not fit the run.
    """
    faults, clock = faults or Faults(), clock or Clock()
    geometry = replace(run.geometry, speed=speed)
    faults.check(run.n_volumes, geometry.dtype)
    outlet = ScannerOutlet(stream, geometry)
    _await_receiver(outlet, stream, wait_s, clock)
    try:
        _send_all(run, outlet, faults, clock, progress)
    finally:
        _linger(outlet, clock)


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
    run: Run,
    outlet: ScannerOutlet,
    faults: Faults,
    clock: Clock,
    progress: Callable[[int], None],
) -> None:
    start = clock.now()
    for sending in schedule(run):
        moment = start + sending.due_s / outlet.geometry.speed
        clock.wait_until(moment)
        if isinstance(sending.what, Marker):
            outlet.send_marker(sending.what, moment)
            continue
        number = sending.what.number
        if number in faults.die:
            raise ScannerDied(f"--faults die={number}: stopped dead before volume {number}")
        for data in faults.sent(number, sending.what.data):
            outlet.send_volume(number, data, moment)
        progress(number)


def _linger(outlet: ScannerOutlet, clock: Clock) -> None:
    """Keep the streams up while somebody may still be reading."""
    deadline = clock.now() + GRACE_S
    while outlet.has_receiver and clock.now() < deadline:
        clock.sleep(_POLL_S)
