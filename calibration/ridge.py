"""Ridge regression with its strength chosen, target by target, on whole runs left out.

In the dual (n_samples is below n_voxels as a rule), by one eigendecomposition a split: every
strength and the held-out predictions then cost one product each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

ALPHAS = np.logspace(0, 6, 13)

Split = tuple[NDArray[np.int64], NDArray[np.int64]]  # samples to fit on, samples to test on
Choice = Callable[[NDArray[np.int64]], NDArray[np.int64]]  # samples to fit on -> inputs to read


@dataclass(frozen=True)
class Fitted:
    """Ridge weights and what they predict for samples they have not seen.

    Attributes
    ----------
    inputs : int64 (n_read,)
        Which columns of X are read.
    x_mean : float32 (n_read,)
    weights : float32 (n_read, n_targets)
    y_mean : float32 (n_targets,)
    alphas : float64 (n_targets,)
    held_out : float32 (n_samples, n_targets)
        Each sample predicted from the splits that left it out.
    """

    inputs: NDArray[np.int64]
    x_mean: NDArray[np.float32]
    weights: NDArray[np.float32]
    y_mean: NDArray[np.float32]
    alphas: NDArray[np.float64]
    held_out: NDArray[np.float32]


@dataclass(frozen=True)
class _Part:
    """One training set, diagonalised: predictions are rows @ (basis_y / (values + alpha)) + y_mean."""

    test: NDArray[np.int64]
    values: NDArray[np.float32]  # (n_train,) eigenvalues of the kernel
    basis_y: NDArray[np.float32]  # (n_train, n_targets) targets in the eigenbasis
    rows: NDArray[np.float32]  # (n_test, n_train) test samples in the eigenbasis
    y_mean: NDArray[np.float32]

    def predict(self, alphas: NDArray[np.float64] | float) -> NDArray[np.float32]:
        """Predictions (n_test, n_targets) at one strength, or at one a target."""
        shrunk = self.basis_y / (self.values[:, None] + np.float32(alphas))
        return self.rows @ shrunk + self.y_mean


def fit_ridge(
    X: NDArray[np.float32],
    Y: NDArray[np.float32],
    splits: Sequence[Split],
    choice: Choice | None = None,
) -> Fitted:
    """Fit Y (n_samples, n_targets) on X (n_samples, n_inputs), both centred, X not scaled.

    For each target the alpha of `ALPHAS` with the least squared error on the left-out samples.
    `choice` finds the inputs to read, for each split anew from the samples it fits on, so that
    held-out predictions know nothing of their sample in this either.
    """
    choice = choice or (lambda _: np.arange(X.shape[1]))
    parts = [_part(X[:, choice(train)], Y, train, test) for train, test in splits]
    errors = np.zeros((len(ALPHAS), Y.shape[1]))
    for part in parts:
        for n, alpha in enumerate(ALPHAS):
            errors[n] += ((part.predict(alpha) - Y[part.test]) ** 2).sum(axis=0)
    alphas = ALPHAS[errors.argmin(axis=0)]
    held_out = np.empty_like(Y)
    for part in parts:
        held_out[part.test] = part.predict(alphas)
    inputs = choice(np.arange(len(X)))
    read = X[:, inputs]
    weights = _weights(read, Y, alphas)
    return Fitted(inputs, read.mean(axis=0), weights, Y.mean(axis=0), alphas, held_out)


def leave_out(groups: NDArray[np.int64], folds: int) -> list[Split]:
    """Splits that keep each group whole: the n-th group is tested in fold n % folds."""
    _, index = np.unique(groups, return_inverse=True)
    folds = min(folds, int(index.max()) + 1)
    of_fold = index % folds
    return [(np.flatnonzero(of_fold != k), np.flatnonzero(of_fold == k)) for k in range(folds)]


def _part(
    X: NDArray[np.float32],
    Y: NDArray[np.float32],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
) -> _Part:
    x_mean, y_mean = X[train].mean(axis=0), Y[train].mean(axis=0)
    centred = X[train] - x_mean
    values, vectors = _eigen(centred)
    rows = (X[test] - x_mean) @ (centred.T @ vectors)
    return _Part(test, values, vectors.T @ (Y[train] - y_mean), rows, y_mean)


def _weights(
    X: NDArray[np.float32], Y: NDArray[np.float32], alphas: NDArray[np.float64]
) -> NDArray[np.float32]:
    centred = X - X.mean(axis=0)
    values, vectors = _eigen(centred)
    shrunk = (vectors.T @ (Y - Y.mean(axis=0))) / (values[:, None] + alphas.astype(np.float32))
    return (centred.T @ vectors) @ shrunk


def _eigen(centred: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Eigenvalues and eigenvectors of the kernel, found in double precision."""
    kernel = (centred @ centred.T).astype(np.float64)
    values, vectors = eigh(kernel, driver="evd", overwrite_a=True)
    return np.maximum(values, 0).astype(np.float32), vectors.astype(np.float32)
