"""One input tried: what it raises, how long it takes, how much memory it asks for."""

import gc
import logging
import os
import resource
import signal
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tests.fuzz.target import Target, packed, unpacked

LONGEST_S = 5.0  # of the processor, for one input
MOST_BYTES = 96 << 20  # that one input may ask for, beside
PER_BYTE = 200  # so much for each of its own
_HEADROOM = 3 << 30  # of address space: what asks for more gets a MemoryError
_LEAKED = 100  # handles or threads more than at the start: LSL opens and closes some by itself
_CHECKED = 500  # inputs between two looks at these


class Hang(BaseException):
    """An input took too long. No `except Exception` on the way stops it."""


@dataclass(frozen=True)
class Finding:
    """Something that an input did and should not. Those with one `key` are one."""

    key: str
    told: str


class Trial:
    """Tries inputs of one target, in the main thread.

    Parameters
    ----------
    target : Target
    bounded : bool
        Whether memory is bounded and watched, which holds for the whole process.
    """

    def __init__(self, target: Target, bounded: bool = False) -> None:
        self._target, self._bounded = target, bounded
        self.executions = 0
        for seed in target.seeds:  # valid ones; what is made or imported once is so by now
            target.run(seed)
        self._peak = _peak_bytes()
        for seed in target.seeds if bounded else ():
            target.run(seed)
            assert (grown := self._grown(packed(seed))) is None, grown
        self._handles = _handles()
        if bounded:
            limit = _size_bytes() + _HEADROOM
            resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

    def __call__(self, content: bytes) -> Finding | None:
        """What is wrong with how an input is read; None: nothing."""
        self.executions += 1
        found = self._raised(content) or self._grown(content)
        if found is None and self.executions % _CHECKED == 0:
            found = self._leaked()
        return found

    def _raised(self, content: bytes) -> Finding | None:
        signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
        try:
            self._target.run(unpacked(content, len(self._target.kinds)))
        except self._target.refusals as error:
            return _refused(error)
        except (Exception, Hang) as error:
            return _finding(error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return None

    def _grown(self, content: bytes) -> Finding | None:
        peak = _peak_bytes()
        grown, self._peak = peak - self._peak, peak
        if not self._bounded or grown <= MOST_BYTES + PER_BYTE * len(content):
            return None
        return Finding("memory", f"{grown >> 20} MiB were asked for by {len(content)} bytes")

    def _leaked(self) -> Finding | None:
        gc.collect()
        handles, before = _handles(), self._handles
        if all(now <= then + _LEAKED for now, then in zip(handles, before, strict=True)):
            return None
        self._handles = handles
        return Finding("leak", f"files and threads were {before}, are {handles}")


@contextmanager
def watched() -> Iterator[None]:
    """Hangs raise, warnings are as in the program, and every line of the log is made up."""
    handler, logger = _Log(), logging.getLogger("rtrecon")
    kept = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    before = signal.signal(signal.SIGPROF, _hang)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.signal(signal.SIGPROF, before)
        logger.removeHandler(handler)
        logger.level, logger.propagate = kept


class _Log(logging.Handler):
    """Makes up each line and throws it away; one that cannot be made up is a finding."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


def _hang(_signal: int, _frame: FrameType | None) -> None:
    raise Hang(f"over {LONGEST_S:g} s of the processor")


def _refused(error: Exception) -> Finding | None:
    """A refusal must not hide that memory ran out."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return _finding(cause)
        cause = cause.__cause__ or cause.__context__
    return None


def _finding(error: BaseException) -> Finding:
    told = "".join(traceback.format_exception(error))
    return Finding(f"{type(error).__name__} {_place(error)}", told[-8000:])


def _place(error: BaseException) -> str:
    """The last line of ours on the way to an error."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if "/tests/fuzz/" not in f.filename
    ]
    ours = [f for f in frames if "/rtrecon/" in f.filename or "/simulator/" in f.filename]
    last = (ours or frames)[-1:] or traceback.extract_tb(error.__traceback__)[-1:]
    return " ".join(f"{Path(f.filename).name}:{f.lineno}" for f in last)


def _handles() -> tuple[int, int]:
    files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    return files, threading.active_count()


def _status(key: bytes) -> int:
    """A size in this process's status, bytes; 0 where the system has no such file."""
    try:
        with open("/proc/self/status", "rb") as file:
            text = file.read()
    except OSError:
        return 0
    return int(text.partition(key)[2].split(None, 1)[0]) << 10


def _peak_bytes() -> int:
    return _status(b"VmPeak:")


def _size_bytes() -> int:
    return _status(b"VmSize:")
