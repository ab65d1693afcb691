"""Every fault and what is promised of it: the page of promises and the matrix are made of these."""

from tests.faults.case import Case
from tests.faults.machine_cases import MACHINE
from tests.faults.wire_cases import WIRE

NONE = Case("none", "nothing happens", (), "", "", 0.0, harmless=True)
"""What the others are compared with."""

CASES: tuple[Case, ...] = (*WIRE, *MACHINE)
