"""Which voxels a decoder reads: those whose trials say something about its targets.

Of a mask that holds far more voxels than there are trials most are noise to the decoder, and ridge
regression alone does not keep them out (docs/signal.md).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

COMPONENTS = 10  # of the targets
_TRIALS_A_COMPONENT = 4


def chosen(
    X: NDArray[np.float32], Y: NDArray[np.float32], trials: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """The `count` columns of X that vary most with the targets, in ascending order.

    Parameters
    ----------
    X : float32 (n_samples, n_voxels)
    Y : float32 (n_samples, n_targets)
    trials : int64 (n_samples,)
        Samples of one trial are averaged: they are not independent.
    """
    if count >= X.shape[1]:
        return np.arange(X.shape[1])
    best = np.argpartition(-explained(X, Y, trials), count)[:count]
    return np.sort(best)


def explained(
    X: NDArray[np.float32], Y: NDArray[np.float32], trials: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Share of each voxel's variance over trials (n_voxels,) that goes with the targets.

    With the targets' first principal components, as many as the trials bear. Where the targets are
    the same for all trials of a condition, voxels are ranked as by the F value of an analysis of
    variance over the conditions.
    """
    _, firsts, counts = np.unique(trials, return_index=True, return_counts=True)
    averaging = (trials == trials[firsts][:, None]) / counts[:, None]
    patterns = averaging @ X.astype(np.float64)
    patterns -= patterns.mean(axis=0)
    courses = _components(Y[firsts].astype(np.float64))
    total = (patterns**2).sum(axis=0)
    return ((courses.T @ patterns) ** 2).sum(axis=0) / np.maximum(total, 1e-12)


def _components(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the first principal components are in each trial: orthonormal (n_trials, n)."""
    centred = targets - targets.mean(axis=0)
    values, vectors = eigh(centred @ centred.T)
    rank = int((values > 1e-6 * max(values[-1], 1e-12)).sum())
    count = max(1, min(COMPONENTS, rank, len(targets) // _TRIALS_A_COMPONENT))
    return vectors[:, ::-1][:, :count]
