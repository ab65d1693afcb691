"""Finding a scanner's streams on the network and getting hold of them."""

import logging
import threading
from collections.abc import Callable

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtrecon import wire
from rtrecon.errors import BadStream, StreamMissing
from rtrecon.network import check_claim
from rtrecon.types import Geometry

log = logging.getLogger(__name__)

POLL_S = 0.05  # how long one wait lasts, and so how soon a stop is honoured
PACED_POLL_S = 0.005  # a paced sender waits that long for a marker to be taken
Hears = Callable[[str], bool]
"""Whether somebody else hears the outlet with this uid; of all, and of "", once nobody else listens."""


def find_stream(
    name: str, wait_s: float, stop: threading.Event, after: Hears | None = None
) -> pylsl.StreamInfo:
    """The volume stream `name`; with `after`, the one that somebody else hears already.

    Raises
    ------
    StreamMissing
        None within `wait_s`; the message says what is there.
    BadStream
        Two sources under one name.
    """
    # One search that goes on: a fresh one is silent for its first half second.
    search = pylsl.ContinuousResolver("type", wire.VOLUME_TYPE)
    deadline = pylsl.local_clock() + wait_s
    volumes: list[pylsl.StreamInfo] = []
    while not volumes and pylsl.local_clock() < deadline and not stop.wait(POLL_S):
        volumes = [
            info
            for info in search.results()
            if info.name() == name and (after is None or after(info.uid()))
        ]
    if not volumes:
        raise StreamMissing(_whats_there(search.results(), name, wait_s))
    if len({info.uid() for info in volumes}) > 1:
        hosts = ", ".join(sorted(info.hostname() for info in volumes))
        raise BadStream(
            f"{len(volumes)} volume streams are named '{name}' (on {hosts}): stop or rename one"
        )
    return volumes[0]


def _whats_there(found: list[pylsl.StreamInfo], name: str, wait_s: float) -> str:
    others = sorted(f"'{info.name()}'" for info in found)
    there = f"there is {', '.join(others)}" if others else "no volume stream is on the network"
    return (
        f"no volume stream '{name}' within {wait_s:g} s ({there}): "
        "start the scanner's bridge or the simulator, or name another with --stream"
    )


def open_volumes(
    found: pylsl.StreamInfo, recover: bool = True
) -> tuple[Geometry, pylsl.StreamInlet]:
    """The stream's geometry and an open inlet with a queue that fits it.

    `recover`: whether LSL itself looks for the source once it is gone, and connects to it first thing.
    """
    check_claim(found, 1.0)
    probe = pylsl.StreamInlet(found, max_buflen=1, max_chunklen=1, recover=False)
    try:
        geometry = wire.geometry_of(probe.info(timeout=5.0))
    except (LslTimeoutError, LostError) as error:
        raise StreamMissing(f"stream '{found.name()}' went away: start its source again") from error
    # No processing flags: LSL's dejitter counts samples, not time, so that one lost volume
    # would move all later stamps.
    room_s = wire.room_s(geometry)
    check_claim(found, room_s)
    inlet = pylsl.StreamInlet(found, max_buflen=room_s, max_chunklen=1, recover=recover)
    try:
        inlet.open_stream(timeout=10.0)
    except (LslTimeoutError, LostError) as error:
        raise StreamMissing(
            f"stream '{found.name()}' does not answer: start its source again"
        ) from error
    return geometry, inlet


class Taken:
    """Says to a paced sender how much its receiver has taken. Owned by one thread.

    The numbers are those of all samples since connecting, and are told again and again: what is
    said before the sender listens is lost.
    """

    def __init__(self, volumes: pylsl.StreamInfo) -> None:
        self._outlet = pylsl.StreamOutlet(wire.taken_info(volumes.name(), volumes.uid()))
        self._volumes = self._markers = 0

    def add(self, volumes: int = 0, markers: int = 0) -> None:
        """Tell of so many more."""
        self._volumes += volumes
        self._markers += markers
        self._outlet.push_sample([self._volumes, self._markers])


def taken_of(volumes: pylsl.StreamInlet) -> Taken | None:
    """What the sender of these volumes wants to be told; None: it is not paced, as no scanner is.

    Raises
    ------
    StreamMissing
        It has gone.
    """
    try:
        info = volumes.info(timeout=5.0)
    except (LslTimeoutError, LostError) as error:
        raise StreamMissing("the volume stream went away: start its source again") from error
    return Taken(info) if wire.is_paced(info) else None


class Clock:
    """Seconds from a sender's clock to ours: the newest measurement, asked for at every stamp."""

    def __init__(self, inlet: pylsl.StreamInlet) -> None:
        self._inlet = inlet
        self._correction = 0.0
        self.correction(timeout_s=5.0)

    def correction(self, timeout_s: float = 0.05) -> float:
        """What to add to a stamp (s)."""
        try:
            self._correction = float(self._inlet.time_correction(timeout=timeout_s))
        except (LslTimeoutError, LostError):
            log.debug("no clock measurement: the last one is used")
        return self._correction
