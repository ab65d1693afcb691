"""When things are sent: on time, after a pause, or as soon as the receiver has taken what came before."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtrecon.errors import StreamMissing
from rtrecon.network import check_claim
from rtrecon.wire import ScannerOutlet, taken_source

MAX_SPEED = math.inf  # as fast as the receiver takes it
WINDOW = 4  # volumes under way: both ends of the wire keep no fewer (rtrecon.wire.buffer_s)
_TURN_S = 0.05  # how soon a pause, a Ctrl-C and a receiver that has left are heard
_STANDSTILL_S = 1.0  # a sleep that much too long: the program was stopped and goes on
_FIND_S = 5.0


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


class Pace:
    """Run time put on the clock. A pause moves all that comes later.

    Parameters
    ----------
    clock : Clock
    speed : float
        Times faster than life; `MAX_SPEED` waits for no time, and stamps as if in real time.
    paused : callable
        Whether to stand still.
    """

    def __init__(self, clock: Clock, speed: float, paused: Callable[[], bool]) -> None:
        self._clock, self._paused = clock, paused
        self._waits = speed != MAX_SPEED
        self._speed = told_speed(speed)
        self._start = clock.now()

    def wait(self, due_s: float) -> float:
        """Return at that run time (or at once when it is past) what the clock says then."""
        while (paused := self._paused()) or self._left_s(due_s) > 0:
            turn_s = _TURN_S if paused else min(_TURN_S, max(0.0, self._left_s(due_s)))
            before = self._clock.now()
            self._clock.sleep(turn_s)
            slept_s = self._clock.now() - before
            if paused or slept_s > turn_s + _STANDSTILL_S:
                self._start += slept_s
        return self._start + due_s / self._speed

    def _left_s(self, due_s: float) -> float:
        if not self._waits:
            return 0.0
        return self._start + due_s / self._speed - self._clock.now()


def told_speed(speed: float) -> float:
    """The speed that a stream declares."""
    return 1.0 if speed == MAX_SPEED else speed


class Window:
    """Back-pressure: never more under way than the receiver can keep, and nothing overtakes.

    LSL alone drops what is not taken in time, and its two streams keep no common order. So a volume
    waits until all markers and all but `WINDOW` - 1 volumes were taken, a marker until all volumes.

    Raises
    ------
    StreamMissing
        From the constructor: the receiver does not say what it takes. Later: it has left.
    """

    def __init__(self, outlet: ScannerOutlet, stream: str) -> None:
        self._outlet, self._stream = outlet, stream
        found = pylsl.resolve_byprop("source_id", taken_source(outlet.uid), 1, _FIND_S)
        if not found:
            raise StreamMissing(
                f"the receiver of '{stream}' does not say what it has taken, as rtrecon does "
                "(docs/wire.md): give a --speed in numbers"
            )
        check_claim(found[0], 1.0)
        self._inlet = pylsl.StreamInlet(found[0], max_buflen=1, recover=False)
        self._volumes = self._markers = 0  # sent
        self._taken = (0, 0)
        try:
            self._inlet.open_stream(timeout=_FIND_S)
        except (LslTimeoutError, LostError) as error:
            raise self._left() from error

    def volume(self) -> None:
        """Wait until one more volume may be sent, and count it."""
        self._await(self._volumes - WINDOW + 1, self._markers)
        self._volumes += 1

    def marker(self) -> None:
        """Wait until one more marker may be sent, and count it."""
        self._await(self._volumes, 0)
        self._markers += 1

    def close(self) -> None:
        """Listen no more."""
        self._inlet.close_stream()

    def _await(self, volumes: int, markers: int) -> None:
        while self._taken[0] < volumes or self._taken[1] < markers:
            try:
                told, _ = self._inlet.pull_sample(timeout=_TURN_S)
            except LostError as error:
                raise self._left() from error
            if told is not None:
                self._taken = told[0], told[1]
            elif not self._outlet.has_receiver:
                raise self._left()

    def drain(self) -> None:
        """Wait until all volumes were taken."""
        self._await(self._volumes, 0)

    def _left(self) -> StreamMissing:
        return StreamMissing(
            f"the receiver of '{self._stream}' left with {self._volumes} volumes sent and "
            f"{self._taken[0]} taken"
        )
