"""From pieces in any order to the volumes of one series in theirs. No threads, no clock, no LSL."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite

from rtrecon.bridge.piece import Piece
from rtrecon.bridge.run import Assembled, Run, Wanted
from rtrecon.errors import Error
from rtrecon.network import check_claim
from rtrecon.types import Geometry
from rtrecon.wire import buffer_s, geometry_of, volume_info

log = logging.getLogger(__name__)

IDLE_TRS = 2.0  # a series that has not grown for so long gives way to a newer one
_MAX_AHEAD = 8  # a newer series with so many volumes takes over in any case
_MAX_WAITING = 8  # series that may yet become the one that is followed


@dataclass(frozen=True)
class Started:
    """A series is followed from now on.

    Attributes
    ----------
    series, description : str
    geometry : Geometry
        Of all volumes to come.
    volumes : int or None
        How many are planned.
    acquired : mapping of int to (str, float)
        Of the volumes begun so far: date and second of the day on the scanner's clock.
    """

    series: str
    description: str
    geometry: Geometry
    volumes: int | None
    acquired: Mapping[int, tuple[str, float]]


@dataclass(frozen=True)
class Ended:
    """It has ended, with so many volumes (lost ones among them)."""

    volumes: int


Output = Started | Assembled | Ended


class Assembler:
    """Follows one series at a time and gives out each of its volumes once, in order.

    The first series that gets a second volume is followed, and so neither localisers nor
    single-band references are. Another takes over when its pieces began to come after the followed
    one's last, and that one is idle. One that grows side by side with the followed one, or holds
    what was acquired before, is told of and left alone.

    Parameters
    ----------
    wanted : Wanted
        Which echo, or how to combine them.
    series : str
        Follow only what has this in its description or uid.
    """

    def __init__(self, wanted: Wanted = Wanted(), series: str = "") -> None:  # noqa: B008
        self._wanted = wanted
        self._chosen = series.casefold()
        self._followed: Run | None = None
        self._waiting: dict[str, Run] = {}
        self._left: set[str] = set()  # not followed any more, or never
        self._latest = ("", -1.0)  # acquired by the scanner's clock, of all that was followed
        self.counts = Counter[str]()  # volumes, lost, doubled, late, odd, other

    def add(self, pieces: Iterable[Piece], now: float) -> Iterator[Output]:
        """What becomes complete by these pieces, which came at `now` (s)."""
        for piece in pieces:
            run = self._run_of(piece, now)
            newest = run.newest if run is not None else 0
            if run is None or not run.add(piece, now):
                continue
            if run is self._followed and run.newest > newest:
                # Whatever began to come before this volume comes side by side with its series.
                for other in list(self._waiting.values()):
                    self._leave(other.first, f"'{run.name}' is followed")
            yield from self._go_on(run, now)

    def tick(self, now: float) -> Iterator[Output]:
        """What the passing of time alone brings: a gap given up, a newer series taken."""
        if self._followed is not None:
            yield from self._give_out(self._followed, now)
        for run in list(self._waiting.values()):
            yield from self._go_on(run, now)

    def finish(self, now: float) -> Iterator[Output]:
        """All that is still held back, and the end."""
        if self._followed is not None:
            yield from self._end(self._followed, now)
        for run in [run for run in self._waiting.values() if run.qualifies]:
            yield from self._start(run, now)
            yield from self._end(run, now)

    @property
    def held(self) -> int:
        """How many volumes are begun or wait for others."""
        runs = [*self._waiting.values(), *([self._followed] if self._followed else [])]
        return sum(run.held for run in runs)

    def _run_of(self, piece: Piece, now: float) -> Run | None:
        key = piece.series
        if self._followed is not None and self._followed.series == key:
            return self._followed
        if key in self._left:
            self.counts["other"] += 1
            return None
        if key not in self._waiting:
            if reason := self._unfit(piece):
                self._leave(piece, reason)
                return None
            if len(self._waiting) == _MAX_WAITING:
                self._left.add(self._waiting.pop(next(iter(self._waiting))).series)
            self._waiting[key] = Run(piece, self._wanted, self.counts, now)
        return self._waiting[key]

    def _unfit(self, piece: Piece) -> str:
        name = f"{piece.description} {piece.series}".casefold()
        if self._chosen not in name:
            return f"'{self._chosen}' was asked for"
        if not 0.01 <= piece.tr_s <= 100:  # what docs/wire.md allows; nan is neither
            return f"its TR is {piece.tr_s:g} s (--tr SECONDS sets it)"
        acquired = (piece.acquired_date, piece.acquired_s)
        if isfinite(piece.acquired_s) and acquired <= self._latest:
            return "it was acquired no later than what has been followed"
        return ""

    def _leave(self, piece: Piece, reason: str) -> None:
        self._waiting.pop(piece.series, None)
        self._left.add(piece.series)
        log.warning(
            "series '%s' is left alone, since %s (--series TEXT chooses one by description or uid)",
            piece.description or piece.series, reason,
        )  # fmt: skip

    def _go_on(self, run: Run, now: float) -> Iterator[Output]:
        if run is self._followed:
            yield from self._give_out(run, now)
        elif run.qualifies and self._may_follow(run, now):
            if self._followed is not None:
                yield from self._end(self._followed, now)
            yield from self._start(run, now)

    def _may_follow(self, run: Run, now: float) -> bool:
        old = self._followed
        idle = old is None or now - old.grown >= IDLE_TRS * old.tr_s
        return idle or run.held > _MAX_AHEAD

    def _start(self, run: Run, now: float) -> Iterator[Output]:
        self._followed = self._waiting.pop(run.series)
        try:
            geometry = run.settle()
            # Who receives would refuse what docs/wire.md does not allow, and LSL has bounds of its own.
            info = volume_info("bridge", geometry, "bridge")
            geometry_of(info)
            check_claim(info, buffer_s(geometry))
        except Error as error:
            self._followed = None
            self._leave(run.first, str(error))
            return
        yield Started(run.series, run.first.description, geometry, run.volumes, run.acquired)
        yield from self._give_out(run, now)

    def _give_out(self, run: Run, now: float) -> Iterator[Output]:
        for volume in run.ready(now):
            self._latest = max(self._latest, volume.acquired)
            yield volume
        if run.volumes is not None and run.n_given >= run.volumes:
            yield from self._end(run, now)

    def _end(self, run: Run, now: float) -> Iterator[Output]:
        yield from run.rest()
        self._left.add(run.series)
        self._followed = None
        yield Ended(run.n_given)
