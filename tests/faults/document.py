"""The table of docs/promises.md, made of the cases: what the page says is what the matrix holds."""

from pathlib import Path

from tests.benchmarks.document import table
from tests.faults.case import Case
from tests.faults.cases import CASES

PAGE = Path(__file__).parents[2] / "docs" / "promises.md"
HEAD = ("fault", "what happens", "shown", "recorded", "recovers", "within")
_BEGIN, _END = "<!-- begin {}: python -m tests.faults --document -->", "<!-- end {} -->"
SIDES = ("scanner", "machine")


def side_of(case: Case) -> str:
    """Whose fault it is."""
    return "machine" if case.machine(0) else "scanner"


def _shown(case: Case) -> str:
    return "; ".join(one.words for one in case.shown)


def promises(side: str) -> str:
    """The table of one side, in Markdown."""
    return table(
        HEAD,
        (
            (f"`{case.name}`", case.what, _shown(case), case.recorded, case.recovers, case.within)
            for case in CASES
            if side_of(case) == side
        ),
    )


def with_tables(text: str) -> str:
    """A page with today's tables between its marks."""
    for side in SIDES:
        begin, end = _BEGIN.format(side), _END.format(side)
        head, rest = text.split(begin, 1)
        _, tail = rest.split(end, 1)
        text = f"{head}{begin}\n\n{promises(side)}\n\n{end}{tail}"
    return text


def write() -> None:
    """Bring the page up to date."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
