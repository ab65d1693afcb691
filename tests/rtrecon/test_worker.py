"""One thread does everything that it is given, in order, and hands back what came of it."""

import threading

import pytest

from rtrecon.worker import Worker


def test_everything_is_done_in_one_thread_and_in_order() -> None:
    worker, done = Worker("rtrecon-test"), []
    futures = [
        worker.submit(lambda n=n: (done.append(n), threading.current_thread().name)[1])  # type: ignore[misc]
        for n in range(20)
    ]
    assert {future.result(timeout=5) for future in futures} == {"rtrecon-test"}
    assert done == list(range(20))
    assert worker.close(timeout_s=5)


def test_an_error_is_the_askers_and_the_thread_goes_on() -> None:
    worker = Worker("rtrecon-test")
    failed = worker.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        failed.result(timeout=5)
    assert worker.submit(lambda: 3).result(timeout=5) == 3
    assert worker.close(timeout_s=5)


def test_who_waits_for_a_stuck_call_waits_no_longer_than_said() -> None:
    worker, gate = Worker("rtrecon-test"), threading.Event()
    worker.submit(gate.wait)
    assert not worker.close(timeout_s=0.01)
    gate.set()
    assert worker.close(timeout_s=5)


def test_the_memory_of_a_failed_call_is_given_back() -> None:
    """Else what it had allocated would be missing for the next, cheaper one."""
    import weakref

    class Large:
        pass

    held: list[weakref.ref[Large]] = []

    def fail() -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise MemoryError

    worker = Worker("rtrecon-test")
    future = worker.submit(fail)
    with pytest.raises(MemoryError) as told:
        future.result(timeout=5)
    del future, told
    worker.submit(lambda: None).result(timeout=5)
    assert held[0]() is None
    assert worker.close(timeout_s=5)
