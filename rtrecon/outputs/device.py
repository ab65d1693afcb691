"""What every way out of the program looks like to the thread that owns it."""

from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Protocol

from rtrecon.errors import BadConfig
from rtrecon.types import Firing, Person, Score

Item = Score | Firing


class Device(Protocol):
    """One way out: opened, used and closed in one thread of its own, which may wait for it.

    What goes wrong is raised, as OSError or as whatever its library has; afterwards the device is
    closed and opened again.

    Attributes
    ----------
    name : str
        For people, such as "osc 127.0.0.1:9000".
    every : bool
        Whether it gets every score, and not only the newest of those that wait.
    claims : frozenset of str
        Streams and files that no other device may have.
    """

    name: str
    every: bool
    claims: frozenset[str]

    def open(self) -> None:
        """Get hold of it.

        Raises
        ------
        BadConfig
            It is not there, or is not what the configuration says.
        """
        ...

    def send(self, item: Item) -> None:
        """Give it a score or a firing."""
        ...

    def tick(self) -> float:
        """Do what is due by itself; returns after how many s it wants to be called again."""
        ...

    def close(self) -> None:
        """Leave it dark and silent, and let go of it. Also after a fault, and when not open."""
        ...


@dataclass(frozen=True)
class Addressee:
    """What a device has to know besides its own table of the configuration.

    Attributes
    ----------
    stream : str
        Name of the session's stream.
    people : tuple of Person
        Those whose scores or firings go there.
    folder : Path or None
        Of the session; None: nothing is recorded.
    """

    stream: str
    people: tuple[Person, ...] = field(default=(Person(),))
    folder: Path | None = None


class Plain:
    """A device that gets the newest score alone, claims nothing, and does nothing by itself."""

    every = False
    claims: frozenset[str] = frozenset()

    def tick(self) -> float:
        """Nothing is due, ever."""
        return inf


def require(holds: bool, key: str, value: object, must: str) -> None:
    """Refuse a key's value.

    Raises
    ------
    BadConfig
    """
    if not holds:
        raise BadConfig(f"{key} = {value!r}: must be {must}")
