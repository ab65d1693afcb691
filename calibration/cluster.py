"""Many independent pieces of work: here one after the other, or on the workers of a dask cluster.

Each piece has a fixed number of threads wherever it runs, so that results are the same to the bit on
processors of one kind. A worker that dies costs its pieces another go (docs/cluster.md).
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from rtrecon.errors import Error

Task = TypeVar("Task")
Result = TypeVar("Result")

START_UP_S = 15.0  # until workers of one's own have started and loaded what they need
ANY_PORT = "127.0.0.1:0"  # for dask's own page, seen from this machine alone
ANSWER_S = 10  # that a scheduler may take to answer
_DEATHS = 3  # of workers under one piece of work, before it counts as what kills them


@dataclass(frozen=True)
class Where:
    """Where work is done.

    Attributes
    ----------
    scheduler : str
        Address of a dask scheduler, such as tcp://node:8786; empty: this machine alone.
    workers : int or None
        Processes on this machine, 1 for none of one's own; None: as many as the cores bear, once
        the first piece has shown that they pay.
    threads : int
        Of each piece of work.
    """

    scheduler: str = ""
    workers: int | None = None
    threads: int = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options --scheduler, --workers and --threads."""
    parser.add_argument(
        "--scheduler", default="", metavar="ADDRESS", help="of a dask cluster (tcp://node:8786)"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes here (default: what pays)"
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="of each fit (default: 1)"
    )


def where(options: argparse.Namespace) -> Where:
    """What the options say."""
    return Where(options.scheduler, options.workers, options.threads)


def fan_out(
    work: Callable[[Task], Result], tasks: Sequence[Task], where: Where | None = None
) -> Iterator[Result]:
    """Yield `work(task)` for each task, in their order, as soon as they are there.

    On a cluster `work` must be a function of a module, and what is large should be in files that the
    workers can read and be named in the task. Closing the iterator early cancels what is left.

    Raises
    ------
    Error
        No scheduler answers, dask is not installed, or one task killed several workers. What
        `work` raises comes through as it is, and is not tried again.
    """
    where = where or Where()
    with tqdm(total=len(tasks), desc="fits", unit="fit", leave=False, disable=None) as bar:
        for result in _results(work, tasks, where):
            bar.update()
            yield result


def _results(
    work: Callable[[Task], Result], tasks: Sequence[Task], where: Where
) -> Iterator[Result]:
    workers = where.workers or max(1, (os.cpu_count() or 1) // where.threads)
    if where.scheduler:
        with _client(where.scheduler) as client:
            yield from _far(client, work, tasks, where.threads)
        return
    first = 0
    if where.workers is None and tasks:  # the first one shows what others of its kind take
        began = time.monotonic()
        yield limited(work, tasks[0], where.threads)
        first = 1
        left_s = (time.monotonic() - began) * (len(tasks) - 1)
        if not pays(left_s, workers) or not _have_dask():
            workers = 1
    if workers == 1:
        yield from (limited(work, task, where.threads) for task in tasks[first:])
    else:
        with _own(workers) as client:
            yield from _far(client, work, tasks[first:], where.threads)


def pays(left_s: float, workers: int) -> bool:
    """Whether workers save more of what is left (s, one after the other) than their start takes."""
    return left_s * (1 - 1 / workers) > START_UP_S


def limited(work: Callable[[Task], Result], task: Task, threads: int) -> Result:
    """The work with so many threads in numpy, scipy and torch: sums are made in one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            return work(task)
    finally:
        torch.set_num_threads(before)


def _far(
    client: Any, work: Callable[[Task], Result], tasks: Sequence[Task], threads: int
) -> Iterator[Result]:
    from distributed import KilledWorker

    futures = [client.submit(limited, work, task, threads, pure=False) for task in tasks]
    try:
        for n, future in enumerate(futures):
            try:
                yield future.result()
            except KilledWorker as killed:
                raise Error(
                    f"fit {n + 1} of {len(tasks)}: its worker died each time it was tried, as a rule "
                    f"for want of memory: give the workers more, or make the fits smaller ({killed})"
                ) from None
            future.release()
    finally:
        client.cancel([future for future in futures if not future.done()])


@contextmanager
def _client(address: str) -> Iterator[Any]:
    if not _have_dask():
        raise Error(f"scheduler '{address}': dask is not installed: pip install 'rtrecon[cluster]'")
    from distributed import Client

    try:
        client = Client(address, timeout=ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise Error(
            f"scheduler '{address}': none answers within {ANSWER_S} s: start one with `dask scheduler` "
            "or leave it out to work on this machine alone"
        ) from error
    with client:
        yield client


@contextmanager
def _own(workers: int) -> Iterator[Any]:
    if not _have_dask():
        raise Error(f"{workers} workers: dask is not installed: pip install 'rtrecon[cluster]'")
    import dask
    from distributed import LocalCluster

    settings = {"distributed.scheduler.allowed-failures": _DEATHS}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=ANY_PORT
        ) as cluster,
        _client(cluster.scheduler_address) as client,
    ):
        yield client


def _have_dask() -> bool:
    from importlib.util import find_spec

    return find_spec("distributed") is not None
