"""All cases, several at once, and the table of what came of them."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from math import inf
from pathlib import Path

from rtrecon.errors import Error
from simulator.faults.machine import parse_machine_faults
from tests.benchmarks.document import table
from tests.faults.case import WHEN, Case
from tests.faults.cases import NONE
from tests.faults.checks import (
    Check,
    all_recorded,
    as_undisturbed,
    counts,
    ended,
    marker_late,
    to_the_bit,
    whole,
)
from tests.faults.outcome import Outcome
from tests.faults.processes import get_ready
from tests.faults.recorded import all_marked, rehearsed
from tests.faults.rig import run_case
from tests.faults.scan import write_scan

AGAIN = 2
HEAD = ("fault", "when", "promised", "observed", "recovery", "tries", "kept")


@dataclass(frozen=True)
class Line:
    """What one case came to.

    Attributes
    ----------
    back_s : float or None
        As `Case.back` has it, and inf where nothing came after the fault.
    over_s : float
        From the fault to when the session knew that the run was over.
    tries : int
        How often it was done: more than once where the machine was too busy for it.
    broken : str
        What is, in words; empty where the promise is kept.
    """

    case: Case
    when: str
    observed: str
    back_s: float | None
    over_s: float
    tries: int
    broken: str

    @property
    def cells(self) -> tuple[str, ...]:
        """As in `HEAD`."""
        back = "nothing was away" if self.back_s is None else f"{self.back_s:.2f} s"
        if self.back_s == inf:
            back = f"no more came: the run was over after {self.over_s:.2f} s"
        promised = f"{self.case.recovers}, within {self.case.within_s:g} s"
        kept = f"BROKEN: {self.broken}" if self.broken else "kept"
        return (
            self.case.name, self.when, promised, self.observed, back, str(self.tries), kept,
        )  # fmt: skip


def run_matrix(output: Path, chosen: Sequence[Case], jobs: int) -> list[Line]:
    """Do cases, and print a table as they end; it is left in the folder."""
    lines: list[Line] = []
    references = {count: undisturbed(count, output) for count in {case.count for case in chosen}}
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    for line in _lines(chosen, output, references, jobs):
        print(f"| {' | '.join(line.cells)} |", flush=True)
        lines.append(line)
    lines.sort(key=lambda line: (chosen.index(line.case), WHEN.index(line.when)))
    rows = [HEAD, *(line.cells for line in lines)]
    (output / "table.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    (output / "table.md").write_text(table(HEAD, rows[1:]) + "\n")
    return lines


def undisturbed(count: int, output: Path) -> Outcome:
    """A session to which nothing happens, of so many volumes: what the others are compared with."""
    get_ready()
    scan = write_scan(output / f"scan-{count}", count)
    held = ended(0), whole, to_the_bit, counts(), all_recorded, all_marked
    outcome, wrong, _ = tried(
        lambda again: run_case(NONE, "start", scan, output / f"none-{count}{again}"),
        lambda outcome: held,
        lambda outcome: [lambda outcome: "a marker is late" * marker_late(outcome)],
    )
    if wrong:
        raise SystemExit(f"the undisturbed run is no reference: {wrong}\n{outcome.said}")
    return outcome


Checks = Callable[[Outcome], Sequence[Check]]


def tried(
    work: Callable[[str], Outcome], held: Checks, in_time: Checks
) -> tuple[Outcome, str, int]:
    """What is done, what is wrong with it, and how often it was done.

    It is done again, `AGAIN` times at the most, where a marker came a volume late and nothing but
    `in_time` is broken, which that explains. What is broken of `held` is broken.
    """
    for tries in range(1, AGAIN + 2):
        outcome = work("" if tries == 1 else f"-again-{tries - 1}")
        wrong = problem(held, outcome)
        if wrong:
            break
        wrong = problem(in_time, outcome)
        if not wrong or not marker_late(outcome):
            break
        name = outcome.output.parent.name
        print(f"{name}: a marker came a volume late ({wrong})", flush=True)
    return outcome, wrong, tries


def _lines(
    cases: Sequence[Case], output: Path, references: dict[int, Outcome], jobs: int
) -> Iterator[Line]:
    places = [(case, when) for case in cases for when in case.whens]
    places.sort(key=lambda place: -place[0].limit_s)  # so that the long ones do not come last
    with ThreadPoolExecutor(jobs, "faults") as pool:
        tasks = [
            pool.submit(_line, case, when, output, references[case.count]) for case, when in places
        ]
        for task in as_completed(tasks):
            yield task.result()


def _line(case: Case, when: str, output: Path, reference: Outcome) -> Line:
    folder = output / f"{case.name}-{when}"
    outcome, broken, tries = tried(
        lambda again: run_case(case, when, reference.scan, folder.with_name(folder.name + again)),
        lambda outcome: _held(case, outcome),
        lambda outcome: _in_time(case, outcome, reference),
    )
    try:
        back_s, over_s = case.back and case.back(outcome), outcome.over_s()
    except (Error, OSError, LookupError):
        back_s = over_s = inf
    observed = outcome.observed  # while its folder is there
    if not broken:
        for done in output.glob(f"{folder.name}*"):
            shutil.rmtree(done)
    return Line(case, when, observed, back_s, over_s, tries, broken)


def _held(case: Case, outcome: Outcome) -> tuple[Check, ...]:
    """What a machine that is too busy is no excuse for."""
    shown = (one.check for one in case.shown)
    marked = (all_marked,) if all_recorded in case.checks else ()
    done = [rehearsed(fault.name) for fault in parse_machine_faults(case.machine(outcome.at))]
    return (
        ended(case.exit_code), whole, to_the_bit, *done, *marked, *shown, *case.checks,
    )  # fmt: skip


def _in_time(case: Case, outcome: Outcome, reference: Outcome) -> tuple[Check, ...]:
    """What only a machine keeps that has time for it."""
    until = _until(case, outcome)
    return as_undisturbed(reference, until, cut=case.exit_code < 0), _back_in_time(case)


def _until(case: Case, outcome: Outcome) -> float:
    """The first volume that may be decoded otherwise than without the fault."""
    if case.machine(0) and not case.harmless:
        return outcome.at
    differs_from = outcome.sent.effect.differs_from
    return inf if differs_from is None else differs_from


def _back_in_time(case: Case) -> Check:
    def check(outcome: Outcome) -> str:
        back_s = 0.0 if case.back is None else case.back(outcome)
        if back_s == inf and not outcome.goes_on:  # what is left to be known is that it is over
            back_s = outcome.over_s()
        if back_s is None or back_s <= case.within_s:
            return ""
        if back_s == inf:
            return "it never recovered"
        return f"it took {back_s:.2f} s, and {case.within_s:g} s were promised"

    return check


def problem(checks: Checks, outcome: Outcome) -> str:
    """The first promise that is broken; a record that cannot be read is one."""
    try:
        return next((wrong for check in checks(outcome) if (wrong := check(outcome))), "")
    except (Error, OSError, LookupError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
