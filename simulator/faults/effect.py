"""What a plan does to what is recorded and decoded of a run: told before anything is sent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rtrecon.types import Marker, Volume
from simulator.faults.plan import Faults, Scan
from simulator.faults.script import disturbed
from simulator.schedule import Sending, Turn

_CHANGES = frozenset({"nan", "constant", "truncate", "spike", "shift"})


@dataclass(frozen=True)
class Fate:
    """What becomes of one volume.

    Attributes
    ----------
    number : int
        In the undisturbed run.
    run, sent_as : int
        It is recorded in which run of the session (from 0: one more after each restart that counts
        from 0), under which number.
    times : int
        Rows of it in the record; 0: it never gets there.
    fault : str
        How the fault in its first row begins; empty: it is decoded.
    altered : bool
        Whether its voxels are not those of the run.
    """

    number: int
    run: int
    sent_as: int
    times: int
    fault: str = ""
    altered: bool = False

    @property
    def untouched(self) -> bool:
        """Whether it is recorded as it was, and decoded."""
        return self.times > 0 and not self.fault and not self.altered


@dataclass(frozen=True)
class Effect:
    """What becomes of a run.

    Attributes
    ----------
    fates : tuple of Fate
        One a volume, in the order of the undisturbed run.
    differs_from : int or None
        Number in the undisturbed run from which on decoded values may differ (the evidence has
        memory); None: they are the same to the end. Numbers of trials may differ all the same.
    """

    fates: tuple[Fate, ...]
    differs_from: int | None

    @property
    def never(self) -> frozenset[int]:
        """Volumes that never reach the record."""
        return frozenset(fate.number for fate in self.fates if not fate.times)

    @property
    def altered(self) -> frozenset[int]:
        """Those that are recorded otherwise than they were."""
        return frozenset(fate.number for fate in self.fates if fate.times and fate.altered)

    @property
    def untouched(self) -> frozenset[int]:
        """Those that are recorded as they were, and decoded."""
        return frozenset(fate.number for fate in self.fates if fate.untouched)


def effect_of(run: Sequence[Sending], faults: Faults, scan: Scan) -> Effect:
    """The effect of a plan without anything random in it on the sendings of one undisturbed run.

    `simulator.schedule.schedule(recording)` gives these.
    """
    script = disturbed(list(run), faults, scan)
    changed = {f.at: f.kind for f in faults.these if f.kind in _CHANGES}
    jumped = min((f.at for f in faults.of("jump")), default=math.inf)
    fates: dict[int, Fate] = {}
    turn, newest = 0, -1
    for sending in script:
        what = sending.what
        if isinstance(what, Turn) and not what.begins and what.fault.kind.endswith("-zero"):
            turn, newest = turn + 1, -1
        if not isinstance(what, Volume) or sending.unheard:
            continue
        if known := fates.get(sending.of):
            fates[sending.of] = Fate(**{**vars(known), "times": known.times + 1})
            continue
        kind = changed.get(sending.of, "")
        late = what.number < newest
        fault = "came late" if late else _fault(kind, newest, what, scan)
        altered = bool(kind) or sending.of >= jumped
        fates[sending.of] = Fate(sending.of, turn, what.number, 1, fault, altered)
        newest = max(newest, what.number)
    numbers = [s.of for s in run if isinstance(s.what, Volume)]
    all_fates = tuple(fates.get(n, Fate(n, 0, n, 0)) for n in numbers)
    spoiled = [fate.number for fate in all_fates if not fate.untouched]
    spoiled += _without_trial(run, script, scan)
    return Effect(all_fates, min(spoiled, default=None))


def _fault(kind: str, newest: int, volume: Volume, scan: Scan) -> str:
    if kind == "nan":
        return "not finite"
    if kind == "constant":
        return "constant"
    if kind == "truncate" and newest >= 0:  # with nothing before it nobody can tell
        empty = sum(not volume.data[..., k].any() for k in range(volume.data.shape[2]))
        return "truncated" if empty >= 2 or not volume.data.any() else ""
    return ""


def _without_trial(run: Sequence[Sending], script: Sequence[Sending], scan: Scan) -> list[int]:
    """First volumes of trials that nobody hears of."""
    heard = {id(s.what) for s in script if not s.unheard}
    lost = [s.what for s in run if isinstance(s.what, Marker) and id(s.what) not in heard]
    return [
        math.ceil(marker.onset_s / scan.tr_s - 0.5)
        for marker in lost
        if math.isfinite(marker.onset_s)
    ]
