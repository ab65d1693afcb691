"""Firings as commands that are run: argument lists of the configuration, never a shell."""

import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import monotonic
from typing import IO

from rtrecon.errors import BadConfig
from rtrecon.outputs.device import Addressee, Item, Plain, require
from rtrecon.types import Firing

log = logging.getLogger(__name__)

_PLACE = re.compile(r"\{(person|value|number)\}")
_AT_ONCE = 8  # commands that run at the same time
_POLL_S = 0.05
_LOGGED_BYTES = 4096  # of what a command says


@dataclass(frozen=True)
class CommandTrigger:
    """`[[trigger]] kind = "command"`: a program that is started for each firing.

    Attributes
    ----------
    command : tuple of str
        The program and its arguments, in which `{person}`, `{value}` and `{number}` are replaced
        by plain text; the program's name is taken as it is.
    timeout_s : float
        After so long it is killed, with all that it started.
    """

    kind: str
    command: tuple[str, ...]
    timeout_s: float = 10.0
    person: str = ""

    def __post_init__(self) -> None:
        said = list(self.command)
        require(bool(said and said[0]), "command", said, 'a list, such as ["notify-send", "now"]')
        require(not any("\0" in part for part in said), "command", said, "text without zero bytes")
        require(0 < self.timeout_s <= 3600, "timeout_s", self.timeout_s, "above 0 and up to 3600")

    def make(self, to: Addressee) -> "Commands":
        """Such an output."""
        return Commands(self.command, self.timeout_s)


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    until: float  # time.monotonic


class Commands(Plain):
    """The commands that run. Starting one waits for nothing but the system's `exec`."""

    def __init__(self, command: tuple[str, ...], timeout_s: float) -> None:
        self.name = f"command {Path(command[0]).name}"
        self._command, self._timeout_s = command, timeout_s
        self._running: list[_Running] = []

    def open(self) -> None:
        """See that there is such a program.

        Raises
        ------
        BadConfig
        """
        program = self._command[0]
        if shutil.which(program) is None:
            raise BadConfig(f"command '{program}' is no program here: write its whole path")

    def send(self, item: Item) -> None:
        """Start the command.

        Raises
        ------
        OSError
            It cannot be started.
        """
        assert isinstance(item, Firing)
        self.tick()
        if len(self._running) >= _AT_ONCE:
            self._stop(self._running[0], f"is one of {_AT_ONCE} that run already")
        said = tempfile.TemporaryFile()  # and not a pipe, which would have to be read  # noqa: SIM115
        try:
            process = subprocess.Popen(
                arguments_of(self._command, item), stdin=subprocess.DEVNULL, stdout=said,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            said.close()
            raise
        self._running.append(_Running(process, said, monotonic() + self._timeout_s))

    def tick(self) -> float:
        """Take leave of what has ended, and kill what takes too long."""
        for one in list(self._running):
            if monotonic() > one.until:
                self._stop(one, f"took more than {self._timeout_s:g} s")
            elif _ended(one.process):
                self._tell(one)
        return _POLL_S if self._running else inf

    def close(self) -> None:
        """Kill what still runs, with all that it started."""
        for one in list(self._running):
            self._stop(one, "still runs at the end")

    def _stop(self, one: _Running, why: str) -> None:
        log.warning("%s %s: killed", self.name, why)
        _kill(one.process)
        self._tell(one)

    def _tell(self, one: _Running) -> None:
        self._running.remove(one)
        with suppress(subprocess.TimeoutExpired):  # stuck in the system, it cannot be killed
            one.process.wait(timeout=1)
        code = one.process.returncode
        with one.said:
            one.said.seek(0)
            said = one.said.read(_LOGGED_BYTES).decode(errors="replace").rstrip()
        level = logging.WARNING if code else logging.INFO
        log.log(level, "%s ended with %s%s", self.name, code, f": {said}" if said else "")


def arguments_of(command: tuple[str, ...], firing: Firing) -> list[str]:
    """The arguments for one firing: each place is replaced once, within its argument."""
    program, *arguments = command
    known = {
        "person": firing.person, "value": f"{firing.score.value:.6g}", "number": str(firing.number)
    }  # fmt: skip
    return [program, *(_PLACE.sub(lambda place: known[place[1]], part) for part in arguments)]


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it and all that it started have."""
    if process.poll() is None:
        return False
    try:
        os.killpg(process.pid, 0)  # a group outlives its first process
    except (ProcessLookupError, AttributeError):  # there are no groups on Windows
        return True
    except PermissionError:
        return False
    return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    except AttributeError:
        process.kill()
