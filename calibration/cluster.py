"""Many independent pieces of work: here one after the other, or on the workers of a dask cluster.

Each piece has a fixed number of threads wherever it runs, so that results are the same to the bit on
processors of one kind. A worker that dies costs its pieces another go (docs/cluster.md).
"""

import argparse
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
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
        Processes on this machine, 1 for none of one's own; None: as many as cores and memory bear,
        once the first piece has shown that they pay and what one takes.
    threads : int
        Of each piece of work.
    """

    scheduler: str = ""
    workers: int | None = None
    threads: int = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options --scheduler, --workers and --threads."""
    group = parser.add_argument_group("where the work is done (docs/cluster.md)")
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a dask cluster, such as tcp://node:8786"
    )
    group.add_argument(
        "--workers", type=count, metavar="N", help="processes here (default: as many as pay)"
    )
    group.add_argument(
        "--threads", type=count, metavar="N", help="of each of several fits (default: 1)"
    )


def count(text: str) -> int:
    """An option that is 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1 on")
    return int(text)


def where(options: argparse.Namespace) -> Where:
    """What the options say."""
    return Where(options.scheduler or "", options.workers, options.threads or 1)


def where_asked(options: argparse.Namespace) -> Where | None:
    """What the options say, where any of them is given."""
    given = (options.scheduler, options.workers, options.threads)
    return where(options) if any(one is not None for one in given) else None


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
    done: dict[int, Result] = {}
    following = 0
    with closing(outcomes(work, tasks, where)) as found:
        for n, outcome in found:
            if isinstance(outcome, Error):
                raise outcome
            done[n] = outcome
            while following in done:
                yield done.pop(following)
                following += 1


def outcomes(
    work: Callable[[Task], Result], tasks: Sequence[Task], where: Where | None = None
) -> Generator[tuple[int, Result | Error]]:
    """As `fan_out`, each with its task's number as soon as it is done, in any order.

    An `Error` of one task is its outcome, and the others are done.
    """
    where = where or Where()
    with (
        tqdm(total=len(tasks), desc="fits", unit="fit", leave=False, disable=None) as bar,
        closing(_outcomes(work, tasks, where)) as found,
    ):
        for outcome in found:
            bar.update()
            yield outcome


def _outcomes(
    work: Callable[[Task], Result], tasks: Sequence[Task], where: Where
) -> Generator[tuple[int, Result | Error]]:
    numbered = list(enumerate(tasks))
    if where.scheduler:
        with _client(where.scheduler) as client:
            yield from _far(client, work, numbered, where.threads)
        return
    workers = where.workers
    if workers is None and tasks:  # the first one shows what others of its kind take
        began = time.monotonic()
        yield 0, _here(work, tasks[0], where.threads)
        numbered = numbered[1:]
        workers = _workers(time.monotonic() - began, where.threads, len(numbered))
    if not numbered or workers == 1:
        yield from ((n, _here(work, task, where.threads)) for n, task in numbered)
    else:
        with _own(workers or 1) as client:
            yield from _far(client, work, numbered, where.threads)


def _workers(each_s: float, threads: int, left: int) -> int:
    """As many processes as pay and as cores and memory bear, for so many tasks of so many seconds."""
    if not left or not _have_dask():
        return 1
    import psutil
    from dask.system import cpu_count  # that this process may use

    memory = psutil.virtual_memory().available // _peak_bytes()
    workers = max(1, min(cpu_count() // threads, left, memory))
    return workers if pays(left * each_s, workers) else 1


def _peak_bytes() -> int:
    """The most memory that this process has had."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _here(work: Callable[[Task], Result], task: Task, threads: int) -> Result | Error:
    try:
        return limited(work, task, threads)
    except Error as error:
        return error


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
    client: Any, work: Callable[[Task], Result], tasks: Sequence[tuple[int, Task]], threads: int
) -> Generator[tuple[int, Result | Error]]:
    from distributed import KilledWorker, as_completed

    futures = {client.submit(limited, work, task, threads, pure=False): n for n, task in tasks}
    try:
        for future in as_completed(list(futures), loop=client.loop):
            try:
                outcome = future.result()
            except KilledWorker as killed:
                outcome = Error(
                    f"fit {futures[future] + 1}: its worker died each time it was tried, as a rule "
                    f"for want of memory: give the workers more, or make the fits smaller ({killed})"
                )
            except Error as error:
                outcome = error
            yield futures[future], outcome
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
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=ANY_PORT,
            env={"TQDM_DISABLE": "1"},  # bars of several processes would write over each other
        ) as cluster,
        _client(cluster.scheduler_address) as client,
    ):
        yield client


def _have_dask() -> bool:
    from importlib.util import find_spec

    return find_spec("distributed") is not None
