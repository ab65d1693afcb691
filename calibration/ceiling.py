"""How good could it be: noise ceilings from pictures that were shown more than once."""

import numpy as np
from numpy.typing import NDArray

from calibration.metrics import correlations, two_way
from calibration.statistics import Score, Table, score

Array = NDArray[np.float64]


def noise_ceiling(
    responses: NDArray[np.floating], pictures: NDArray[np.int64], averaged: int | None = None
) -> Array:
    """Share of each voxel's variance (n_voxels,), 0 to 1, that any model could explain.

    As the Natural Scenes Dataset defines it (Allen et al., 2022), there in per cent: the noise's
    variance is that across repeats of a picture, the signal's what remains of the whole (not less
    than 0), and their ratio is taken for the mean of as many trials as each picture has.

    Parameters
    ----------
    responses : float (n_trials, n_voxels)
    pictures : int64 (n_trials,)
        Trials of one picture have one number.
    averaged : int, optional
        Trials that predictions are held against the mean of; without it, each picture's repeats.

    Raises
    ------
    ValueError
        No picture was shown twice.
    """
    _, of, counts = np.unique(pictures, return_inverse=True, return_counts=True)
    freedom = len(of) - len(counts)
    if freedom < 1:
        raise ValueError("no picture was shown twice: a noise ceiling needs repeats")
    values = responses.astype(np.float64)
    means = np.stack([np.bincount(of, column) for column in values.T], axis=1) / counts[:, None]
    noise = ((values - means[of]) ** 2).sum(axis=0) / freedom
    signal = np.maximum(values.var(axis=0, ddof=1) - noise, 0)
    share = 1 / averaged if averaged else float(np.mean(1 / counts))
    ceiling: Array = signal / np.maximum(signal + noise * share, 1e-12)
    return ceiling


def repeat_identification(
    decoded: NDArray[np.floating], pictures: NDArray[np.int64], rng: np.random.Generator
) -> Score | None:
    """How well what was decoded from one repeat identifies another of the same picture, two-way.

    The best that identification of originals could be if nothing but noise stood in its way.
    Repeats are taken in turn: first with second, third with fourth. None where fewer than two
    pictures were repeated.

    Parameters
    ----------
    decoded : float (n_trials, n_values)
    pictures : int64 (n_trials,)
    """
    one: list[int] = []
    other: list[int] = []
    for picture in np.unique(pictures):
        trials = np.flatnonzero(pictures == picture)
        pairs = len(trials) // 2
        one += trials[: 2 * pairs : 2].tolist()
        other += trials[1 : 2 * pairs : 2].tolist()
    units = pictures[one]
    if len(np.unique(units)) < 2:
        return None
    similarity = correlations(decoded[one], decoded[other])
    both = [two_way(similarity, fixed, units) for fixed in ("original", "reconstruction")]
    pairs, wins = (np.mean([getattr(t, name) for t in both], axis=0) for name in ("pairs", "wins"))
    return score(Table(pairs, wins, units), rng)
