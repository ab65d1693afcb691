"""What is loaded stays out of the way of threads that must not wait; what is freed goes back."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from threadpoolctl import threadpool_limits

_M_ARENA_MAX = -8  # malloc.h


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keeps the decoding thread from waiting (docs/signal.md, "Cost").

    Its matrix products are small: a second thread gains nothing, and where the display has its
    core, the first one waits for it. Torch has threads of its own. And whatever is loaded by now
    stays: looking through all of it for garbage would stop every thread for a third of a second.
    That is done once, before a window is there; within, where a run is opened, nothing is looked
    through: what has come since is a tenth, and must be let go of when the run is over.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        gc.unfreeze()


def few_heaps() -> None:
    """Have all threads share two heaps; call before there are any.

    Of glibc's, each thread gets one of its own, up to eight for a core, and what is freed in one
    serves no other: as each run has threads of its own, a program grew for hours (docs/benchmarks.md,
    "A day"). With one there would be more waiting for each other.
    """
    _glibc("mallopt", _M_ARENA_MAX, 2)


def give_back() -> None:
    """Let the system have the memory that nobody uses. Takes some ms, in which the caller waits."""
    gc.collect()
    _glibc("malloc_trim", 0)


def _glibc(function: str, *arguments: int) -> None:
    """Call it, where the C library has it."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            getattr(ctypes.CDLL(None), function)(*arguments)
