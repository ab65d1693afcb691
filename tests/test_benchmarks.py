"""The tables of docs/benchmarks.md: what is around them stays."""

from pathlib import Path

import pytest

from rtrecon.generators.compute import Compute
from tests.benchmarks import generators
from tests.benchmarks.document import write


def test_new_tables_leave_prose_and_other_machines_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text("# What a picture costs\n", encoding="utf-8")
    here = Compute.best().device.type
    write(document, "another", "| of another machine |")
    write(document, here, "| old |")
    with document.open("a", encoding="utf-8") as end:
        end.write("\nWhat it means.\n")
    monkeypatch.setattr(generators, "STEPS", (2,))
    monkeypatch.setattr(generators.precision, "BATCHES", (1,))
    size = ("--reduced", "--only", "sd-turbo", "--repeats", "1", "--window-s", ".5")
    generators.main([*size, "--document", str(document)])
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# What a picture costs\n")
    assert text.endswith("\nWhat it means.\n")
    assert "| of another machine |" in text
    assert "| old |" not in text
    assert text.count(f"<!-- begin {here}:") == text.count(f"<!-- end {here}:") == 1
    rows = [line for line in text.splitlines() if line.startswith("| sd-turbo | random |")]
    assert all(f"| sd-turbo | {decoder} | 2 |" in text for decoder in ("full", "small"))
    assert ["full" in row for row in rows] == [True, False]
    assert all(len(row.split(" | ")) == len(generators.HEAD) for row in rows)
