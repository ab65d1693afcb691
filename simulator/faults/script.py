"""What a scanner sends in a disturbed run: its schedule rewritten, before anything is sent."""

from dataclasses import replace

import numpy as np

from rtrecon.types import Event, Marker, Volume
from simulator.faults.bad_markers import bad_marker
from simulator.faults.kinds import AWAY, KINDS, TIMED
from simulator.faults.plan import Fault, Faults, Scan
from simulator.faults.voxels import altered
from simulator.schedule import Raw, Sending, Turn

_BEFORE, _ON_TIME, _BEHIND = range(3)  # what comes first of those that are due at one moment
Ranked = tuple[float, int, Sending]


def disturbed(run: list[Sending], faults: Faults, scan: Scan) -> list[Sending]:
    """The sendings of one run with all that is to happen to it, in the order of their time.

    Faults of volumes and trials that this run does not have do not happen.
    """
    if not faults.these:
        return run
    due_s = {s.of: s.due_s for s in run if isinstance(s.what, Volume)}
    ends = [s for s in run if _is_end(s)]
    ranked = _markers([s for s in run if not _is_end(s)], faults, scan)
    for fault in faults.these:
        if fault.at in due_s:
            ranked = _volumes(ranked, fault, scan, due_s)
    for fault in faults.these:
        if fault.at in due_s:
            ranked += _turns(fault, due_s[fault.at], scan)
    ranked.sort(key=lambda one: one[:2])
    latest_s = max((at for at, _, _ in ranked), default=0.0)
    sent = [replace(s, due_s=at) for at, _, s in ranked]
    step_s = sum(fault.size for fault in faults.of("clock") if fault.at in due_s)
    sent += [replace(end, due_s=max(end.due_s, latest_s), step_s=step_s) for end in ends]
    return _counted_anew(_while_away(sent, scan), faults, scan, due_s)


def _is_end(sending: Sending) -> bool:
    return isinstance(sending.what, Marker) and sending.what.event is Event.RUN_END


def _markers(run: list[Sending], faults: Faults, scan: Scan) -> list[Ranked]:
    """Everything with its time; trials' markers with what happens to them."""
    of_trial = {
        scan.trial(fault): fault for fault in faults.these if KINDS[fault.kind].on == "marker"
    }
    ranked: list[Ranked] = []
    trials = 0
    for sending in run:
        what, fault = sending.what, None
        if isinstance(what, Marker) and what.event is Event.TRIAL:
            fault = of_trial.get(trials)
            trials += 1
        at_s = sending.due_s
        if fault is not None and fault.kind == "mark-early":
            at_s = max(0.0, at_s - fault.size * scan.tr_s)
        times = {"mark-lose": 0, "mark-double": 2}.get("" if fault is None else fault.kind, 1)
        ranked += [(at_s, _ON_TIME, sending)] * times
    return ranked


def _volumes(
    ranked: list[Ranked], fault: Fault, scan: Scan, due_s: dict[int, float]
) -> list[Ranked]:
    """What one fault makes of the volumes (and, for the clock, of all stamps)."""
    changed: list[Ranked] = []
    latest_s = 0.0
    for at_s, rank, sending in ranked:
        what = sending.what
        if fault.kind == "clock" and at_s >= due_s[fault.at] - 1e-9:
            sending = replace(sending, step_s=sending.step_s + fault.size)
        if not isinstance(what, Volume):
            changed.append((at_s, rank, sending))
        elif fault.kind == "jitter" and what.number >= fault.at:
            late_s = float(np.random.default_rng(what.number).random()) * fault.size * scan.tr_s
            latest_s = max(latest_s, at_s + late_s)  # late, and none overtakes another
            changed.append((latest_s, rank, sending))
        elif what.number == fault.at or (fault.kind == "jump" and what.number > fault.at):
            changed += _one((at_s, rank, sending), fault, what, scan, due_s)
        else:
            changed.append((at_s, rank, sending))
    return changed


def _one(
    ranked: Ranked, fault: Fault, volume: Volume, scan: Scan, due_s: dict[int, float]
) -> list[Ranked]:
    at_s, _, sending = ranked
    if fault.kind == "lose":
        return []
    if fault.kind == "double":
        return [ranked, ranked]
    late_s = fault.size * scan.tr_s if fault.kind == "late" else 0.0
    if fault.kind == "swap":
        late_s = due_s.get(fault.at + 1, at_s) - at_s
    if late_s:
        return [(at_s + late_s, _BEHIND, replace(sending, late_s=sending.late_s + late_s))]
    data = altered(volume.data, fault, volume.number)
    if data is volume.data:
        return [ranked]
    return [(*ranked[:2], replace(sending, what=replace(volume, data=data)))]


def _turns(fault: Fault, at_s: float, scan: Scan) -> list[Ranked]:
    if fault.kind == "mark-bad":
        raw = Raw(bad_marker(str(fault.amount)))
        return [(at_s, _BEFORE, Sending(at_s, raw))]
    begins = [(at_s, _BEFORE, Sending(at_s, Turn(fault, True)))]
    if fault.kind == "die":
        return begins
    if fault.kind not in TIMED:
        return []
    over_s = at_s + fault.size * scan.speed
    return [*begins, (over_s, _BEFORE, Sending(over_s, Turn(fault, False)))]


def _while_away(sent: list[Sending], scan: Scan) -> list[Sending]:
    """Nobody hears what falls due while the scanner is away; a dead one sends nothing more."""
    heard: list[Sending] = []
    away = 0
    for sending in sent:
        if isinstance(sending.what, Turn) and sending.what.fault.kind in AWAY:
            away += 1 if sending.what.begins else -1
        elif away and not isinstance(sending.what, Turn) and not _is_end(sending):
            sending = replace(sending, unheard=True)
        heard.append(sending)
        if isinstance(sending.what, Turn) and sending.what.fault.kind == "die":
            break
    return heard


def _counted_anew(
    sent: list[Sending], faults: Faults, scan: Scan, due_s: dict[int, float]
) -> list[Sending]:
    """After some restarts volumes are counted, and run time is told, from 0."""
    if not faults.of("restart-zero", "replace-zero"):
        return sent
    told: list[Sending] = []
    base = 0
    for sending in sent:
        what = sending.what
        if isinstance(what, Turn) and not what.begins and what.fault.kind.endswith("-zero"):
            base = what.fault.at + scan.away(what.fault)
        elif isinstance(what, Volume):
            if what.number < base:
                continue  # one that was late: it is of the time before
            sending = replace(sending, what=replace(what, number=what.number - base))
        elif isinstance(what, Marker) and base:
            onset_s = what.onset_s - base * scan.tr_s
            if what.event is Event.TRIAL and onset_s < 0:
                continue
            volumes = None if what.volumes is None else max(0, what.volumes - base)
            sending = replace(sending, what=replace(what, onset_s=onset_s, volumes=volumes))
        told.append(sending)
    return told
