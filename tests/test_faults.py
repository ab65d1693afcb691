"""What is promised of faults: the page says what the cases hold, and no fault is without a case."""

import re

import pytest

from simulator.faults import KINDS as WIRE
from simulator.faults.machine import KINDS as MACHINE
from tests.faults.case import Case
from tests.faults.cases import CASES
from tests.faults.document import PAGE, with_tables


def test_the_page_says_what_the_cases_hold() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_tables(text) == text, "python -m tests.faults --document writes it anew"


def test_every_fault_that_can_be_injected_has_a_case() -> None:
    injected = [fault for case in CASES for fault in (case.wire(5), case.machine(5)) if fault]
    names = {name for faults in injected for name in re.findall(r"([a-z-]+)=", faults)}
    assert names == {*WIRE, *MACHINE}
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_promises_something(case: Case) -> None:
    assert all((case.what, case.shown, case.recorded, case.recovers, case.checks))
    assert case.within_s > 0
