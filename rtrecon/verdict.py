"""How a record and what is computed anew compare: where they first differ, how often and how far."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtrecon.session_folder import Row


@dataclass
class Check:
    """One table, array or folder of pictures of the record, held to today's.

    Attributes
    ----------
    compared, different : int
        Rows.
    first : str
        The first difference, in words.
    largest : float
        The largest relative difference of any value.
    """

    name: str
    compared: int = 0
    different: int = 0
    first: str = ""
    largest: float = 0.0

    def differs(self, what: str) -> None:
        """Take note of a row that differs."""
        self.different += 1
        self.first = self.first or what

    def array(self, where: str, recorded: NDArray[Any], today: NDArray[Any]) -> None:
        """Compare one row, to the bit."""
        self.compared += 1
        if recorded.shape != today.shape:
            self.differs(f"{where}: shape {recorded.shape} recorded, {today.shape} today")
            return
        apart = (recorded != today) & ~((recorded != recorded) & (today != today))  # nan is nan
        if not apart.any():
            return
        at = tuple(int(n) for n in np.argwhere(apart)[0])
        a, b = recorded[apart].astype(float), today[apart].astype(float)
        with np.errstate(invalid="ignore"):  # of what is infinite
            relative = np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))
        self.largest = max(self.largest, float(relative.max()))
        place = ", ".join(map(str, at))
        self.differs(f"{where}, element [{place}]: {a[0]:.9g} recorded, {b[0]:.9g} today")

    def cells(self, where: str, recorded: Row, today: Row) -> None:
        """Compare one row of a table, as text."""
        self.compared += 1
        for column in today:
            if column in recorded and recorded[column] != today[column]:
                self.differs(
                    f"{where}, {column}: {recorded[column]} recorded, {today[column]} today"
                )
                return


@dataclass
class Verdict:
    """What a session was, what is different around it today, and how each part compares."""

    notes: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def first(self) -> str:
        """The first difference; empty where all is identical."""
        return next((f"{check.name} {check.first}" for check in self.checks if check.first), "")

    def table(self) -> str:
        """For people: a line a part."""
        rows = [("part", "compared", "different", "largest relative", "first difference")]
        rows += [
            (c.name, str(c.compared), str(c.different), f"{c.largest:.2g}", c.first or "none")
            for c in self.checks
        ]
        widths = [max(len(row[n]) for row in rows) for n in range(4)]
        return "\n".join(
            "  ".join(
                [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]
            )
            for row in rows
        )
