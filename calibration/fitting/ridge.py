"""Ridge regression with its strength chosen, target by target, on whole runs left out.

X is not scaled; both X and Y are centred. What the calibration needs is `fit_ridge`; for targets by
the ten thousand on samples by the ten thousand there is `fit_batches`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.fitting.ridge_solver import ALPHAS, Choice, Solver, Split
from rtrecon.errors import BadDataset

__all__ = ["ALPHAS", "Choice", "Fitted", "Split", "fit_batches", "fit_ridge", "leave_out"]


@dataclass(frozen=True)
class Fitted:
    """Ridge weights and what they predict for samples they have not seen.

    Predictions are `(X[:, inputs] - x_mean) @ weights + y_mean`.

    Attributes
    ----------
    inputs : int64 (n_read,)
        Which columns of X are read.
    x_mean : float32 (n_read,)
    weights : float32 (n_read, n_targets)
    y_mean : float32 (n_targets,)
    alphas : float64 (n_targets,)
    held_out : float32 (n_samples, n_targets)
        Each sample predicted from the split that left it out; nan where none did.
    residual_variance, predicted_variance : float32 (n_targets,)
        Mean square of what `held_out` misses, and the variance of `held_out` itself.
    """

    inputs: NDArray[np.int64]
    x_mean: NDArray[np.float32]
    weights: NDArray[np.float32]
    y_mean: NDArray[np.float32]
    alphas: NDArray[np.float64]
    held_out: NDArray[np.float32]
    residual_variance: NDArray[np.float32]
    predicted_variance: NDArray[np.float32]


def fit_ridge(
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    splits: Sequence[Split],
    choice: Choice | None = None,
    alphas: ArrayLike | None = None,
    weights: NDArray[np.floating] | None = None,
    held_out: NDArray[np.floating] | None = None,
) -> Fitted:
    """Fit Y (n_samples, n_targets) on X (n_samples, n_inputs), both centred, X not scaled.

    For each target the alpha with the least squared error on the left-out samples.

    Parameters
    ----------
    choice : callable, optional
        Finds the inputs to read, for each split anew from the samples it fits on, so that held-out
        predictions know nothing of their sample in this either.
    alphas : (n_alphas,), optional
        By default `ALPHAS`, continued as far as X asks for (`reaching`).
    weights, held_out : optional
        Where to write these, for instance memory maps of float16 or float32.

    Raises
    ------
    BadDataset
        All that is wrong with X, the splits and the alphas in one list; what of Y is not finite.
    """
    n, t = Y.shape if Y.ndim == 2 else (0, 0)
    held_out = np.empty((n, t), np.float32) if held_out is None else held_out
    y_mean, residual, predicted = np.empty((3, t), np.float32)
    chosen = np.empty(t)
    for of, some in fit_batches(X, Y, splits, choice, alphas):
        if weights is None:
            weights = np.empty((len(some.inputs), t), np.float32)
        weights[:, of], held_out[:, of] = some.weights, some.held_out
        y_mean[of], chosen[of] = some.y_mean, some.alphas
        residual[of], predicted[of] = some.residual_variance, some.predicted_variance
    assert weights is not None
    return Fitted(some.inputs, some.x_mean, weights, y_mean, chosen, held_out, residual, predicted)


def fit_batches(
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    splits: Sequence[Split],
    choice: Choice | None = None,
    alphas: ArrayLike | None = None,
) -> Iterator[tuple[slice | NDArray[np.int64], Fitted]]:
    """As `fit_ridge`, some targets at a time, for what is too large to be kept whole.

    Y may be a memory map, of which only these targets are read. A progress bar tells the time that
    remains.
    """
    check(X, Y, splits, alphas)
    solver = Solver(X, splits, choice, alphas)
    for of, y in solver.targets(Y):
        found = solver.search(y)
        tensors = (
            solver.weights(y, found.alphas), y.mean(dim=0), found.alphas,
            found.held_out, found.residual_variance, found.predicted_variance,
        )  # fmt: skip
        arrays = (tensor.cpu().numpy() for tensor in tensors)
        yield of, Fitted(solver.inputs, solver.x_mean, *arrays)


def leave_out(groups: NDArray[np.int64], folds: int) -> list[Split]:
    """Splits that keep each group whole: the n-th group is tested in fold n % folds.

    Raises
    ------
    BadDataset
        There is one group alone, so that nothing would be left to fit on.
    """
    _, index = np.unique(groups, return_inverse=True)
    folds = min(folds, len(np.unique(index)))
    if folds < 2:
        raise BadDataset(
            f"{folds} group of samples (runs or trials): at least 2 are needed to leave one out"
        )
    of_fold = index % folds
    return [(np.flatnonzero(of_fold != k), np.flatnonzero(of_fold == k)) for k in range(folds)]


def check(
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    splits: Sequence[Split],
    alphas: ArrayLike | None,
) -> None:
    """Raise `BadDataset` with everything that is wrong, in one line; Y's values are not looked at."""
    problems = [*_of_arrays(X, Y), *_of_splits(splits, len(X))]
    if alphas is not None and not (
        np.size(alphas) and np.all(np.isfinite(alphas)) and np.all(np.greater(alphas, 0))
    ):
        problems.append(f"alphas {alphas}: each must be a number above 0")
    if problems:
        raise BadDataset("; ".join(problems))


def _of_arrays(X: NDArray[np.floating], Y: NDArray[np.floating]) -> Iterator[str]:
    for name, array in (("X", X), ("Y", Y)):
        if array.ndim != 2 or 0 in array.shape:
            yield f"{name} has shape {array.shape}: it must be samples x columns, neither of them 0"
    if len(X) != len(Y):
        yield f"X has {len(X)} samples and Y has {len(Y)}: they must be the same ones"
    if X.ndim == 2 and not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        yield f"X: sample {row}, input {column} is {X[row, column]}: leave that input out"


def _of_splits(splits: Sequence[Split], samples: int) -> Iterator[str]:
    if not len(splits):
        yield "no split: at least one is needed to choose alphas"
    for n, (train, test) in enumerate(splits):
        if not len(train) or not len(test):
            yield f"split {n} fits on {len(train)} and tests {len(test)} samples: both need 1 or more"
            continue
        if both := len(np.intersect1d(train, test)):
            yield f"split {n} tests {both} samples that it is fitted on: take them out of one"
        last = max(train.max(), test.max())
        if last >= samples or min(train.min(), test.min()) < 0:
            yield f"split {n} names sample {last} of {samples}: samples count from 0"
