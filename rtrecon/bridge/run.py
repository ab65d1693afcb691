"""One series: its pieces sorted into volumes, and these given out in order."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from rtrecon.bridge.echoes import combine, usual_t2star_s
from rtrecon.bridge.piece import Piece
from rtrecon.bridge.stack import slice_times_s, volume_of
from rtrecon.errors import BadInput, Error
from rtrecon.types import Geometry, read_only

log = logging.getLogger(__name__)

GAP_VOLUMES = 3  # a volume is given up when so many later ones are complete
GAP_TRS = 2.0  # or when a later one has waited for so long
_MAX_BEGUN = 16  # volumes in pieces at a time; the oldest is given up
_MAX_AHEAD = 10_000  # a volume number further ahead is none
_SAME_MM = 0.1  # headers are rounded


@dataclass(frozen=True)
class Wanted:
    """What becomes of several echoes.

    Attributes
    ----------
    echo : int or None
        The one to send, from 1; None combines all there are.
    t2star_s : float or None
        That the combination is best for; None takes what is usual at the field.
    """

    echo: int | None = None
    t2star_s: float | None = None


@dataclass(frozen=True)
class Assembled:
    """One volume. `data`: int16 or float32 (i, j, k).

    Attributes
    ----------
    number : int
    acquired : (str, float)
        Its start by the scanner's clock: date, second of the day (nan: unknown).
    arrived : float
        When its last piece came.
    """

    number: int
    data: NDArray[np.generic]
    acquired: tuple[str, float]
    arrived: float


class Run:
    """The volumes of one series. `counts` are shared with whoever owns it."""

    def __init__(self, first: Piece, wanted: Wanted, counts: Counter[str], now: float) -> None:
        self.first = first
        self.series, self.name = first.series, first.description or first.series
        self.tr_s, self.volumes = first.tr_s, first.volumes
        self.grown = now  # when a new piece came last
        self.newest = -1  # highest volume number so far
        self.next = 0  # the next volume to give out
        self.acquired: dict[int, tuple[str, float]] = {}  # until it is followed
        self._base = 0  # the number of the first volume
        self._wanted, self._counts = wanted, counts
        self._begun: dict[int, dict[tuple[int, int], Piece]] = {}
        self._whole: dict[int, tuple[float, Assembled | None]] = {}  # arrived; None: does not fit
        self._lost: set[int] = set()
        self._echoes: frozenset[int] = frozenset()
        self._geometry: Geometry | None = None
        self._told: set[str] = set()

    def add(self, piece: Piece, now: float) -> bool:
        """Take one piece; whether it was a new one."""
        if self._is_unwanted(piece):
            return False
        self.grown = now
        self.newest = max(self.newest, piece.volume)
        self.volumes = self.volumes if piece.volumes is None else piece.volumes
        self._begun.setdefault(piece.volume, {})[piece.echo, piece.slice] = piece
        if self._geometry is None:
            self.acquired[piece.volume] = (piece.acquired_date, piece.acquired_s)
        elif self._is_whole(piece.volume):
            self._close(piece.volume, now)
        if len(self._begun) > _MAX_BEGUN:
            self._pass_over(min(self._begun) + 1)
        return True

    @property
    def n_given(self) -> int:
        """How many volumes it has had so far, lost ones among them."""
        return self.next - self._base

    @property
    def held(self) -> int:
        """How many volumes are kept here."""
        return len(self._begun) + len(self._whole)

    @property
    def qualifies(self) -> bool:
        """Whether it is a series in time of which enough is known to send it."""
        several = len(self._begun) > 1 or (self.volumes or 0) > 1
        if self._wanted.echo is None and self.first.echoes is None:
            several = len(self._begun) > 1  # the first volume has all its echoes by now
        return several and self._first_whole() is not None

    def settle(self) -> Geometry:
        """What all volumes have to be like: as the first whole one is."""
        self._echoes = self._expected_echoes()
        number = self._first_whole()
        assert number is not None
        pieces = self._begun[number]
        data, affine = self._volume(list(pieces.values()))
        times = {p.echo: p.echo_s for p in pieces.values() if p.echo in self._echoes}
        slices = slice_times_s([p for p in pieces.values() if p.echo == min(times)])
        fits = len(slices) == data.shape[2] and all(0 <= t <= 100 for t in slices)
        self._geometry = Geometry(
            (data.shape[0], data.shape[1], data.shape[2]),
            read_only(affine),
            self.tr_s,
            data.dtype.name,
            1.0,
            slices if fits else (),
            tuple(times[e] for e in sorted(times)) if all(map(isfinite, times.values())) else (),
        )
        self._tell_echoes(times)
        for number in [n for n in self._begun if self._is_whole(n)]:
            self._close(number, self.grown)
        return self._geometry

    def ready(self, now: float) -> Iterator[Assembled]:
        """The volumes whose turn it is; what keeps others waiting too long is given up."""
        while self._whole:
            if self.next not in self._whole:
                waits_s = now - min(arrived for arrived, _ in self._whole.values())
                if len(self._whole) < GAP_VOLUMES and waits_s < GAP_TRS * self.tr_s:
                    return
                self._begin_at_one()
                self._pass_over(min(self._whole))
            _, volume = self._whole.pop(self.next)
            self.next += 1
            if volume is not None:
                self._counts["volumes"] += 1
                yield replace(volume, number=volume.number - self._base)

    def rest(self) -> Iterator[Assembled]:
        """All volumes that are whole, whatever is missing between them."""
        while self._whole:
            self._begin_at_one()
            self._pass_over(min(self._whole))
            yield from self.ready(np.inf)
        if self._begun:
            log.warning("'%s' ends with %d incomplete volume(s)", self.name, len(self._begun))

    def _begin_at_one(self) -> None:
        """Numbers that come from files' names may count from 1; headers count from a known place."""
        if self.next == 0 and min(self._whole) == 1 and not isfinite(self.first.acquired_s):
            log.info("'%s': its files count from 1", self.name)
            self.next = self._base = 1

    def _is_unwanted(self, piece: Piece) -> bool:
        number, place = piece.volume, (piece.echo, piece.slice)
        if number in self._whole or place in self._begun.get(number, {}):
            self._counts["doubled"] += 1
        elif number < self.next:
            self._counts["late" if number in self._lost else "doubled"] += 1
        elif number > self.next + _MAX_AHEAD:
            self._odd(f"volume number {number} after {self.next - 1} is no number")
        elif self._echoes and piece.echo not in self._echoes and self._wanted.echo is None:
            self._odd(f"echo {piece.echo} comes beside {sorted(self._echoes)}: choose by --echo")
        else:
            return self._wanted.echo not in (None, piece.echo)
        return True

    def _odd(self, what: str) -> None:
        self._counts["odd"] += 1
        if what not in self._told and len(self._told) < 10:
            self._told.add(what)
            log.warning("'%s': %s; skipped", self.name, what)

    def _expected_echoes(self) -> frozenset[int]:
        if self._wanted.echo is not None:
            return frozenset({self._wanted.echo})
        seen = {echo for pieces in self._begun.values() for echo, _ in pieces}
        return frozenset(seen | set(range(1, (self.first.echoes or 0) + 1)))

    def _first_whole(self) -> int | None:
        echoes = self._expected_echoes()
        return min((n for n in self._begun if self._is_whole(n, echoes)), default=None)

    def _is_whole(self, number: int, echoes: frozenset[int] = frozenset()) -> bool:
        pieces = self._begun[number]
        return len(pieces) == len(echoes or self._echoes) * self.first.slices

    def _close(self, number: int, now: float) -> None:
        pieces = list(self._begun.pop(number).values())
        acquired = min((piece.acquired_date, piece.acquired_s) for piece in pieces)
        try:
            data = self._fitting(pieces)
        except Error as error:
            self._odd(f"volume {number} {error}")
            self._whole[number] = now, None
        else:
            self._whole[number] = now, Assembled(number, data, acquired, now)

    def _fitting(self, pieces: list[Piece]) -> NDArray[np.generic]:
        data, affine = self._volume(pieces)
        same = self._geometry
        assert same is not None
        if data.shape != same.shape:
            raise BadInput(f"has {data.shape} voxels, the first one has {same.shape}")
        corners = np.stack(np.meshgrid(*([0, n - 1] for n in data.shape), [1])).reshape(4, -1)
        if (apart_mm := float(np.abs((affine - same.affine) @ corners).max())) > _SAME_MM:
            raise BadInput(f"lies {apart_mm:.1f} mm from where the first one does")
        if data.dtype.name != same.dtype and same.dtype == "int16":
            raise BadInput(f"is of {data.dtype.name}, the first one of int16")
        return data

    def _volume(self, pieces: list[Piece]) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        by_echo = {e: [p for p in pieces if p.echo == e] for e in sorted({p.echo for p in pieces})}
        volumes = [volume_of(of_one) for of_one in by_echo.values()]
        if len(volumes) == 1:
            return volumes[0]
        if len({data.shape for data, _ in volumes}) > 1:
            raise BadInput("has echoes of different shapes")
        times = [of_one[0].echo_s for of_one in by_echo.values()]
        return combine([data for data, _ in volumes], times, self._t2star_s()), volumes[0][1]

    def _t2star_s(self) -> float:
        return self._wanted.t2star_s or usual_t2star_s(self.first.field_t)

    def _tell_echoes(self, times: dict[int, float]) -> None:
        if len(times) == 1:
            return
        log.info(
            "'%s' has %d echoes: combined with weights TE x exp(-TE / %.0f ms); --echo N sends one",
            self.name, len(times), 1e3 * self._t2star_s(),
        )  # fmt: skip
        if not all(map(isfinite, times.values())):
            log.warning("'%s' does not say its echo times: equal weights", self.name)

    def _pass_over(self, number: int) -> None:
        """Go on with `number`, whatever has not come before it."""
        if number <= self.next:
            return
        lost = range(self.next, number)
        self._lost.update(lost)
        self._counts["lost"] += len(lost)
        which = f"volume {lost[0]}" if len(lost) == 1 else f"volumes {lost[0]} to {lost[-1]}"
        log.warning("'%s': %s did not come whole: given up", self.name, which)
        self._begun = {n: pieces for n, pieces in self._begun.items() if n >= number}
        self.next = number
