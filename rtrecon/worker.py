"""One thread that does what it is given, one thing after the other."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
_Task = tuple[Future[Any], Callable[[], Any]]


class Worker:
    """The owner of a model: it is loaded, measured and used in this thread alone.

    CUDA graphs belong to the thread that recorded them, and no pipeline is thread-safe. A daemon,
    so that a model stuck in its driver cannot keep the program from ending.
    """

    def __init__(self, name: str) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Do it when everything before is done; the future has its result or its error."""
        future: Future[T] = Future()
        self._tasks.put((future, call))
        return future

    def close(self, timeout_s: float) -> bool:
        """Take no more; returns whether everything was done in time."""
        self._tasks.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, call = task
            try:
                future.set_result(call())
            except BaseException as error:  # it is the asker's to handle
                future.set_exception(error)
            del task, future, call  # or an error's frames would keep the model's memory
