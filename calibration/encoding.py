"""How well features of the stimuli predict each voxel's responses, and how surely (an encoding model).

Nothing that is scored has been seen: runs are left out, and each left-out run is predicted with
strengths of the ridge that were chosen among the other runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.stats import false_discovery_control

from calibration.ridge import Split, fit_ridge, leave_out
from calibration.samples import Samples
from rtrecon.errors import BadDataset
from rtrecon.types import Trial

FOLDS = 6
NULLS = 2000  # made-up voxels: the least p is one in as many
DRAWS = 1000  # of the bootstrap
LEAST_STIMULI = 12
_ENERGY = (
    1e3  # mean squared length of a stimulus' features: the grid of strengths reaches either side
)
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Responses:
    """What each stimulus evoked: the mean of its trials.

    Attributes
    ----------
    patterns : float32 (n_stimuli, n_voxels)
    groups : int64 (n_stimuli,)
        Its run; where stimuli come again in other runs, each is a group of its own.
    shown : tuple of Trial
        One trial of each.
    repeats : int64 (n_stimuli,)
        How many trials it had.
    """

    patterns: NDArray[np.float32]
    groups: NDArray[np.int64]
    shown: tuple[Trial, ...]
    repeats: NDArray[np.int64]

    @property
    def by_run(self) -> bool:
        """Whether whole runs are left out, and not stimuli."""
        return len(np.unique(self.groups)) < len(self.groups)

    @property
    def blocks(self) -> NDArray[np.int64]:
        """What may differ in level and is never shuffled across (n_stimuli,): runs, where they count."""
        return self.groups if self.by_run else np.zeros_like(self.groups)

    @property
    def parts(self) -> NDArray[np.int64]:
        """With which others each stimulus is left out (n_stimuli,)."""
        parts = np.empty_like(self.groups)
        for n, (_, test) in enumerate(self.splits()):
            parts[test] = n
        return parts

    def splits(self) -> list[Split]:
        """Whole runs left out; where stimuli come again in other runs, whole stimuli."""
        return leave_out(self.groups, FOLDS)


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


def responses_of(samples: Samples) -> Responses:
    """One response a stimulus from the last pattern of each trial, when its evidence is complete.

    Raises
    ------
    BadDataset
        Too few different stimuli to tell features apart.
    """
    trials = np.unique(samples.trials)
    last = np.array([np.flatnonzero(samples.trials == trial)[-1] for trial in trials])
    shown = [samples.shown[trial] for trial in trials]
    keys = [(trial.stim_file, trial.caption if not trial.stim_file else "") for trial in shown]
    index = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    if len(index) < LEAST_STIMULI:
        raise BadDataset(
            f"{len(trials)} trials show {len(index)} different stimuli: features cannot be told apart "
            f"with fewer than {LEAST_STIMULI}; add runs with other pictures"
        )
    of = np.array([index[key] for key in keys])
    repeats = np.bincount(of)
    mean = (of == np.arange(len(index))[:, None]) / repeats[:, None]
    runs = [set(samples.runs[last[of == n]].tolist()) for n in range(len(index))]
    left_out_by_run = all(len(r) == 1 for r in runs) and len(set.union(*runs)) > 1
    groups = [min(r) for r in runs] if left_out_by_run else list(range(len(index)))
    return Responses(
        (mean @ samples.patterns[last]).astype(np.float32),
        np.array(groups),
        tuple(shown[keys.index(key)] for key in index),
        repeats,
    )


def encode(features: Sequence[NDArray[np.float32]], responses: Responses, seed: int = 0) -> Encoded:
    """Predict every voxel from features, jointly where there are several (n_stimuli, n_features).

    p comes from made-up voxels: real ones whose responses are shuffled within each run, fitted and
    scored with the real ones, choice of strength included. To shuffle only what was left out would
    not do: left-out parts help to predict one another, so that correlations of nothing with nothing
    scatter up to 1.4 times as widely as those of independent samples.
    """
    X = np.concatenate([compact(values, responses.blocks) for values in features], axis=1)
    Y = np.concatenate([responses.patterns, _shuffled(responses, seed)], axis=1)
    Y = less_mean(Y, responses.blocks)  # else parts of several runs would be scored by their levels
    predicted = np.empty_like(Y)
    for train, test in responses.splits():
        inner = leave_out(responses.groups[train], FOLDS - 1)
        fitted = fit_ridge(X[train], Y[train], inner)
        predicted[test] = (X[test] - fitted.x_mean) @ fitted.weights
    predicted = less_mean(predicted, responses.parts)
    n_voxels = responses.patterns.shape[1]
    r = correlation(predicted, less_mean(Y, responses.parts))
    r, null = r[:n_voxels], np.sort(r[n_voxels:])
    above = len(null) - np.searchsorted(null, r, side="left")
    p = (1 + above) / (1 + len(null))
    return Encoded(r, p, false_discovery_control(p), predicted[:, :n_voxels].copy())


def compact(values: NDArray[np.float32], blocks: NDArray[np.int64]) -> NDArray[np.float32]:
    """Features (n_stimuli, n_features) turned and scaled to at most n_stimuli columns.

    Less their mean in each run, as the responses are. Ridge regression knows features by their
    inner products alone, which a rotation leaves as they are: however many there are, nothing is
    lost, and nothing is fitted to responses.
    """
    X = less_mean(values.astype(np.float64), blocks)
    if X.shape[1] > len(X):
        kernel, turned = eigh(X @ X.T)
        X = turned * np.sqrt(np.maximum(kernel, 0))
    energy = max(float((X**2).sum(axis=1).mean()), 1e-12)
    return (X * np.sqrt(_ENERGY / energy)).astype(np.float32)


def correlation(
    predicted: NDArray[np.floating], measured: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Pearson r of each column (n_columns,); 0 where one of them does not change."""
    a, b = (values - values.mean(axis=0, dtype=np.float64) for values in (predicted, measured))
    length = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return (a * b).sum(axis=0) / np.maximum(length, 1e-12)


