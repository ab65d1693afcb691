"""Simulates a person's whole session, on as many cores as there are."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from simulator.acquisition import RunPlan, scan
from simulator.brain import Brain
from simulator.dataset import Dataset
from simulator.motion import session_poses
from simulator.plan import Design, RunScript, write_script

PICTURE_PX = 128
_Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


def write_session(
    folder: Path,
    design: Design,
    processes: int | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Simulate a session into a BIDS dataset; the same bytes however many processes work.

    Parameters
    ----------
    folder : Path
        Created; must be empty or absent, or a simulated session where `overwrite` is given.
    design : Design
    processes : int, optional
        One for each core by default; 1 works in this process.
    overwrite : bool
        Replace a session that was simulated before.
    quiet : bool
        Whether to do without progress bars.

    Raises
    ------
    BadDataset
        The folder is in use.
    """
    dataset = Dataset(folder, design.gallery)
    dataset.make_room(overwrite)
    scripts = write_script(design)
    shown = [picture for script in scripts for picture in script.shown]
    # One thread each: results then do not depend on how many cores a matrix product uses.
    with threadpool_limits(1), _workers(processes) as over:
        drawn = over(
            partial(design.gallery.draw, size_px=PICTURE_PX), shown
        )  # while they draw, the brain grows here
        brain = Brain(design.seed, design.effect, design.ongoing, design.gallery)
        images = np.stack(list(tqdm(drawn, "pictures", len(shown), disable=quiet)))
        plans = run_plans(design, scripts, brain, images)
        dataset.write_frame(design, scripts, brain.anatomy)
        dataset.write_pictures(scripts, images)
        for script, plan in zip(scripts, plans, strict=True):
            dataset.write_events(script, plan)
        runs = over(partial(_scan_into, dataset, brain), list(zip(scripts, plans, strict=True)))
        for _ in tqdm(runs, "runs", len(plans), disable=quiet):
            pass


def run_plans(
    design: Design, scripts: list[RunScript], brain: Brain, images: NDArray[np.uint8]
) -> list[RunPlan]:
    """What the scanner does in each run; `images`: (n_pictures, s, s, 3) in order of showing."""
    rng = np.random.default_rng([design.seed, 4])
    volumes = [script.n_volumes for script in scripts]
    poses = session_poses(volumes, design.tr_s, design.motion, rng)
    shown = [picture for script in scripts for picture in script.shown]
    ends = np.cumsum([len(script.shown) for script in scripts])[:-1]
    responses = np.split(brain.responses(shown, images), ends)
    return [
        RunPlan(
            script.number, design.tr_s, design.stimulus_s, script.n_volumes, script.onsets_s,
            response, pose, design.seed,
        )
        for script, response, pose in zip(scripts, responses, poses, strict=True)
    ]  # fmt: skip


def _scan_into(dataset: Dataset, brain: Brain, job: tuple[RunScript, RunPlan]) -> None:
    script, plan = job
    dataset.write_bold(script, plan.tr_s, brain.anatomy.affine, scan(brain, plan))


@contextmanager
def _workers(processes: int | None) -> Iterator[_Map]:
    """A `map` over that many processes, which yields in order; plain `map` for one."""
    processes = processes or len(os.sched_getaffinity(0))
    if processes == 1:
        yield map
        return
    # Spawned, since a fork of a process with threads may hang.
    with get_context("spawn").Pool(processes, _settle_worker) as pool:
        yield lambda work, jobs: pool.imap(work, jobs)


def _settle_worker() -> None:
    """One thread, and Ctrl-C is left to the parent."""
    threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
