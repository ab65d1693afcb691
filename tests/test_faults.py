"""What is promised of faults: the page says what the cases hold, and no fault is without a case."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rtrecon.types import Event, Marker
from simulator.faults import KINDS as WIRE
from simulator.faults.machine import KINDS as MACHINE
from tests.faults.case import Case
from tests.faults.cases import CASES
from tests.faults.document import PAGE, with_tables
from tests.faults.matrix import run_matrix, tried
from tests.faults.recorded import all_marked

QUICK = ("nan", "disk-full")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
def test_a_few_of_them_in_earnest(tmp_path: Path) -> None:
    """All of them: python -m tests.faults."""
    short = {"count": 24, "whens": ("middle",)}
    chosen = [replace(case, **short) for case in CASES if case.name in QUICK]
    lines = run_matrix(tmp_path, chosen, jobs=2)
    assert [(line.case.name, line.broken) for line in lines] == [(name, "") for name in QUICK]


def test_the_page_says_what_the_cases_hold() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_tables(text) == text, "python -m tests.faults --document writes it anew"


def marked(there: str, sent: dict[str, float], exit_code: int = 0) -> str:
    def marker(name: str) -> Marker:
        return Marker(Event.TRIAL, name, 1.0)

    folder = SimpleNamespace(markers=[(0, marker(name)) for name in there])
    due = SimpleNamespace(markers=[(due_s, marker(name)) for name, due_s in sent.items()])
    outcome: Any = SimpleNamespace(folder=folder, sent=due, exit_code=exit_code, speed=20.0)
    return all_marked(outcome)


def test_markers_may_be_missing_after_a_kill_alone_and_of_the_first_moments() -> None:
    sent = {"a": 0.0, "b": 11.0, "c": 50.0, "d": 60.0}
    assert marked("abcd", sent) == marked("acd", sent, -9) == marked("cd", sent, -9) == ""
    for there in ("acd", "abcdd", "abccd", "acbd", "abcde", ""):
        assert marked(there, sent)
    for there in ("abd", "abc", "abcde"):
        assert marked(there, sent, -9)


@pytest.mark.parametrize(
    ("late", "held", "in_time", "wanted"),
    [
        (True, [], ["slow", "slow"], ("", 3)),
        (True, [], ["slow"] * 9, ("slow", 3)),
        (True, ["lost"], ["slow"], ("lost", 1)),  # which no busy machine explains
        (False, [], ["slow"], ("slow", 1)),
    ],
)
def test_only_what_a_late_marker_explains_is_tried_again(
    late: bool, held: list[str], in_time: list[str], wanted: tuple[str, int], tmp_path: Path
) -> None:
    first = Marker(Event.TRIAL, "dog", 0.0)
    markers = [(1, first)] if late else []
    folder = SimpleNamespace(rows=[{"number": "0"}], markers=markers)
    outcome: Any = SimpleNamespace(folder=folder, output=tmp_path)
    _, wrong, tries = tried(
        lambda again: outcome,
        lambda outcome: [lambda outcome: held.pop(0) if held else ""],
        lambda outcome: [lambda outcome: in_time.pop(0) if in_time else ""],
    )
    assert (wrong, tries) == wanted


def test_every_fault_that_can_be_injected_has_a_case() -> None:
    injected = [fault for case in CASES for fault in (case.wire(5), case.machine(5)) if fault]
    names = {name for faults in injected for name in re.findall(r"([a-z-]+)=", faults)}
    assert names == {*WIRE, *MACHINE}
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_tests_of_the_window_that_the_page_names_are_there() -> None:
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) == 7
    for file, test in named:
        source = (Path(__file__).parent / "display" / file).read_text(encoding="utf-8")
        assert f"def {test}(" in source, f"{file} has no {test}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_promises_something(case: Case) -> None:
    assert all((case.what, case.shown, case.recorded, case.recovers, case.checks))
    assert case.within_s > 0
