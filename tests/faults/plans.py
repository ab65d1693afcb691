"""Plans of several faults at once, drawn by chance: no hang, nothing lost, the record whole.

What a plan does to a run is known beforehand (`simulator.faults.effect`): which volumes never get
there or are changed, and from which on decoded values may differ, since the evidence has memory.
"""

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np

from rtrecon.bids import load_run
from simulator.faults import Faults, Random
from simulator.faults.drawing import drawn
from simulator.faults.effect import Effect, effect_of
from simulator.faults.kinds import TIMED
from simulator.faults.machine import KINDS as MACHINE
from simulator.scanner import scan_of
from simulator.schedule import schedule
from tests.faults.cases import NONE
from tests.faults.checks import DECODED, Check, ended, whole
from tests.faults.matrix import problem, undisturbed
from tests.faults.outcome import Outcome
from tests.faults.rig import run

COUNT = 120  # volumes, of 50 ms each
MOST = 10
_SECONDS = {"disk-slow": 2.0, "disk-full": 2.0, "disk-readonly": 2.0, "display-stuck": 2.0,
            "suspend": 2.0, "generator-slow": 0.2}  # fmt: skip
_ENDS = {"kill": -9, "display-crash": -11, "display-close": 0}
"""After these the session's process decodes nothing more; and how it ends."""
HEAD = ("plan", "scanner", "machine", "observed", "took", "kept")


@dataclass(frozen=True)
class Plan:
    """What goes wrong. `machine`: names and volumes."""

    seed: int
    wire: Faults
    machine: tuple[tuple[str, int], ...]
    effect: Effect

    @property
    def ends(self) -> float:
        """The volume from which on the session's process is no more."""
        return min((at for name, at in self.machine if name in _ENDS), default=inf)

    @property
    def exit_code(self) -> int:
        """Of `rtrecon run`."""
        ending = min(((at, name) for name, at in self.machine if name in _ENDS), default=None)
        return 0 if ending is None else _ENDS[ending[1]]

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
        """Whether what is received is known: not where the session is away while the scanner is."""
        away = {"suspend", *_ENDS}
        return not (self.wire.of(*TIMED) and any(name in away for name, _ in self.machine))


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
    for _ in range(of_machine):
        name = str(chance.choice(sorted(MACHINE)))
        machine.setdefault(name, int(chance.integers(scan.n_volumes)))
    effect = effect_of(list(schedule(recording)), faults, scan)
    by_volume = sorted(machine.items(), key=lambda one: one[1])
    return Plan(seed, faults, tuple(by_volume), effect)


def run_plans(output: Path, seeds: range, jobs: int) -> tuple[int, int]:
    """Do them, and print a table as they end; returns how many are broken, and how many were."""
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
    return sum(row[-1] != "kept" for row in rows), len(rows)


def _row(seed: int, output: Path, reference: Outcome) -> tuple[str, ...]:
    plan = draw_plan(seed, reference.scan.run, NONE.speed)
    case = replace(NONE, window=plan.window, limit_s=120.0, options=("--until-idle", "15"))
    outcome = run(
        reference.scan, output / f"plan-{seed}", 0, str(plan.wire), plan.told, case
    )  # fmt: skip
    checks = (
        ended(plan.exit_code),
        whole,
        received_is_recorded,
        _foreseen(plan),
        _same(plan, reference),
    )
    broken = problem(checks, outcome)
    return (
        str(seed), str(plan.wire) or "-", plan.told or "-", outcome.observed,
        f"{outcome.took_s:.0f} s", f"BROKEN: {broken}" if broken else "kept",
    )  # fmt: skip


def received_is_recorded(outcome: Outcome) -> str:
    """As many volumes are on disk as were received, each once."""
    if not outcome.summary:
        return ""  # killed: what was received is not known
    counts, faults = outcome.counts, [row["fault"] for row in outcome.folder.rows]
    used = faults.count("n/a")
    return "" if used == counts["received"] else f"{used} on disk, {counts['received']} received"


def _foreseen(plan: Plan) -> Check:
    def check(outcome: Outcome) -> str:
        if not plan.foreseen or (plan.exit_code == 0 and plan.ends < inf):
            return ""
        rows = [int(row["number"]) for row in outcome.folder.rows]
        missing = [
            fate.number for fate in plan.effect.fates
            if rows.count(fate.sent_as) < min(1, fate.times)
        ]  # fmt: skip
        return f"volumes {missing} are not on disk" if missing else ""

    return check


def _same(plan: Plan, reference: Outcome) -> Check:
    """What was decoded of volumes that nothing touches is, to the bit, as undisturbed."""

    def check(outcome: Outcome) -> str:
        until = min(
            inf if plan.effect.differs_from is None else plan.effect.differs_from, plan.ends
        )
        rows, usual = outcome.folder.table("trials.tsv"), reference.folder.table("trials.tsv")
        count = sum(int(row["volume"]) < until for row in usual)
        if plan.ends < inf:  # the last ones may have been on their way to the disk
            count = min(count, len(rows))
        ours = [int(row["volume"]) for row in rows[:count]]
        if ours != [int(row["volume"]) for row in usual[:count]]:
            return f"of {count} decoded volumes that nothing touches {len(ours)} are there"
        for name in DECODED:
            if not np.array_equal(outcome.array(name)[:count], reference.array(name)[:count]):
                return f"{name}.npy differs from an undisturbed run's before volume {until}"
        return ""

    return check
