"""The volume streams on the network, each described in words, as they come and go."""

import threading
from dataclasses import dataclass

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtrecon import wire
from rtrecon.errors import BadStream
from rtrecon.network import check_claim
from rtrecon.types import Geometry

ANSWER_S = 5.0  # that a source gets to describe itself
EVERY_S = 0.5
_FORGOTTEN_S = 3.0  # for so long a stream is listed whose source is gone
_MOST = 100  # streams that are described; whoever is on the network can make more


@dataclass(frozen=True)
class Source:
    """One volume stream. Its words come from the network and are not to be trusted.

    Attributes
    ----------
    name, host : str
    geometry : Geometry or None
        None: it could not be understood.
    fault : str
        Why; empty where it could.
    marked : bool
        Whether a marker stream belongs to it.
    """

    name: str
    host: str
    geometry: Geometry | None = None
    fault: str = ""
    marked: bool = False

    @property
    def told(self) -> str:
        """What it sends, in one line."""
        return self.fault if self.geometry is None else told(self.geometry)


def told(geometry: Geometry) -> str:
    """Size and pace of volumes, in words."""
    size = " x ".join(map(str, geometry.shape))
    speed = "" if geometry.speed == 1 else f", replayed at {geometry.speed:g} x"
    return f"{size} voxels, TR {geometry.tr_s:.2f} s{speed}"


def describe(found: pylsl.StreamInfo, marked: bool = False) -> Source:
    """Ask a stream what it sends; waits up to `ANSWER_S` for its answer."""
    name, host = found.name(), found.hostname()
    try:
        check_claim(found, 1.0)
        inlet = pylsl.StreamInlet(found, max_buflen=1, max_chunklen=1, recover=False)
        geometry = wire.geometry_of(inlet.info(timeout=ANSWER_S))
        return Source(name, host, geometry, marked=marked)
    except (LslTimeoutError, LostError):
        return Source(name, host, fault="does not answer: start its source again", marked=marked)
    except BadStream as error:
        return Source(name, host, fault=str(error), marked=marked)


def offset_s(found: pylsl.StreamInfo) -> float:
    """What to add to a stream's stamps to have them on the local clock; nan: no answer."""
    try:
        check_claim(found, 1.0)
        inlet = pylsl.StreamInlet(found, max_buflen=1, max_chunklen=1, recover=False)
        return float(inlet.time_correction(timeout=ANSWER_S))
    except (LslTimeoutError, LostError, BadStream):
        return float("nan")


class Sources:
    """Looks at the network all the time, in a thread of its own.

    Attributes
    ----------
    seen : tuple of Source
        By name; swapped whole, to be read from any thread.
    """

    def __init__(self) -> None:
        self.seen: tuple[Source, ...] = ()
        self._described: dict[str, Source] = {}  # by uid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="rtrecon-streams", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        volumes = pylsl.ContinuousResolver("type", wire.VOLUME_TYPE, forget_after=_FORGOTTEN_S)
        markers = pylsl.ContinuousResolver("type", wire.MARKER_TYPE, forget_after=_FORGOTTEN_S)
        while not self._stop.wait(EVERY_S):
            marked = {info.name() for info in markers.results()}
            here = {info.uid(): info for info in volumes.results()[:_MOST]}
            self._described = {
                uid: self._source(uid, info, wire.marker_stream(info.name()) in marked)
                for uid, info in here.items()
            }
            self.seen = tuple(sorted(self._described.values(), key=lambda s: (s.name, s.host)))

    def _source(self, uid: str, info: pylsl.StreamInfo, marked: bool) -> Source:
        """As described once: a stream's description never changes."""
        known = self._described.get(uid)
        if known is not None and known.marked == marked and known.geometry is not None:
            return known
        return describe(info, marked)

    def after(self, seconds: float) -> tuple[Source, ...]:
        """What is there when it has looked for so long."""
        self._stop.wait(seconds)
        return self.seen

    def close(self) -> None:
        """Look no longer; waits for the answer that is being waited for."""
        self._stop.set()
        self._thread.join(2 * ANSWER_S + 1)
