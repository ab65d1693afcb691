"""What can be made to go wrong in the session's own machine, to rehearse it: `generator-stuck=20,suspend=40:30`.

Each fault is put in at a seam of the session, by the number of the volume that comes: the recorder, the
generator's loader, the disk, the window's timer. The session's log says that it was rehearsed.
"""

import errno
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.errors import BadConfig
from rtrecon.generators import Aim, Generator, Newer, Step, load_generator
from rtrecon.generators.apart import Apart, load_apart

if TYPE_CHECKING:  # torch takes seconds
    from rtrecon.generators.compute import Compute

log = logging.getLogger("rtrecon.rehearsal")  # what is said goes to the session's log as well


@dataclass(frozen=True)
class Kind:
    """One thing that can go wrong.

    Attributes
    ----------
    about : str
        In a few words.
    seconds : float or None
        How long where nothing else is said; None: that is not asked.
    """

    about: str
    seconds: float | None = None


KINDS: dict[str, Kind] = {
    "generator-slow": Kind("each step of the next two pictures takes so many seconds more", 0.5),
    "generator-stuck": Kind("the generator never answers again"),
    "generator-memory": Kind("the generator runs out of memory"),
    "generator-raise": Kind("the generator fails with an error"),
    "generator-crash": Kind("the generator's process crashes"),
    "disk-slow": Kind("each write takes half a second, for so many seconds", 3.0),
    "disk-full": Kind("the disk takes nothing more, for so many seconds", 3.0),
    "disk-readonly": Kind("the disk is read-only, for so many seconds", 3.0),
    "display-close": Kind("the window is closed"),
    "display-stuck": Kind("the window stands still for so many seconds", 3.0),
    "display-crash": Kind("the window crashes, and its process with it"),
    "kill": Kind("the session's process is killed"),
    "suspend": Kind("the session's process is suspended for so many seconds", 5.0),
}
_SLOW_PICTURES = 2
_SLOW_WRITE_S = 0.5
_REFUSED = {"disk-full": errno.ENOSPC, "disk-readonly": errno.EROFS}


@dataclass(frozen=True)
class MachineFault:
    """One fault, when the volume of this number comes."""

    name: str
    volume: int
    seconds: float = 0.0


def parse_machine_faults(text: str) -> tuple[MachineFault, ...]:
    """Faults as the command line has them.

    Raises
    ------
    ValueError
        Not a list of `name=volume` or `name=volume:seconds` with known names.
    """
    return tuple(_fault(item) for item in filter(None, text.split(",")))


def _fault(item: str) -> MachineFault:
    name, _, where = item.partition("=")
    volume, colon, seconds = where.partition(":")
    kind = KINDS.get(name)
    if kind is None or not volume.isdecimal():
        known = ", ".join(KINDS)
        raise ValueError(f"'{item}': name=volume wanted, name one of {known}")
    if not colon:
        return MachineFault(name, int(volume), kind.seconds or 0.0)
    try:
        lasts = float(seconds)
    except ValueError:
        lasts = inf
    if kind.seconds is None or not 0 < lasts <= 3600:
        raise ValueError(f"'{item}': {name} takes {_takes(kind)}")
    return MachineFault(name, int(volume), lasts)


def _takes(kind: Kind) -> str:
    return "no seconds" if kind.seconds is None else "0 to 3600 s after its volume"


def rehearse(faults: Sequence[MachineFault], arguments: Sequence[str]) -> int:
    """Run `rtrecon` with these arguments in this process, with faults; returns its exit code.

    Raises
    ------
    BadConfig
        It is no session that is to be run.
    """
    if not arguments or arguments[0] != "run":
        raise BadConfig("rehearse what? After -- comes a session: run --decoder DIR ...")
    program = import_module(
        "rtrecon.__main__"
    )  # by its name: it knows windows, and nothing here does
    with _put_in(faults, display="--headless" not in arguments):
        return int(program.main(arguments))


@contextmanager
def _put_in(faults: Sequence[MachineFault], display: bool) -> Iterator[None]:
    with ExitStack() as seams, tempfile.TemporaryDirectory() as asked:
        machine = _Machine(faults, Path(asked))
        seams.enter_context(_before("rtrecon.record", "Recorder.volume", machine.volume))
        seams.enter_context(_before("rtrecon.growing", "disk_write", machine.write))
        faulty = partial(_apart, asked=asked)
        seams.enter_context(_in_place_of("rtrecon.models", "load_apart", faulty))
        if display:
            window = "rtrecon.display.session_window", "SessionWindow.tick"
            seams.enter_context(_before(*window, machine.tick))
        yield


