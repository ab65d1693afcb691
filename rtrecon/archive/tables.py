"""Tables and JSON as BIDS wants them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any

from rtrecon.printable import printable


def write_tsv(file: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table; what a row lacks is n/a, and no text breaks out of its cell."""
    with file.open("w", encoding="utf-8", newline="\n") as out:
        out.write("\t".join(columns) + "\n")
        out.writelines("\t".join(_cell(row.get(c)) for c in columns) + "\n" for row in rows)


def write_json(file: Path, content: Any) -> None:
    """Write JSON that people can read."""
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def number(text: str | None) -> float:
    """A cell as a number; nan where there is none."""
    try:
        return float(text or nan)
    except ValueError:
        return nan


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") if isfinite(value) else "n/a"
    text = printable(str(value)) if value is not None else ""
    return "n/a" if text in ("", "nan") else text
