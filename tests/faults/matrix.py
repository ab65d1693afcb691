"""All cases, several at once, and the table of what came of them."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from math import inf
from pathlib import Path

from rtrecon.errors import Error
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
from tests.faults.rig import run_case
from tests.faults.scan import write_scan

AGAIN = 2
HEAD = ("fault", "when", "promised", "observed", "recovery", "kept")


@dataclass(frozen=True)
class Line:
    """What one case came to.

    Attributes
    ----------
    back_s : float or None
        As `Case.back` has it, and inf where nothing came after the fault.
    over_s : float
        From the fault to when the session knew that the run was over.
    broken : str
        Empty where the promise is kept.
    """

    case: Case
    when: str
    observed: str
    back_s: float | None
    over_s: float
    broken: str

    @property
    def cells(self) -> tuple[str, ...]:
        """As in `HEAD`."""
        back = "nothing was away" if self.back_s is None else f"{self.back_s:.2f} s"
        if self.back_s == inf:
            back = f"no more came: the run was over after {self.over_s:.2f} s"
        promised = f"{self.case.recovers}, within {self.case.within_s:g} s"
        kept = f"BROKEN: {self.broken}" if self.broken else "kept"
        return (self.case.name, self.when, promised, self.observed, back, kept)


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
    checks = ended(0), whole, to_the_bit, counts(), all_recorded
    outcome, wrong = in_time(
        lambda again: run_case(NONE, "start", scan, output / f"none-{count}{again}"),
        lambda outcome: problem(checks, outcome) or "a marker is late" * marker_late(outcome),
    )
    if wrong:
        raise SystemExit(f"the undisturbed run is no reference: {wrong}\n{outcome.said}")
    return outcome


def in_time(work: Callable[[str], Outcome], wrong: Callable[[Outcome], str]) -> tuple[Outcome, str]:
    """What is done, and what is wrong with it; again where the machine was too busy for it."""
    for again in ("", *(f"-again-{n + 1}" for n in range(AGAIN))):
        outcome = work(again)
        told = wrong(outcome)
        if not told or problem((_not_busy,), outcome):
            break
        print(f"{outcome.output.parent.name}: a marker came a volume late ({told})", flush=True)
    return outcome, told


def _not_busy(outcome: Outcome) -> str:
    return "" if marker_late(outcome) else "it is its own fault"


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
    outcome, broken = in_time(
        lambda again: run_case(case, when, reference.scan, folder.with_name(folder.name + again)),
        lambda outcome: problem(_checks(case, outcome, reference), outcome),
    )
    try:
        back_s, over_s = case.back and case.back(outcome), outcome.over_s()
    except (Error, OSError, LookupError):
        back_s = over_s = inf
    observed = outcome.observed  # while its folder is there
    if not broken:
        for done in output.glob(f"{folder.name}*"):
            shutil.rmtree(done)
    return Line(case, when, observed, back_s, over_s, broken)


def _checks(case: Case, outcome: Outcome, reference: Outcome) -> tuple[Check, ...]:
    return (
        ended(case.exit_code),
        whole,
        to_the_bit,
        as_undisturbed(reference, _until(case, outcome), cut=case.exit_code < 0),
        _in_time(case),
        *(one.check for one in case.shown),
        *case.checks,
    )


def _until(case: Case, outcome: Outcome) -> float:
    """The first volume that may be decoded otherwise than without the fault."""
    if case.machine(0) and not case.harmless:
        return outcome.at
    differs_from = outcome.sent.effect.differs_from
    return inf if differs_from is None else differs_from


def _in_time(case: Case) -> Check:
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


def problem(checks: Sequence[Check], outcome: Outcome) -> str:
    """The first promise that is broken; a record that cannot be read is one."""
    try:
        return next((wrong for check in checks if (wrong := check(outcome))), "")
    except (Error, OSError, LookupError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
