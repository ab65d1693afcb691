"""What a scanner with faults sends: known before it sends anything."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtrecon.bids import load_run
from rtrecon.types import Marker, Volume
from simulator.faults import Faults
from simulator.faults.effect import Effect, effect_of
from simulator.faults.script import disturbed
from simulator.scanner import scan_of
from simulator.schedule import Turn, schedule
from tests.faults.scan import Scan


@dataclass(frozen=True)
class Sent:
    """What is sent of a run.

    Attributes
    ----------
    faults : Faults
    effect : Effect
        On what is recorded and decoded.
    runs : list of dict
        Of each run in the record the volumes that can be heard, by their number: float32 (i, j, k).
    markers : list of (float, Marker)
        Those that can be heard and read, in the order in which they are sent, and when, s of run time.
    """

    faults: Faults
    effect: Effect
    runs: list[dict[int, NDArray[np.generic]]]
    markers: list[tuple[float, Marker]]


def sent_of(scan: Scan, faults: Faults, speed: float) -> Sent:
    """What becomes of a run with these faults."""
    recording = load_run(scan.run)
    fits = replace(scan_of(recording, speed), cable=True)
    undisturbed = list(schedule(recording))
    runs: list[dict[int, NDArray[np.generic]]] = [{}]
    markers: list[tuple[float, Marker]] = []
    for sending in disturbed(undisturbed, faults, fits):
        what = sending.what
        if isinstance(what, Turn) and not what.begins and what.fault.kind.endswith("-zero"):
            runs.append({})
        elif isinstance(what, Volume) and not sending.unheard:
            runs[-1][what.number] = what.data
        elif isinstance(what, Marker) and not sending.unheard:
            markers.append((sending.due_s, what))
    return Sent(faults, effect_of(undisturbed, faults, fits), runs, markers)
