"""Controls: the same maps fitted with their targets dealt out anew between trials, no brain in them."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.fitting.banded import Strength
from calibration.fitting.ridge_solver import Solver
from calibration.fitting.scratch import Floats
from rtrecon.artifact import LinearMap

Numbers = NDArray[np.int64]
_COLUMNS = 512  # of the targets at once


def null_maps(
    linear: LinearMap,
    X: Floats,
    Y: Floats,
    trials: Numbers,
    strength: Strength,
    rng: np.random.Generator,
    count: int = 1,
    gain: float = 1.0,
) -> Iterator[LinearMap]:
    """The same map fitted with its targets dealt out anew between trials: no brain in it.

    It reads the same voxels with the same strength of ridge, so that a picture from it is as
    convincing as one from the true map. All maps share one decomposition; they
    come one at a time, since of large ones memory holds few.

    Parameters
    ----------
    linear : LinearMap
        The true one.
    X : float32 (n_samples, n_voxels)
        All of the decoder's voxels.
    Y : float32 (n_samples, n_targets)
        The same in all samples of a trial.
    trials : int64 (n_samples,)
        Whole trials are permuted: samples of one stay together.
    strength : Strength
        The true map's.
    gain : float
        The true map's.
    """
    read = X[:, linear.voxels]
    solvers = [
        (scales, took, Solver(read * scales, splits=(), alphas=strength.alphas))
        for scales, took in strength.parts()
    ]
    for _ in range(count):
        rows = permuted_trials(trials, rng)
        mean = np.empty(Y.shape[1], np.float32)
        weights = np.empty((read.shape[1], Y.shape[1]), np.float32)
        for scales, took, solver in solvers:
            for of, y in solver.targets(Y, took):
                shuffled = y[rows]
                alphas = torch.from_numpy(strength.alphas[of]).to(y.device)
                mean[of] = shuffled.mean(dim=0).cpu()
                made = solver.weights(shuffled, alphas).cpu().numpy()
                weights[:, of] = np.float32(gain) * scales[:, None] * made
        yield LinearMap(linear.voxels, linear.x_mean, weights, mean)


def neutral_shuffle(trials: Numbers, targets: Sequence[Floats], draws: int = 50) -> int:
    """The seed, of the first so many, whose shuffle neither keeps what is the trials' own nor shuns it.

    By chance a shuffle leaves some trials with pictures like their own, and its decoder identifies
    pictures a little above chance, or below. One that leaves no trial, or no kind, its own is worse:
    that decoder has learnt what each picture is not. So the shuffle is taken whose targets correlate
    least with the trials' own (docs/known-truth.md).

    Parameters
    ----------
    trials : int64 (n_samples,)
    targets : sequence of float32 (n_samples, n_targets)
        Each says as much, however many columns it has.
    """
    firsts = np.unique(trials, return_index=True)[1]
    kept = np.zeros(draws)
    orders = [np.random.default_rng(seed).permutation(len(firsts)) for seed in range(draws)]
    for target in targets:
        kept += np.abs(_kept(target[firsts], orders))
    return int(kept.argmin())


def _kept(own: Floats, orders: Sequence[Numbers]) -> NDArray[np.float64]:
    """How much of the targets' variance (n_trials, n_targets) trials keep under some orders."""
    kept, whole = np.zeros(len(orders)), 0.0
    for start in range(0, own.shape[1], _COLUMNS):
        part = own[:, start : start + _COLUMNS].astype(np.float64)
        part -= part.mean(axis=0)
        whole += float((part**2).sum())
        kept += [np.vdot(part, part[order]) for order in orders]
    return kept / max(whole, 1e-12)


def permuted_trials(trials: Numbers, rng: np.random.Generator) -> Numbers:
    """For each sample (n_samples,) a sample of the trial whose target it is given."""
    _, firsts, of = np.unique(trials, return_index=True, return_inverse=True)
    rows: Numbers = firsts[rng.permutation(len(firsts))][of]
    return rows
