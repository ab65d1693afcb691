"""A scanner made of a file: replays a recorded run over Lab Streaming Layer, on time."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from rtrecon.errors import StreamMissing
from rtrecon.types import Event, Marker, Volume
from simulator.faults.drawing import drawn
from simulator.faults.kinds import TIMED
from simulator.faults.plan import Faults, Scan
from simulator.faults.script import disturbed
from simulator.outlets import Cable, Outlets
from simulator.pace import MAX_SPEED, Clock, Pace, Window, told_speed
from simulator.recording import Looped, Recording, runs_of
from simulator.schedule import Sending, Turn, schedule

log = logging.getLogger(__name__)


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
    cable: Cable | None = None,
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
    cable : Cable or None
        What lies between this scanner and those who listen, where a fault is to cut it.

    Raises
    ------
    StreamMissing
        Nobody came to listen, the receiver cannot be paced, or it has left.
    ScannerDied
        The faults asked for it; volumes until then were received.
    BadConfig
        The faults do not fit the recording.
    """
    clock = clock or Clock()
    scan = scan_of(recording, speed, cable is not None)
    faults = drawn(faults or Faults(), scan)
    geometry = replace(recording.geometry, speed=told_speed(speed))
    # What takes seconds is the fault of a scanner, and a scanner waits for nobody.
    paced = (paced or speed == MAX_SPEED) and not faults.of(*TIMED)
    outlets = Outlets(stream, geometry, clock, paced, cable)
    if not outlets.await_receiver(wait_s):
        raise StreamMissing(
            f"nobody listens to stream '{stream}' after {wait_s:g} s: "
            f"start 'rtrecon run --stream {stream} ...' or allow more with --wait"
        )
    window = _window(outlets, stream, speed) if paced else None
    sendings = schedule(Looped(recording, loop), partial(disturbed, faults=faults, scan=scan))
    try:
        _send_all(sendings, outlets, Pace(clock, speed, paused), window, progress)
    finally:
        if window is not None:
            window.close()
        outlets.close()


def scan_of(recording: Recording, speed: float, cable: bool = True) -> Scan:
    """What faults have to fit when this recording is played at this speed."""
    volumes = [item.number for item in recording.walk() if isinstance(item, Volume)]
    first = next(runs_of(recording))
    return Scan(
        n_volumes=1 + max(volumes, default=-1),
        tr_s=recording.geometry.tr_s,
        dtype=recording.geometry.dtype,
        slices=recording.geometry.shape[2],
        trials_s=tuple(
            i.onset_s for i in first if isinstance(i, Marker) and i.event is Event.TRIAL
        ),
        speed=speed,
        cable=cable,
    )


def _window(outlets: Outlets, stream: str, speed: float) -> Window | None:
    assert outlets.now is not None
    try:
        return Window(outlets.now, stream)
    except StreamMissing as error:
        if speed == MAX_SPEED:
            raise
        log.warning("%s: what is sent at one moment may arrive in another order", error)
        return None


def _send_all(
    sendings: Iterator[Sending],
    outlets: Outlets,
    pace: Pace,
    window: Window | None,
    progress: Callable[[int], None],
) -> None:
    for sending in sendings:
        moment = pace.wait(sending.due_s)
        if window is not None and isinstance(sending.what, Volume):
            window.volume()
        elif window is not None and not isinstance(sending.what, Turn):
            window.marker()
        outlets.send(sending, moment)
        if isinstance(sending.what, Volume):
            progress(sending.what.number)
    if window is not None:
        window.drain()