@contextmanager
def _in_place_of(module: str, name: str, other: Callable[..., Any]) -> Iterator[Any]:
    """Have `other` called in the place of a function, which is given."""
    *within, name = name.split(".")
    owner: Any = import_module(module)
    for part in within:
        owner = getattr(owner, part)
    real = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield real
    finally:
        setattr(owner, name, real)


@contextmanager
def _before(module: str, name: str, first: Callable[..., None]) -> Iterator[None]:
    """Have `first` called with what a function is called with, before it."""

    def both(*arguments: Any) -> Any:
        first(*arguments)
        return real(*arguments)

    with _in_place_of(module, name, both) as real:
        yield


def _apart(name_or_folder: str, asked: str) -> Apart:
    """The generator in a process of its own, which looks into a folder for what is to go wrong."""
    return load_apart(f"{asked}|{name_or_folder}", f"{__name__}:load_faulty")


class _Machine:
    """Which faults are in at this moment. Asked from several threads."""

    def __init__(self, faults: Sequence[MachineFault], asked: Path) -> None:
        self._coming = list(faults)
        self._asked = asked
        self._until: dict[str, float] = {}  # of a disk's fault, by time.monotonic
        self._window: list[MachineFault] = []

    def volume(self, recorder: object, volume: Any) -> None:
        """A volume came: what is to go wrong with it does so now."""
        now = [fault for fault in self._coming if fault.volume <= volume.number]
        for fault in now:
            self._coming.remove(fault)
            log.warning(
                "rehearsed: %s (volume %d): %s",
                fault.name, volume.number, KINDS[fault.name].about,
            )  # fmt: skip
            self._begin(fault)

    def _begin(self, fault: MachineFault) -> None:
        if fault.name.startswith("generator-"):
            part = self._asked / f"{fault.name}.part"
            part.write_text(f"{fault.seconds}")  # past the seam of the disk, which may be full
            part.replace(self._asked / fault.name)
        elif fault.name.startswith("disk-"):
            self._until[fault.name] = time.monotonic() + fault.seconds
        elif fault.name.startswith("display-"):
            self._window.append(fault)
        elif fault.name == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            _suspend(fault.seconds)

    def write(self, *arguments: object) -> None:
        """The disk takes its time, or refuses."""
        now = time.monotonic()
        for name, until in list(self._until.items()):
            if now >= until:
                continue
            if name not in _REFUSED:
                time.sleep(_SLOW_WRITE_S)
                continue
            raise OSError(_REFUSED[name], os.strerror(_REFUSED[name]))

    def tick(self, window: Any) -> None:
        """The window's turn, in Qt's thread."""
        if not self._window:
            return
        fault = self._window.pop(0)
        if fault.name == "display-stuck":
            time.sleep(fault.seconds)
        elif fault.name == "display-crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        else:
            window.window().close()


def _suspend(seconds: float) -> None:
    """Stand still; another process wakes this one."""
    wake = "import os, sys, time; time.sleep(float(sys.argv[1])); os.kill(int(sys.argv[2]), 18)"
    subprocess.Popen([sys.executable, "-S", "-c", wake, f"{seconds}", f"{os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)


def load_faulty(name: str, compute: "Compute | None") -> Generator:
    """A generator that does what it is asked to by files in a folder, once each: "folder|name"."""
    asked, _, real = name.partition("|")
    return _Faulty(load_generator(real, compute), Path(asked))  # type: ignore[return-value]


class _Faulty:
    """A generator in front of the real one; what goes wrong, goes wrong between two steps."""

    def __init__(self, real: Generator, asked: Path) -> None:
        self._real, self._asked = real, asked
        self._slow_s, self._slow_pictures = 0.0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        """As the real one, if nothing is to go wrong."""
        self._slow_pictures = max(0, self._slow_pictures - 1)
        for step in self._real.images(aim, seed, settings, newer):
            for file in self._asked.iterdir():
                if file.name in KINDS:
                    self._go_wrong(file)
            if self._slow_pictures:
                time.sleep(self._slow_s)
            yield step

    def _go_wrong(self, asked: Path) -> None:
        seconds = float(asked.read_text())
        asked.unlink()
        if asked.name == "generator-slow":
            self._slow_s, self._slow_pictures = seconds, _SLOW_PICTURES
        elif asked.name == "generator-stuck":
            time.sleep(1e6)
        elif asked.name == "generator-memory":
            raise MemoryError("rehearsed: out of memory")
        elif asked.name == "generator-raise":
            raise RuntimeError("rehearsed: the generator fails")
        else:
            os.kill(os.getpid(), signal.SIGSEGV)

    def decode_latents(self, z: NDArray[np.float32]) -> NDArray[np.uint8] | None:
        """As the real one."""
        return self._real.decode_latents(z)
