"""What a session left: its folder and how its processes ended."""

import json
from dataclasses import dataclass
from functools import cached_property
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtrecon.errors import Error
from rtrecon.session_folder import Row, SessionFolder, open_session_folder
from tests.faults.scan import TR_S, Scan
from tests.faults.sent import Sent

ENDS_S = 2.5


@dataclass(frozen=True)
class Outcome:
    """What became of one session.

    Attributes
    ----------
    scan : Scan
        What it was sent.
    output : Path
        Its folder.
    at : int
        The number of the volume at which the fault was put in.
    sent : Sent
        What the scanner's faults made of the run.
    speed : float
    exit_code : int or None
        Of `rtrecon`; None: it did not end in time.
    left : tuple of int
        Processes that it started and that work still.
    said : str
        What it and its scanner said.
    took_s : float
        From its start to its end.
    """

    scan: Scan
    output: Path
    at: int
    sent: Sent
    speed: float
    exit_code: int | None
    left: tuple[int, ...]
    said: str
    took_s: float

    @cached_property
    def folder(self) -> SessionFolder:
        """Read back."""
        return open_session_folder(self.output)

    @cached_property
    def status(self) -> list[dict[str, Any]]:
        """The lines of status.jsonl."""
        return self.folder.lines("status.jsonl")

    @cached_property
    def log(self) -> list[str]:
        """The lines of log.txt."""
        return (self.output / "log.txt").read_text(encoding="utf-8").splitlines()

    @cached_property
    def summary(self) -> dict[str, Any]:
        """summary.json; empty where there is none."""
        file = self.output / "summary.json"
        told: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
        return told

    @property
    def counts(self) -> dict[str, int]:
        """What became of the volumes, by summary.json or, without it, by status.jsonl."""
        counts: dict[str, int] = self.summary.get("volumes") or self.status[-1]["counts"]
        return counts

    @cached_property
    def observed(self) -> str:
        """The counts and how it ended, in a few words."""
        try:
            rows = len(self.folder.rows)
            counts = self.counts if self.summary else {"on disk": rows}
        except (Error, OSError, LookupError):
            return f"no record; exit {self.exit_code}"
        told = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
        return f"{told}; exit {self.exit_code}"

    @property
    def volume_s(self) -> float:
        """From one volume to the next, by the clock."""
        return TR_S / self.speed

    @property
    def ends_soon(self) -> bool:
        """Whether the run is over before much can be seen of a fault."""
        return (len(self.scan.volumes) - self.at) * self.volume_s < ENDS_S

    @property
    def goes_on(self) -> bool:
        """Whether anything that can be used was sent after the fault."""
        return any(fate.untouched and fate.number > self.at for fate in self.sent.effect.fates)

    @property
    def fault_s(self) -> float:
        """When the fault was put in, on the session's clock: when its volume was due."""
        rows = self.folder.rows[: max(1, self.at)]
        starts = [float(row["acquired"]) - int(row["number"]) * self.volume_s for row in rows]
        return min(starts, default=nan) + self.at * self.volume_s

    def rows_after(self) -> list[Row]:
        """The volumes that came after the fault and were used."""
        return [
            row for row in self.folder.rows
            if row["fault"] == "n/a" and float(row["received"]) > self.fault_s
            and int(row["number"]) != self.at
        ]  # fmt: skip

    def volumes_back_s(self) -> float | None:
        """From the fault to the next volume that was used; inf: none was."""
        after = [float(row["received"]) - self.fault_s for row in self.rows_after()]
        return min(after, default=inf)

    def pictures_back_s(self) -> float | None:
        """From the fault to the next picture of a volume that came later; inf: none was."""
        shown = self.folder.table("frames.tsv")
        after = [
            float(row["painted"]) - self.fault_s for row in shown
            if float(row["received"]) > self.fault_s
        ]  # fmt: skip
        return min(after, default=inf)

    def over_s(self) -> float:
        """From the fault to when the session knew that the run was over; inf: it never did."""
        ends = [float(line["time"]) for line in self.status if line["phase"] == "ended"]
        return min(ends, default=inf) - self.fault_s

    def array(self, name: str) -> NDArray[np.generic]:
        """Rows of one of its arrays that are whole."""
        array = self.folder.array(name)
        return np.zeros((0, 0)) if array is None else array[: len(self.folder.table("trials.tsv"))]
