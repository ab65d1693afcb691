"""Who sends under the name of a session's stream: the source it hears, its successor, or a stranger."""

import logging
import queue
import threading
from collections.abc import Callable

import numpy as np
import pylsl

from rtrecon import wire
from rtrecon.connect import Clock, Hears, open_volumes
from rtrecon.errors import BadStream, StreamMissing
from rtrecon.network import check_claim
from rtrecon.types import Geometry

log = logging.getLogger(__name__)

_LOOK_S = 0.5
_FORGOTTEN_S = 3.0  # for so long LSL still lists a stream whose program is gone
_MOST = 100  # sources that are told of
_SURE_S = 2.0  # a scanner's two streams are found by then, if one of them is


class Lookout:
    """Looks for sources of a volume stream in a thread of its own, until it is closed.

    LSL finds a restarted source by its source id. What else may come under the same name: another
    source in its place, which is turned to once the first is silent and gone; a second one beside
    it, which is not heard; one that sends other volumes, which is waited for to send the right ones.
    Each is told once.

    Parameters
    ----------
    found : StreamInfo
        The source that is heard.
    geometry : Geometry
        What it sends.
    silent_s : float
        Without a volume for so long, a source may have gone.
    heard : callable
        When the newest volume came, LSL clock, s. Called in this thread.
    after : callable, optional
        As `Receiver` has it: only what somebody else hears already is turned to, a source that was
        started anew too, since LSL looks for it by itself no more.
    say : callable
        Told, in this thread, what the operator has to know.

    Attributes
    ----------
    misfit : str
        Why the volumes of the source that is heard do not fit; empty: they do.
    trouble : str
        Who sends and is not heard at this moment, and why; empty: nobody. May be read from any thread.
    """

    def __init__(
        self,
        found: pylsl.StreamInfo,
        geometry: Geometry,
        silent_s: float,
        heard: Callable[[], float],
        after: Hears | None = None,
        say: Callable[[str], None] = log.warning,
    ) -> None:
        self._name, self._geometry = found.name(), geometry
        self._silent_s, self._heard, self._say = silent_s, heard, say
        self._after = after
        self._source, self.uid = _source(found), found.uid()
        self.lost = threading.Event()
        """Set by whoever reads: the inlet is of no use any more, and needs a successor."""
        self.recovered = threading.Event()
        """Set by whoever reads: LSL has connected the inlet to the source, started anew."""
        self._seen: dict[str, float] = {}  # when other sources were seen first
        self._strangers: set[str] = set()
        self._others: frozenset[str] = frozenset()  # that are there and not heard
        self._named_alike: dict[str, float] = {}  # since when marker streams are seen
        self._doubled = float("inf")  # since when two send with the source id of ours
        self._told: set[str] = set()
        self._wrong: list[str] = []  # of this look
        self.misfit = self.trouble = ""
        self.successors: queue.SimpleQueue[tuple[pylsl.StreamInlet, Clock]] = queue.SimpleQueue()
        self.reserves: queue.SimpleQueue[tuple[pylsl.StreamInlet, Clock]] = queue.SimpleQueue()
        """Another inlet of the same outlet: LSL looks for its source, and keeps what came of it."""
        self._recovers = after is None  # LSL does so for the inlet that is read
        self._search = pylsl.ContinuousResolver("name", self._name, forget_after=_FORGOTTEN_S)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rtrecon-lookout", daemon=True)
        self._thread.start()

    def has_markers(self, info: pylsl.StreamInfo) -> bool:
        """Whether a marker stream is heard: it is not another scanner's own, by its source id.

        Called in the thread that reads.
        """
        scanner = wire.scanner_of(info.source_id())
        if scanner in ("", self._source):
            return True
        if scanner in self._others | self._strangers:
            if scanner in self._strangers:
                self._tell(info.uid(), f"markers of the other scanner '{scanner}' are not heard")
            return False
        # Most likely a program that is called so; but its volume stream may not be found yet.
        now = pylsl.local_clock()
        if len(self._named_alike) >= _MOST:
            return True
        return now - self._named_alike.setdefault(info.uid(), now) > _SURE_S

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.wait(_LOOK_S):
            self._wrong = []
            try:
                self._look()
            except (BadStream, StreamMissing, RuntimeError) as error:  # as all of LSL's are
                self._tell(str(error), f"{error}")
            self.trouble = next(iter(self._wrong), "")

    def _look(self) -> None:
        there = [
            info
            for info in self._search.results()
            if info.type() == wire.VOLUME_TYPE and (self._after is None or self._after(info.uid()))
        ]
        self._others = frozenset(_source(info) for info in there) - {self._source}
        fitting = [info for info in there if self._fits(info)]
        ours = [info for info in fitting if _source(info) == self._source]
        others = [info for info in fitting if _source(info) != self._source]
        for info in others:
            self._meet(info)
        self._doubt(ours)
        if ours:
            self._know_again(ours)
        elif pylsl.local_clock() - self._heard() > self._silent_s:
            self._turn_to([info for info in others if _source(info) not in self._strangers])

    def _fits(self, info: pylsl.StreamInfo) -> bool:
        """Whether volumes are of the right size; LSL itself does not turn to one of another size."""
        wanted = wire.HEADER + self._geometry.n_voxels
        if info.channel_count() == wanted and info.channel_format() == wire.lsl_format(
            self._geometry
        ):
            return True
        self._tell(
            info.uid(),
            f"{_named(info)} sends {info.channel_count() - wire.HEADER} voxels a volume and not "
            f"{self._geometry.n_voxels} as this session began with: it is not heard, and the right "
            "ones are waited for",
        )
        return False

    def _meet(self, info: pylsl.StreamInfo) -> None:
        """One that is there while the first goes on sending is a stranger."""
        if len(self._seen) < _MOST:
            since = self._seen.setdefault(info.uid(), pylsl.local_clock())
            if self._heard() > since + _LOOK_S:
                self._strangers.add(_source(info))
                self._tell(
                    info.uid(),
                    f"{_named(info)} sends too: only the first is heard; stop or rename the other",
                )

    def _doubt(self, ours: list[pylsl.StreamInfo]) -> None:
        """Two at once are a scanner and its restart, unless both stay."""
        now = pylsl.local_clock()
        self._doubled = min(self._doubled, now) if len(ours) > 1 else float("inf")
        if now - self._doubled > 2 * _FORGOTTEN_S:
            self._tell(
                "twice",
                f"{_named(ours[0])} is there twice, and only one is heard: stop the other, or give "
                "it a source id of its own",
            )

    def _know_again(self, ours: list[pylsl.StreamInfo]) -> None:
        """The source that is heard, perhaps started anew: it must send what it sent."""
        anew = [info for info in ours if info.uid() != self.uid]
        if not self._recovers:
            if self.successors.empty() and (self.lost.is_set() or len(anew) == len(ours)):
                self._turn_to(anew or ours)
            elif self._alone and self.successors.empty():
                self._reserve(next(info for info in ours if info.uid() == self.uid))
            return
        if anew and (len(anew) == len(ours) or self.recovered.is_set()):
            self.recovered.clear()
            check_claim(anew[0], 1.0)
            probe = pylsl.StreamInlet(anew[0], max_buflen=1, max_chunklen=1, recover=False)
            self.misfit = self._unlike(wire.geometry_of(probe.info(timeout=5.0)))
            self.uid = anew[0].uid()
            if not self.misfit:
                log.warning("%s was started anew and is heard again", _named(anew[0]))
        if self.misfit:
            told = f"{_named(ours[0])} was started anew with {self.misfit}: nothing is made of it"
            self._tell(self.uid, told)

    @property
    def _alone(self) -> bool:
        """Whether nobody else has to be first."""
        return self._after is None or self._after("")

    def _reserve(self, ours: pylsl.StreamInfo) -> None:
        inlet = open_volumes(ours)[1]
        self._recovers = True
        self.reserves.put((inlet, Clock(inlet)))

    def _turn_to(self, others: list[pylsl.StreamInfo]) -> None:
        if len(others) > 1:
            self._tell("choice", f"{len(others)} sources send as '{self._name}': stop all but one")
        if len(others) != 1:
            return
        recovers = self._alone
        geometry, inlet = open_volumes(others[0], recovers)
        if unlike := self._unlike(geometry):
            inlet.close_stream()
            self._tell(others[0].uid(), f"{_named(others[0])} sends {unlike}: it is not heard")
            return
        self._source, self.uid, self.misfit = _source(others[0]), others[0].uid(), ""
        self._recovers = recovers
        self._say(f"{_named(others[0])} has taken the place of the one before")
        self.successors.put((inlet, Clock(inlet)))

    def _unlike(self, geometry: Geometry) -> str:
        """What of a geometry is other than it was; empty: nothing."""
        ours = self._geometry
        for what in ("shape", "tr_s", "dtype", "speed"):
            if (now := getattr(geometry, what)) != (was := getattr(ours, what)):
                return f"{what} {now} in place of {was}"
        return "" if np.allclose(geometry.affine, ours.affine) else "another affine"

    def _tell(self, about: str, what: str) -> None:
        """What is wrong at this moment; to the log once."""
        self._wrong.append(what)
        if about not in self._told and len(self._told) < _MOST:
            self._told.add(about)
            log.warning("%s", what)


def _source(info: pylsl.StreamInfo) -> str:
    return str(info.source_id() or info.uid())


def _named(info: pylsl.StreamInfo) -> str:
    return f"volume stream '{info.name()}' with source id '{info.source_id()}' on {info.hostname()}"
