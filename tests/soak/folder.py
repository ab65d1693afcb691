"""A run's folder, looked at before it is deleted: all volumes are there; how late things were."""

import json
from dataclasses import dataclass
from pathlib import Path

from rtrecon.session_folder import SessionFolder, open_session_folder
from tests.soak.day import Act, Run


@dataclass(frozen=True)
class Latencies:
    """Of one run, in ms; one value a volume: arrival to decoded, arrival to its first picture."""

    decoded: list[float]
    shown: list[float]


class Incomplete(Exception):
    """A run whose folder lacks something."""


def checked(folder: Path, run: Run) -> Latencies:
    """How late things were in a run whose volumes are all on disk.

    Raises
    ------
    Incomplete
    """
    session = open_session_folder(folder)
    numbers = [int(row["number"]) for row in session.rows]
    wanted = [n for part in run.parts for n in range(part)]
    if run.act is Act.STOPPED:
        wanted = wanted[: max(len(numbers), run.volumes * 4 // 5)]
    if numbers != wanted:
        raise Incomplete(f"run {run.number}: {len(numbers)} of {len(wanted)} volumes on disk")
    summary = json.loads((folder / "summary.json").read_text())
    lost, unwritten = summary["volumes"]["lost"], summary["recording"]["failed_writes"]
    if run.act is Act.STOPPED:
        lost = 0  # what had been sent by then and waited still
    if lost or unwritten:
        raise Incomplete(f"run {run.number}: {lost} volumes lost, {unwritten} things not recorded")
    return latencies(session)


def latencies(session: SessionFolder) -> Latencies:
    """Of all volumes that were decoded, and of those that a picture was shown of."""
    first: dict[str, float] = {}
    for row in session.table("frames.tsv"):
        first.setdefault(row["received"], _ms(row, "painted"))
    return Latencies(
        [_ms(row, "decoded") for row in session.table("trials.tsv")], list(first.values())
    )


def _ms(row: dict[str, str], what: str) -> float:
    return 1e3 * (float(row[what]) - float(row["received"]))
