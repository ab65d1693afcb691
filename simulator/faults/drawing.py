"""Faults drawn by chance, the same of the same seed and run."""

import math
from contextlib import suppress

import numpy as np

from rtrecon.errors import BadConfig
from simulator.faults.kinds import KINDS, TIMED, Kind
from simulator.faults.plan import Fault, Faults, Scan

_TRIES = 20  # for each fault wanted, until one fits
_SHORT_S = 5.0  # of a whole run: too short for what takes seconds
_LONGEST_S = 10.0


def drawn(faults: Faults, scan: Scan) -> Faults:
    """The list with what is random in it drawn; `str` of it can be given by hand.

    Raises
    ------
    BadConfig
        What was asked for by name does not fit the run.
    """
    faults.check(scan)
    if faults.random is None:
        return faults
    chance = np.random.default_rng(faults.random.seed)
    these = faults.these
    wanted = int(chance.integers(1, faults.random.most, endpoint=True))
    for _ in range(_TRIES * wanted):
        if len(these) == len(faults.these) + wanted:
            break
        fault = _draw(chance, scan)
        if fault is None:
            continue
        with suppress(BadConfig):  # it does not fit, or not beside the others
            Faults((*these, fault)).check(scan)
            these = (*these, fault)
    return Faults(tuple(sorted(these, key=lambda fault: (fault.at, fault.kind))))


def _draw(chance: np.random.Generator, scan: Scan) -> Fault | None:
    # All but the death of the scanner, after which there is nothing to see.
    kind = KINDS[str(chance.choice(sorted(KINDS.keys() - {"die"})))]
    at = int(chance.integers(scan.n_volumes))
    run_s = 0.0 if math.isinf(scan.speed) else scan.n_volumes * scan.tr_s / scan.speed
    amount = _amount(chance, kind, run_s)
    if kind.name in TIMED and run_s < _SHORT_S:
        return None
    return Fault(kind.name, at, amount)


def _amount(chance: np.random.Generator, kind: Kind, run_s: float) -> float | str:
    if kind.words:
        return str(chance.choice(kind.words))
    if not kind.unit:
        return 0.0
    if kind.name in TIMED:
        return round(chance.uniform(0.5, min(_LONGEST_S, 0.2 * max(run_s, _SHORT_S))), 1)
    if kind.name == "clock":
        return float(chance.choice((-3600.0, -30.0, 5.0, 3600.0)))
    return round(min(max(kind.usual * chance.uniform(0.5, 2), kind.least), kind.most), 2)
