"""How well features of the stimuli predict each voxel's responses (an encoding model).

Nothing that is scored has been seen: runs are left out, and each left-out run is predicted with
strengths of the ridge that were chosen among the other runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.stats import false_discovery_control

from calibration.explaining.responses import FOLDS, Responses
from calibration.fitting.ridge import fit_batches, leave_out

NULLS = 2000  # made-up voxels: the least p is one in as many
# Mean squared length of a stimulus' features: the grid of strengths reaches either side.
_ENERGY = 1e3
_COLUMNS = 2048  # that are float64 at a time


@dataclass(frozen=True)
class Encoded:
    """How one set of features predicts each voxel.

    Attributes
    ----------
    r : float64 (n_voxels,)
        Pearson correlation of predicted and measured responses, each less its mean in the left-out
        part, over all stimuli.
    p : float64 (n_voxels,)
        Chance of such an r if features and responses had nothing to do with each other.
    q : float64 (n_voxels,)
        p after control of the false discovery rate (Benjamini & Hochberg) over the voxels.
    predicted : float32 (n_stimuli, n_voxels)
        Held-out, less the mean of each left-out part.
    """

    r: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    predicted: NDArray[np.float32]


def encode(features: Sequence[NDArray[np.float32]], responses: Responses, seed: int = 0) -> Encoded:
    """Predict every voxel from features, jointly where there are several (n_stimuli, n_features).

    p comes from made-up voxels: real ones whose responses are shuffled within each run, fitted and
    scored with the real ones, choice of strength included. To shuffle only what was left out would
    not do: left-out parts help to predict one another, so that correlations of nothing with nothing
    scatter up to 1.4 times as widely as those of independent samples.
    """
    X = np.concatenate([compact(values, responses.blocks) for values in features], axis=1)
    Y = np.concatenate([responses.patterns, _shuffled(responses, seed)], axis=1)
    _centre(Y, responses.blocks)  # else parts of several runs would be scored by their levels
    predicted = np.empty_like(Y)
    for train, test in responses.splits():
        inner = leave_out(responses.groups[train], FOLDS - 1)
        for of, fitted in fit_batches(X[train], Y[train], inner):
            predicted[test, of] = (X[test] - fitted.x_mean) @ fitted.weights
    for values in (predicted, Y):
        _centre(values, responses.parts)
    n_voxels = responses.patterns.shape[1]
    r = correlation(predicted, Y)
    r, null = r[:n_voxels], np.sort(r[n_voxels:])
    above = len(null) - np.searchsorted(null, r, side="left")
    p = (1 + above) / (1 + len(null))
    return Encoded(r, p, false_discovery_control(p), predicted[:, :n_voxels].copy())


def compact(values: NDArray[np.float32], blocks: NDArray[np.int64]) -> NDArray[np.float32]:
    """Features (n_stimuli, n_features) turned and scaled to at most n_stimuli columns.

    Less their mean in each run, as the responses are. Ridge regression knows features by their
    inner products alone, which a rotation leaves as they are: however many there are, nothing is
    lost, and nothing is fitted to responses. Of a memory map some columns are read at a time.
    """
    n, p = values.shape
    if p <= n:
        X = less_mean(values.astype(np.float64), blocks)
    else:
        kernel = np.zeros((n, n))
        for of in columns(p):
            some = less_mean(values[:, of].astype(np.float64), blocks)
            kernel += some @ some.T
        strengths, turned = eigh(kernel, overwrite_a=True)
        X = turned * np.sqrt(np.maximum(strengths, 0))
    energy = max(float(np.vdot(X, X)) / n, 1e-12)
    return (X * np.sqrt(_ENERGY / energy)).astype(np.float32)


def correlation(
    predicted: NDArray[np.floating], measured: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Pearson r of each column (n_columns,); 0 where one of them does not change."""
    r = np.empty(predicted.shape[1])
    for of in columns(predicted.shape[1]):
        a, b = (
            some[:, of] - some[:, of].mean(axis=0, dtype=np.float64)
            for some in (predicted, measured)
        )
        length = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
        r[of] = (a * b).sum(axis=0) / np.maximum(length, 1e-12)
    return r


def less_mean(values: NDArray[Any], blocks: NDArray[np.int64]) -> NDArray[Any]:
    """Values (n_stimuli, n) less their mean in each block (n_stimuli,)."""
    values = values.copy()
    _centre(values, blocks)
    return values


def centred(responses: Responses) -> NDArray[np.float32]:
    """Responses less the mean of each left-out part, where a model that knows nothing begins."""
    return less_mean(less_mean(responses.patterns, responses.blocks), responses.parts)


def columns(count: int) -> Iterator[slice]:
    """Some columns at a time of so many."""
    return (slice(begin, begin + _COLUMNS) for begin in range(0, count, _COLUMNS))


def _centre(values: NDArray[Any], blocks: NDArray[np.int64]) -> None:
    for block in np.unique(blocks):
        rows = blocks == block
        values[rows] -= values[rows].mean(axis=0)


def _shuffled(responses: Responses, seed: int) -> NDArray[np.float32]:
    """Voxels (n_stimuli, NULLS) whose responses belong to other stimuli of the same run."""
    rng = np.random.default_rng([seed, 1])
    Y = responses.patterns
    voxels = rng.integers(Y.shape[1], size=NULLS)
    nulls = np.empty((len(Y), NULLS), np.float32)
    for block in np.unique(responses.blocks):
        rows = np.flatnonzero(responses.blocks == block)
        order = rng.permuted(np.tile(rows, (NULLS, 1)), axis=1).T  # (n_rows, NULLS)
        nulls[rows] = Y[order, voxels]
    return nulls
