"""Plans of several faults at once, drawn by chance: no hang, nothing lost, the record whole.

What a plan does to a run is known beforehand (`simulator.faults.effect`): which volumes never get
there or are changed, and from which on decoded values may differ, since the evidence has memory.
All that is decoded before is held to an undisturbed run, to the bit, and all that is decoded later to
what the record decodes to anew.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np

from rtrecon.bids import load_run
from simulator.faults import Faults, Random
from simulator.faults.drawing import drawn
from simulator.faults.kinds import AWAY
from simulator.faults.machine import KINDS as MACHINE
from simulator.scanner import scan_of
from tests.faults.cases import NONE
from tests.faults.checks import Check, all_recorded, as_undisturbed, ended, to_the_bit, whole
from tests.faults.matrix import tried, undisturbed
from tests.faults.outcome import Outcome
from tests.faults.recorded import all_marked
from tests.faults.rig import run

COUNT = 120  # volumes, of 100 ms each
MOST = 10
_SECONDS = {"disk-slow": 2.0, "disk-full": 2.0, "disk-readonly": 2.0, "display-stuck": 2.0,
            "suspend": 2.0, "generator-slow": 0.2}  # fmt: skip
_ENDS = {"kill": -9, "display-crash": -11}
"""After these the session's process decodes nothing more; with its exit code."""
HEAD = ("plan", "scanner", "machine", "observed", "took", "tries", "kept")


@dataclass(frozen=True)
class Plan:
    """What goes wrong. `machine`: names and volumes."""

    seed: int
    wire: Faults
    machine: tuple[tuple[str, int], ...]

    @property
    def end(self) -> tuple[str, int] | None:
        """What ends the session, and when; None: the run does."""
        return next((one for one in self.machine if one[0] in _ENDS), None)

    @property
    def told(self) -> str:
        """The faults of the machine, as `rtrecon-simulate rehearse` takes them."""
        return ",".join(
            f"{name}={at}" + (f":{_SECONDS[name]:g}" if name in _SECONDS else "")
            for name, at in self.machine
        )

    @property
    def window(self) -> bool:
        """Whether a window is needed."""
        return any(name.startswith("display") for name, _ in self.machine)

    @property
    def foreseen(self) -> bool:
        """Whether it is known which volumes are heard: not after a scanner was away."""
        return not self.wire.of(*AWAY)


def draw_plan(seed: int, run_file: Path, speed: float) -> Plan:
    """Up to ten faults of the scanner and of the machine; the same of the same seed."""
    chance = np.random.default_rng(seed)
    recording = load_run(run_file)
    faults, scan = Faults(), replace(scan_of(recording, speed), cable=False)
    total = int(chance.integers(1, MOST, endpoint=True))
    of_machine = int(chance.integers(0, total, endpoint=True))
    if total > of_machine:
        most = total - of_machine
        faults = drawn(Faults(random=Random(seed, most)), scan)
    machine: dict[str, int] = {}
    ends = False
    for _ in range(of_machine):
        name = str(chance.choice(sorted(MACHINE.keys() - (_ENDS if ends else set()))))
        ends |= name in _ENDS  # a session ends once
        machine.setdefault(name, int(chance.integers(scan.n_volumes)))
    return Plan(seed, faults, tuple(sorted(machine.items(), key=lambda one: one[1])))


def run_plans(output: Path, seeds: range, jobs: int) -> tuple[int, int, int]:
    """Do them, and print a table as they end; returns how many, how many again, how many broken."""
    reference = undisturbed(COUNT, output)
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    rows = []
    with ThreadPoolExecutor(jobs, "faults") as pool:
        tasks = [pool.submit(_row, seed, output, reference) for seed in seeds]
        for task in as_completed(tasks):
            rows.append(task.result())
            print(f"| {' | '.join(rows[-1])} |", flush=True)
    table = [HEAD, *sorted(rows, key=lambda row: int(row[0]))]
    (output / "plans.tsv").write_text("".join("\t".join(row) + "\n" for row in table))
    again = sum(row[-2] != "1" for row in rows)
    return len(rows), again, sum(row[-1] != "kept" for row in rows)


def _row(seed: int, output: Path, reference: Outcome) -> tuple[str, ...]:
    plan = draw_plan(seed, reference.scan.run, NONE.speed)
    case = replace(NONE, window=plan.window, options=("--until-idle", "15"))
    folder = output / f"plan-{seed}"
    outcome, broken, tries = tried(
        lambda again: run(
            reference.scan,
            folder.with_name(folder.name + again),
            0,
            str(plan.wire),
            plan.told,
            case,
        ),
        lambda outcome: _held(plan, outcome),
        lambda outcome: [_as_undisturbed(plan, outcome, reference)],
    )
    observed = outcome.observed  # while its folder is there
    if not broken:
        for done in (folder, *output.glob(f"{folder.name}-again-*")):
            shutil.rmtree(done)
    return (
        str(seed), str(plan.wire) or "-", plan.told or "-", observed,
        f"{outcome.took_s:.0f} s", str(tries), f"BROKEN: {broken}" if broken else "kept",
    )  # fmt: skip


def _held(plan: Plan, outcome: Outcome) -> list[Check]:
    held = [ended(_exit_code(plan, outcome)), whole, to_the_bit, received_is_recorded]
    return [*held, all_recorded, all_marked] if plan.foreseen else held


def _as_undisturbed(plan: Plan, outcome: Outcome, reference: Outcome) -> Check:
    differs_from = outcome.sent.effect.differs_from
    until = min(
        inf if differs_from is None else differs_from, inf if plan.end is None else plan.end[1]
    )
    return as_undisturbed(reference, until, cut=plan.end is not None)


def _exit_code(plan: Plan, outcome: Outcome) -> int:
    """What ends a session does so if its volume comes, which may be lost."""
    log = (outcome.output / "log.txt").read_text(encoding="utf-8")
    if plan.end is None or f"rehearsed: {plan.end[0]} " not in log:
        return 0
    return _ENDS[plan.end[0]]


def received_is_recorded(outcome: Outcome) -> str:
    """As many volumes are on disk as were received, each once."""
    if not outcome.summary:
        return ""  # killed: what was received is not known
    counts, faults = outcome.counts, [row["fault"] for row in outcome.folder.rows]
    used = faults.count("n/a")
    return "" if used == counts["received"] else f"{used} on disk, {counts['received']} received"
