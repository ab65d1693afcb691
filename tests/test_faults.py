"""What is promised of faults: the page says what the cases hold, and no fault is without a case."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.faults import KINDS as WIRE
from simulator.faults.machine import KINDS as MACHINE
from tests.faults.case import Case
from tests.faults.cases import CASES
from tests.faults.document import PAGE, with_tables
from tests.faults.matrix import run_matrix

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
