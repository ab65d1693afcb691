"""Betas of the Natural Scenes Dataset -> samples to fit and to test on, scaled without leakage."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.data.samples import Samples
from calibration.nsd.betas import Betas
from calibration.nsd.files import Design
from rtrecon.errors import BadDataset
from rtrecon.types import Trial

TRIAL_S, SHOWN_S = 4.0, 3.0  # from trial to trial, and how long an image is on screen


def trials_of(betas: Mapping[int, Betas]) -> NDArray[np.int64]:
    """Where the sessions' trials are among those of all sessions, which have equally many."""
    if not betas:
        return np.arange(0)
    starts = ((session - 1) * one.trials for session, one in betas.items())
    each = next(iter(betas.values())).trials
    return np.concatenate([start + np.arange(each) for start in starts])


def split(
    betas: Mapping[int, Betas], voxels: NDArray[np.int64], design: Design
) -> tuple[Samples, Samples, NDArray[np.bool_]]:
    """Trials to fit on, trials of shared images, and which voxels (n_voxels,) both are of.

    Each session is scaled by the mean and SD of its trials to fit on, so that nothing of the shared
    images comes into it. Voxels that do not vary in some session are left out. Session by session,
    so that no more than the chosen voxels of all trials is kept in memory.

    Raises
    ------
    BadDataset
        A session without trials to fit on, or a damaged file.
    """
    image = design.image[trials_of(betas)]
    tested = np.isin(image, design.shared)
    session = np.repeat(list(betas), [one.trials for one in betas.values()])
    patterns = [np.empty((n, len(voxels)), np.float32) for n in ((~tested).sum(), tested.sum())]
    alive, filled = np.ones(len(voxels), bool), [0, 0]
    for number, one in tqdm(betas.items(), desc="betas", unit="session", disable=None):
        shared = tested[session == number]
        if (~shared).sum() < 2:
            raise BadDataset(
                f"session {number} has fewer than 2 trials to fit on: leave it out with --sessions"
            )
        rows = np.concatenate(list(one.blocks(voxels)))
        alive &= _scale(rows, ~shared)
        for half, part in enumerate((rows[~shared], rows[shared])):
            patterns[half][filled[half] :][: len(part)] = part
            filled[half] += len(part)
    if not alive.all():
        patterns = [part[:, alive] for part in patterns]
    train, test = (
        _samples(part, image[rows], session[rows])
        for part, rows in zip(patterns, (~tested, tested), strict=True)
    )
    return train, test, alive


def averaged(samples: Samples) -> Samples:
    """One sample for each image: the mean of its trials."""
    counts = np.bincount(samples.trials, minlength=len(samples.shown))
    sums = np.zeros((len(counts), samples.patterns.shape[1]), np.float32)
    np.add.at(sums, samples.trials, samples.patterns)
    images = np.arange(len(counts))
    sums /= counts[:, None].astype(np.float32)
    return Samples(
        sums, np.full(len(counts), TRIAL_S), 1 / counts,
        images, np.zeros_like(images), samples.shown,
    )  # fmt: skip


def _scale(rows: NDArray[np.float32], fitted_on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Z-score rows in place by some of them; returns the voxels that vary there."""
    own = rows[fitted_on]
    mean, sd = own.mean(axis=0, dtype=np.float64), own.std(axis=0, dtype=np.float64)
    alive = np.isfinite(rows).all(axis=0) & (sd > 1e-6)
    rows -= np.where(alive, mean, 0).astype(np.float32)
    rows /= np.where(alive, sd, 1).astype(np.float32)
    return alive


def _samples(
    patterns: NDArray[np.float32], image: NDArray[np.int64], session: NDArray[np.int64]
) -> Samples:
    shown, trials = np.unique(image, return_inverse=True)
    return Samples(
        patterns,
        np.full(len(image), TRIAL_S),
        np.ones(len(image)),
        trials,
        session,
        tuple(Trial(int(n), f"image {n}", 0.0, SHOWN_S) for n in shown),
    )
