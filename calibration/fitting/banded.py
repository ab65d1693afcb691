"""Banded ridge: each band of inputs has a scale of its own, chosen together with alpha.

Nunez-Elizalde, Huth & Gallant (2019); the random search over scales is that of Dupre la Tour et al.
(2022), "Feature-space selection with banded ridge regression", as in himalaya.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from calibration.fitting.ridge import Fitted, check, fit_ridge
from calibration.fitting.ridge_solver import Choice, Solver, Split
from rtrecon.errors import BadDataset

_CONCENTRATIONS = (0.1, 1.0)  # himalaya's: by turns nearly one band alone, and any mixture


@dataclass(frozen=True)
class Strength:
    """How strongly each target's weights were held back.

    Attributes
    ----------
    alphas : float64 (n_targets,)
    scales : float64 (n_candidates, n_read)
        What inputs were multiplied by.
    chosen : int64 (n_targets,)
        Which candidate each target took.
    """

    alphas: NDArray[np.float64]
    scales: NDArray[np.float64]
    chosen: NDArray[np.int64]

    @classmethod
    def plain(cls, fitted: Fitted) -> "Strength":
        """Of plain ridge."""
        targets = len(fitted.alphas)
        return cls(fitted.alphas, np.ones((1, len(fitted.inputs))), np.zeros(targets, np.int64))

    def parts(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """The scales (n_read,) that were taken, and the targets that took them."""
        for n in np.unique(self.chosen):
            yield self.scales[n].astype(np.float32), np.flatnonzero(self.chosen == n)


def fit_banded(
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    bands: NDArray[np.integer],
    splits: Sequence[Split],
    scales: NDArray[np.floating],
    alphas: ArrayLike | None = None,
    choice: Choice | None = None,
    held_out: NDArray[np.float32] | None = None,
) -> tuple[Fitted, NDArray[np.int64]]:
    """Ridge on sqrt(scale) times each band, scales and alpha chosen target by target.

    Parameters
    ----------
    bands : int (n_inputs,)
        Which band each input belongs to, counted from 0.
    scales : (n_candidates, n_bands)
        For instance from `simplex`. Of equally good ones the first is taken.
    alphas, choice, held_out : optional
        As of `fit_ridge`.

    Returns
    -------
    Fitted
        For X as it is: the scales are in the weights.
    chosen : int64 (n_targets,)
        Which candidate each target took.

    Raises
    ------
    BadDataset
        As `fit_ridge`, or bands and scales do not fit X and each other.
    """
    check(X, Y, splits, alphas)
    scales = np.asarray(scales, float)
    _check_bands(bands, scales, X.shape[1])
    by = np.sqrt(scales).astype(np.float32)[:, bands]  # (n_candidates, n_inputs)
    missed = np.empty((len(scales), Y.shape[1]))
    for n in tqdm(range(len(scales)), "banded ridge", unit="candidate", leave=False, disable=None):
        solver = Solver(X * by[n], splits, choice, alphas)
        for of, y in solver.targets(Y):
            missed[n, of] = solver.search(y).residual_variance.cpu().numpy()
    chosen = missed.argmin(axis=0)
    fitted = _empty(X, solver.inputs, len(Y), Y.shape[1], held_out)
    for n in np.unique(chosen):
        took = np.flatnonzero(chosen == n)
        some = fit_ridge(X * by[n], Y[:, took], splits, choice, alphas)
        fitted.weights[:, took] = some.weights * by[n, some.inputs][:, None]
        fitted.held_out[:, took] = some.held_out
        for name in ("y_mean", "alphas", "residual_variance", "predicted_variance"):
            getattr(fitted, name)[took] = getattr(some, name)
    return fitted, chosen


def simplex(bands: int, count: int, seed: int = 0) -> NDArray[np.float64]:
    """Scales (count, bands) that add up to 1: equal ones, then random ones."""
    rng = np.random.default_rng(seed)
    drawn = [
        rng.dirichlet(np.full(bands, _CONCENTRATIONS[n % len(_CONCENTRATIONS)]))
        for n in range(count - 1)
    ]
    return np.stack([np.full(bands, 1 / bands), *drawn])


def _empty(
    X: NDArray[np.floating],
    inputs: NDArray[np.int64],
    samples: int,
    targets: int,
    held_out: NDArray[np.float32] | None,
) -> Fitted:
    single = np.float32
    x_mean = X[:, inputs].mean(axis=0, dtype=np.float64).astype(single)
    if held_out is None:
        held_out = np.empty((samples, targets), single)
    return Fitted(
        inputs, x_mean, np.empty((len(inputs), targets), single), np.empty(targets, single),
        np.empty(targets), held_out, np.empty(targets, single), np.empty(targets, single),
    )  # fmt: skip


def _check_bands(bands: NDArray[np.integer], scales: NDArray[np.floating], inputs: int) -> None:
    problems = []
    if len(bands) != inputs:
        problems.append(f"{len(bands)} bands are named for {inputs} inputs: each needs its own")
    if scales.ndim != 2 or not len(scales):
        problems.append(f"scales have shape {scales.shape}: it must be candidates x bands")
    elif len(bands) and not 0 <= bands.min() <= bands.max() < scales.shape[1]:
        problems.append(f"band {bands.max()} of {scales.shape[1]}: bands count from 0")
    if not np.isfinite(scales).all() or (scales < 0).any():
        problems.append("scales must be finite and not below 0")
    if problems:
        raise BadDataset("; ".join(problems))
