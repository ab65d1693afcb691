"""What is to go wrong in a replay, as data: `lose=5,late=9:3,restart=20:4`."""

import math
from dataclasses import dataclass

from rtrecon.errors import BadConfig
from simulator.faults.kinds import AWAY, KINDS, TIMED

_MOST = 1000  # faults in a list
_TAKES = {"cut": ("cable",), "second": ("name",)}  # in place of the volumes


@dataclass(frozen=True)
class Fault:
    """One fault. `at`: number of a volume in its run; `amount`: in the unit of its kind, or a word."""

    kind: str
    at: int
    amount: float | str = 0.0

    def __str__(self) -> str:
        if not KINDS[self.kind].unit:
            return f"{self.kind}={self.at}"
        amount = self.amount if isinstance(self.amount, str) else f"{self.amount:.10g}"
        return f"{self.kind}={self.at}:{amount}"

    @property
    def size(self) -> float:
        """The amount of a kind that has a number."""
        return float(self.amount)


@dataclass(frozen=True)
class Random:
    """Up to `most` faults that are drawn when the run is known; the same of the same seed."""

    seed: int
    most: int = 10

    def __str__(self) -> str:
        return f"random={self.seed}:{self.most}"


@dataclass(frozen=True)
class Faults:
    """What is to happen in each run. `parse_faults(str(faults)) == faults`."""

    these: tuple[Fault, ...] = ()
    random: Random | None = None

    def __str__(self) -> str:
        random = () if self.random is None else (self.random,)
        return ",".join(map(str, (*self.these, *random)))

    def of(self, *kinds: str) -> tuple[Fault, ...]:
        """Those of these kinds."""
        return tuple(fault for fault in self.these if fault.kind in kinds)

    def check(self, scan: "Scan") -> None:
        """See that these faults can happen in a run.

        Raises
        ------
        BadConfig
            A volume or a trial that the run does not have, NaN where volumes are integers, seconds
            where there is no time, or two faults that one thing cannot have at once.
        """
        taken: dict[tuple[str, int], Fault] = {}
        for fault in self.these:
            if why := scan.refuses(fault):
                raise BadConfig(f"--faults {fault}: {why}")
            for place in sorted(scan.places(fault)):
                if other := taken.get(place):
                    raise BadConfig(
                        f"--faults {fault}: {other} has {' '.join(map(str, place))} already"
                    )
                taken[place] = fault


@dataclass(frozen=True)
class Scan:
    """What faults have to fit.

    Attributes
    ----------
    n_volumes : int
        Of the shortest run that there is more than one of.
    tr_s : float
    dtype : "int16" or "float32"
    slices : int
    trials_s : tuple of float
        Onsets in the run, s, rising.
    speed : float
        Times faster than life; infinite: as fast as it is taken.
    cable : bool
        Whether there is one that can be cut.
    """

    n_volumes: int
    tr_s: float
    dtype: str = "int16"
    slices: int = 30
    trials_s: tuple[float, ...] = ()
    speed: float = 1.0
    cable: bool = True

    def refuses(self, fault: Fault) -> str:
        """Why a fault cannot happen in this run; nothing where it can."""
        last = self.n_volumes - 1
        if fault.at > last:
            return f"the run's last is {last}"
        if fault.kind == "nan" and self.dtype != "float32":
            return f"this run is {self.dtype}, which has no NaN"
        if fault.kind == "swap" and fault.at == last:
            return "there is none after it"
        if KINDS[fault.kind].on == "marker" and self.trial(fault) is None:
            return "no trial begins there or later"
        if fault.kind in TIMED and math.isinf(self.speed):
            return "it takes time: give a --speed in numbers"
        return "there is no cable to cut" if fault.kind == "cut" and not self.cable else ""

    def trial(self, fault: Fault) -> int | None:
        """Which trial (from 0) a marker's fault happens to: the next from the volume's start on."""
        start_s = fault.at * self.tr_s - 1e-6
        return next((n for n, onset in enumerate(self.trials_s) if onset >= start_s), None)

    def away(self, fault: Fault) -> int:
        """How many volumes from `at` on fall due while a fault lasts that takes seconds."""
        if fault.kind not in TIMED:
            return 0
        return max(1, math.ceil(fault.size * self.speed / self.tr_s - 1e-9))

    def places(self, fault: Fault) -> set[tuple[str, int]]:
        """What a fault takes for itself: another fault there could not be told from it."""
        kind = KINDS[fault.kind]
        if kind.on == "marker":
            return {("trial", self.trial(fault) or 0)}
        if kind.on == "rest":
            return {(f"{fault.kind} from volume", fault.at)}
        if fault.kind == "mark-bad":
            return set()
        last = fault.at + 1 if fault.kind == "swap" else fault.at + max(self.away(fault) - 1, 0)
        takes = _TAKES.get(
            fault.kind, ("volume", "cable", "name") if fault.kind in AWAY else ("volume",)
        )
        numbers = range(fault.at, min(last + 1, self.n_volumes))
        return {(what, number) for what in takes for number in numbers}


def parse_faults(text: str) -> Faults:
    """Faults as the command line has them: `name=volume` or `name=volume:amount`, with commas between.

    `random=seed` and `random=seed:most` stand for faults that are drawn once the run is known.

    Raises
    ------
    ValueError
        Not such a list, a name that is not known, or an amount out of bounds.
    """
    these: list[Fault] = []
    random: Random | None = None
    for item in filter(None, text.split(",")):
        if len(these) >= _MOST:
            raise ValueError(f"more than {_MOST} faults")
        name, _, rest = item.partition("=")
        if name == "random" and random is None:
            random = _random(item, rest)
        else:
            these.append(_fault(item, name, rest))
    return Faults(tuple(these), random)


def _fault(item: str, name: str, rest: str) -> Fault:
    at, colon, amount = rest.partition(":")
    if name not in KINDS or not _whole(at) or (colon and not KINDS[name].unit):
        known = ", ".join(KINDS)
        raise ValueError(f"'{item}': name=volume or name=volume:amount wanted, name one of {known}")
    kind = KINDS[name]
    if kind.words:
        word = amount if colon else kind.words[0]
        if word not in kind.words:
            raise ValueError(f"'{item}': {kind.unit} is one of {', '.join(kind.words)}")
        return Fault(name, int(at), word)
    try:
        size = float(amount) if colon else float(kind.usual)
    except ValueError:
        size = math.nan
    if not kind.least <= size <= kind.most:
        raise ValueError(f"'{item}': {kind.least:g} to {kind.most:g} {kind.unit}")
    return Fault(name, int(at), size)


def _random(item: str, rest: str) -> Random:
    seed, colon, most = rest.partition(":")
    if not _whole(seed) or (colon and not (_whole(most) and 1 <= int(most) <= 100)):
        raise ValueError(f"'{item}': random=seed or random=seed:most (1 to 100) wanted")
    return Random(int(seed), int(most) if colon else 10)


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10
