"""What can be made to go wrong in a replay: `lose=5,double=9,die=20`."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rtrecon.errors import BadConfig


@dataclass(frozen=True)
class Faults:
    """Numbers of the volumes that something happens to.

    Attributes
    ----------
    lose : frozenset of int
        Never sent.
    nan : frozenset of int
        Sent full of NaN (float32 streams only).
    double : frozenset of int
        Sent twice.
    die : frozenset of int
        The scanner stops dead before the first of these.
    """

    lose: frozenset[int] = frozenset()
    nan: frozenset[int] = frozenset()
    double: frozenset[int] = frozenset()
    die: frozenset[int] = frozenset()

    def sent(self, number: int, data: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        """What is sent for this volume: nothing, it, or it twice."""
        if number in self.lose:
            return []
        if number in self.nan:
            data = np.full_like(data, np.nan)
        return [data, data] if number in self.double else [data]

    def check(self, n_volumes: int, dtype: str) -> None:
        """See that these faults can happen in a run.

        Raises
        ------
        BadConfig
            A volume that the run does not have, or NaN where volumes are integers.
        """
        for fault in fields(self):
            for number in getattr(self, fault.name):
                if number >= n_volumes:
                    last = n_volumes - 1
                    raise BadConfig(f"--faults {fault.name}={number}: the run's last is {last}")
        if self.nan and dtype != "float32":
            raise BadConfig(f"--faults nan={min(self.nan)}: this run is {dtype}, which has no NaN")


def parse_faults(text: str) -> Faults:
    """Faults as the command line has them.

    Raises
    ------
    ValueError
        Not a list of `name=volume` with known names.
    """
    asked: dict[str, set[int]] = {fault.name: set() for fault in fields(Faults)}
    for item in filter(None, text.split(",")):
        name, _, number = item.partition("=")
        if name not in asked or not number.isdecimal():
            raise ValueError(f"'{item}': name=volume wanted, name one of {', '.join(asked)}")
        asked[name].add(int(number))
    return Faults(**{name: frozenset(numbers) for name, numbers in asked.items()})
