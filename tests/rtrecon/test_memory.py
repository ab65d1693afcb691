"""What is loaded is not looked through again and again; what is freed goes back to the system."""

import ctypes
import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator

import psutil
import pytest
from threadpoolctl import threadpool_info

from rtrecon.memory import give_back, undisturbed

linux = pytest.mark.skipif(sys.platform != "linux", reason="of glibc")


class Round:
    """In a circle with itself, so that only a search finds it when nobody has it any more."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def searches() -> Iterator[list[int]]:
    """The generations that garbage was looked for in."""
    seen: list[int] = []

    def note(phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            seen.append(about["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def test_within_a_visit_opening_a_run_looks_through_nothing(searches: list[int]) -> None:
    with undisturbed():
        frozen = gc.get_freeze_count()
        assert frozen > 10_000
        searches.clear()
        with undisturbed():
            assert 2 not in searches
        assert gc.get_freeze_count() == frozen
    assert gc.get_freeze_count() == 0


def test_what_a_run_leaves_in_a_circle_is_let_go_of() -> None:
    with undisturbed():
        with undisturbed():
            left = Round()
            gone = weakref.ref(left)
            del left
        give_back()
        assert gone() is None


def test_matrix_products_have_one_thread() -> None:
    with undisturbed():
        assert {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"} == {1}


@linux
def test_what_is_freed_goes_back() -> None:
    """Though the last of it, at the heap's end, is still in use."""
    blocks = [bytearray(60_000) for _ in range(2000)]
    last = blocks.pop()
    full = psutil.Process().memory_info().rss
    del blocks
    give_back()
    assert psutil.Process().memory_info().rss < full - 80e6
    assert last


COUNT = """
import ctypes, threading
from rtrecon.memory import few_heaps
few_heaps()
def work():
    kept.append(bytearray(100_000)); barrier.wait()
kept, barrier = [], threading.Barrier(12)
threads = [threading.Thread(target=work) for _ in range(12)]
[t.start() for t in threads]; [t.join() for t in threads]
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout")); libc.fflush(None)
"""


@linux
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="of glibc")
def test_threads_share_two_heaps() -> None:
    told = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, check=True
    ).stdout
    assert told.count("<heap nr=") == 2