def less_mean(values: NDArray[Any], blocks: NDArray[np.int64]) -> NDArray[Any]:
    """Values (n_stimuli, n) less their mean in each block (n_stimuli,)."""
    values = values.copy()
    for block in np.unique(blocks):
        values[blocks == block] -= values[blocks == block].mean(axis=0)
    return values


def centred(responses: Responses) -> NDArray[np.float32]:
    """Responses less the mean of each left-out part, where a model that knows nothing begins."""
    return less_mean(less_mean(responses.patterns, responses.blocks), responses.parts)


def means_drawn(
    encoded: Encoded,
    measured: NDArray[np.float32],
    regions: Mapping[str, NDArray[np.bool_]],
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Each region's mean r (DRAWS,) over stimuli drawn with replacement, models left as they are.

    The draws of one seed are the same for all features, so that differences are paired.

    Parameters
    ----------
    measured : float32 (n_stimuli, n_voxels)
        As `centred` gives them.
    """
    P, Y = encoded.predicted.astype(np.float64), measured.astype(np.float64)
    weights = _drawn(len(Y), seed)
    p, y, pp, yy, py = (weights @ values for values in (P, Y, P**2, Y**2, P * Y))
    length = np.sqrt(np.maximum(pp - p**2, 0) * np.maximum(yy - y**2, 0))
    r = (py - p * y) / np.maximum(length, 1e-12)  # (DRAWS, n_voxels)
    return {name: r[:, voxels].mean(axis=1) for name, voxels in regions.items()}


def shares_drawn(
    encoded: Encoded,
    measured: NDArray[np.float32],
    regions: Mapping[str, NDArray[np.bool_]],
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Each region's mean explained share of variance, R2: of all stimuli first, then as drawn."""
    weights = np.vstack([np.full(len(measured), 1 / len(measured)), _drawn(len(measured), seed)])
    missed = weights @ (measured - encoded.predicted).astype(np.float64) ** 2
    total = weights @ measured.astype(np.float64) ** 2
    r2 = 1 - missed / np.maximum(total, 1e-12)
    return {name: r2[:, voxels].mean(axis=1) for name, voxels in regions.items()}


def interval(drawn: NDArray[np.float64]) -> list[float]:
    """The middle 95 % of what was drawn."""
    return [float(bound) for bound in np.percentile(drawn, _INTERVAL)]


def interval_over_voxels(r: NDArray[np.float64], seed: int = 0) -> list[float]:
    """The middle 95 % of a region's mean r over voxels (n_voxels,) drawn with replacement."""
    rng = np.random.default_rng([seed, 3])
    return interval(np.array([rng.choice(r, len(r)).mean() for _ in range(DRAWS)]))


def _drawn(n: int, seed: int) -> NDArray[np.float64]:
    """How often each stimulus is drawn, as a share: (DRAWS, n)."""
    rng = np.random.default_rng([seed, 2])
    return rng.multinomial(n, np.full(n, 1 / n), size=DRAWS) / n


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
