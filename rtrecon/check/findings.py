"""What was looked at, whether it is well, and what to do where it is not."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtrecon.errors import Error
from rtrecon.printable import printable

_WAY_OUT = re.compile(r"^(.*): (?!rtrecon )(.+)$", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. Its words may hold text from the network or from files.

    Attributes
    ----------
    name : str
    ok : bool or None
        None: it works, and deserves a look; or it could not be looked at.
    text : str
        What was found, with its values.
    way_out : str
        What to do about it; empty where nothing has to be done.
    """

    name: str
    ok: bool | None
    text: str
    way_out: str = ""


def red(name: str, error: Exception) -> Finding:
    """A finding of an error: ours say the way out behind their last colon."""
    if not isinstance(error, Error):
        text = f"{type(error).__name__}: {error}"
        return Finding(name, False, text, "this was not foreseen: please report it")
    line = " ".join(str(error).split())
    parts = _WAY_OUT.match(line)
    return Finding(name, False, *(parts.groups() if parts else (line,)))


def skipped(name: str, lacking: str) -> Finding:
    """What cannot be looked at before something else is there."""
    return Finding(name, None, f"not looked at: there is no {lacking}")


def tried(name: str, look: Callable[[], str]) -> Finding:
    """What a look says, or the error it ends with."""
    try:
        return Finding(name, True, look())
    except Exception as error:
        return red(name, error)


MARKS = {True: "ok", None: "look", False: "BAD"}


def lines(finding: Finding) -> list[str]:
    """A finding for a terminal."""
    mark = f"{MARKS[finding.ok]:<5}"
    told = [f"{mark} {finding.name:<20} {printable(finding.text)}"]
    return told + [f"{'':26} -> {printable(finding.way_out)}"] * bool(finding.way_out)


def ready(findings: Sequence[Finding]) -> bool:
    """Whether nothing is red."""
    return not any(finding.ok is False for finding in findings)
