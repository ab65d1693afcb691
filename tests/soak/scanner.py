"""The scanner of the day, in a process of its own: one run after the other to whoever listens.

    python -m tests.soak.scanner STREAM DAY...

It has another source each hour, as if it had been switched on anew; in a run whose act says so it
is stopped and begun again as the same source.
"""

import gc
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pylsl

from rtrecon.types import Marker
from rtrecon.wire import ScannerOutlet
from simulator.pace import Clock, Pace
from tests.soak import people
from tests.soak.day import TR_S, Day, Run, read

LONGEST_S = 120.0
GRACE_S = 1.0  # what was sent last is taken by then
AGAIN_S = 5.0  # from being switched on again to the first volume; by then it is found again


@dataclass
class Scanner:
    """Its streams, and what it scans."""

    stream: str
    speed: float
    data: list = field(default_factory=people.volumes)
    outlet: ScannerOutlet | None = None

    def switch_on(self, source: str) -> None:
        """Offer both streams, after those of before are gone."""
        self.outlet = None
        gc.collect()
        self.outlet = ScannerOutlet(self.stream, people.geometry(self.speed), source)

    def scan(self, run: Run, source: str) -> None:
        """One run, until nobody listens any more."""
        for part in range(len(run.parts)):
            if part:
                threading.Event().wait(GRACE_S)
                self.switch_on(source)
                threading.Event().wait(AGAIN_S)
            assert self.outlet is not None
            _until(lambda: self.outlet.wait_for_receiver(0.1))
            self._send(run, part)
        _until(lambda: not self.outlet.has_receiver)

    def _send(self, run: Run, part: int) -> None:
        pace = Pace(Clock(), self.speed, lambda: False)
        for item in people.items(run, part, self.data):
            if isinstance(item, Marker):
                self.outlet.send_marker(item, pylsl.local_clock())
                continue
            stamp = pace.wait(item.end_s(TR_S))
            if not self.outlet.has_receiver:
                return
            self.outlet.send_volume(item.number, item.data, stamp)


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not done():
        assert time.monotonic() < deadline, "nobody listens, or somebody does not leave"
        threading.Event().wait(0.02)


def main(stream: str, day: Day) -> None:
    """Scan the whole day."""
    scanner = Scanner(stream, day.speed)
    for run in day.runs:
        source = f"{stream}-{run.hour}"
        if run.first:
            scanner.switch_on(source)
        scanner.scan(run, source)
    sys.stdin.read()  # it stays on the network until it is ended


if __name__ == "__main__":
    main(sys.argv[1], read(sys.argv[2:]))
