"""One space's decoder: its map from voxels, the map's control, and how samples fared that were left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.data.samples import Samples
from calibration.fitting.banded import Strength, fit_banded, simplex
from calibration.fitting.left_out import confidence, correlation, gain
from calibration.fitting.null_maps import null_maps
from calibration.fitting.ridge import Fitted, Split, fit_ridge
from calibration.fitting.scratch import Floats, empty, repeated
from calibration.fitting.voxels import chosen
from rtrecon.artifact import LinearMap
from rtrecon.confidence import Confidence

SCALES = 12  # of the bands, that are tried


@dataclass(frozen=True)
class Task:
    """What a space is fitted from; whole, so that a cluster's worker can do it.

    Attributes
    ----------
    samples : Samples
        Of all voxels.
    region : bool (n_voxels,)
        Those that may be read.
    values : float32 (n_shown, n_targets)
        What the samples' `shown` are in this space.
    splits : sequence of Split
    voxels : int or None
        That are read, the best of the region, or of each band; None: all.
    shuffle : int
        Seed of the control's.
    bands : int64 (n_voxels,) or None
        Which band each voxel belongs to, for banded ridge.
    candidates : (sequence of str, float32 (n_candidates, n_targets)) or None
        Whose names are guessed; in the space of c.
    """

    samples: Samples
    region: NDArray[np.bool_]
    values: Floats
    splits: Sequence[Split]
    voxels: int | None
    shuffle: int
    bands: NDArray[np.int64] | None = None
    candidates: tuple[Sequence[str], Floats] | None = None


@dataclass(frozen=True)
class Space:
    """What was fitted; `correlation` and `gain` as `left_out` has them."""

    map: LinearMap
    null: LinearMap
    strength: Strength
    correlation: float
    gain: float
    confidence: Confidence | None


def fit_space(task: Task) -> Space:
    """Fit a space's map and its control.

    Raises
    ------
    BadDataset
        As `fit_ridge`.
    """
    samples, Y = task.samples, repeated(task.values, task.samples.trials)
    fitted, strength = _fitted(task, samples.patterns[:, task.region], Y)
    read = np.zeros_like(task.region)
    read[np.flatnonzero(task.region)[fitted.inputs]] = True
    own = gain(fitted.held_out, Y)
    linear = LinearMap(read, fitted.x_mean, fitted.weights * np.float32(own), fitted.y_mean)
    rng = np.random.default_rng(task.shuffle)
    nulls = null_maps(linear, samples.patterns, Y, samples.trials, strength, rng, gain=own)
    sure = None
    if task.candidates is not None:
        sure = confidence(samples, fitted.held_out, fitted.y_mean, *task.candidates)
    return Space(linear, next(nulls), strength, correlation(fitted.held_out, Y), own, sure)


def _fitted(task: Task, X: Floats, Y: Floats) -> tuple[Fitted, Strength]:
    trials, count = task.samples.trials, task.voxels
    bands = np.zeros(X.shape[1], np.int64) if task.bands is None else task.bands[task.region]
    members = [np.flatnonzero(bands == band) for band in np.unique(bands)]

    def choice(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        some = X[rows]
        best = (of[chosen(some[:, of], Y[rows], trials[rows], count or 0)] for of in members)
        return np.sort(np.concatenate(list(best)))

    choose = choice if count is not None and count < max(map(len, members)) else None
    held_out = empty(Y.shape)
    if task.bands is None:
        fitted = fit_ridge(X, Y, task.splits, choose, held_out=held_out)
        return fitted, Strength.plain(fitted)
    scales = simplex(len(members), SCALES)
    fitted, took = fit_banded(X, Y, bands, task.splits, scales, choice=choose, held_out=held_out)
    return fitted, Strength(fitted.alphas, np.sqrt(scales)[:, bands[fitted.inputs]], took)
