"""Banded ridge against himalaya's random search over the same scales."""

import numpy as np
import pytest
from himalaya.backend import set_backend
from himalaya.ridge import solve_group_ridge_random_search

from calibration.fitting.banded import fit_banded, simplex
from calibration.fitting.ridge import fit_ridge, leave_out
from rtrecon.errors import BadDataset

BANDS = np.repeat([0, 1, 2], [8, 12, 20])
ALPHAS = np.logspace(-1, 4, 6)


def problem(n: int) -> tuple[np.ndarray, np.ndarray, list]:
    """Each target depends on one band alone."""
    rng = np.random.default_rng(n)
    X = rng.normal(1, 1, size=(n, 40)).astype(np.float32)
    Y = np.stack(
        [X[:, t % 3 == BANDS] @ rng.normal(size=(t % 3 == BANDS).sum()) for t in range(9)], 1
    )
    Y += rng.normal(scale=3, size=Y.shape) + 4
    return X, Y.astype(np.float32), leave_out(np.arange(n) // 4, n // 4)


@pytest.mark.parametrize("samples", [32, 80])
def test_himalaya_chooses_the_same_scales(samples: int) -> None:
    X, Y, splits = problem(samples)
    scales = simplex(3, 12)
    fitted, chosen = fit_banded(X, Y, BANDS, splits, scales, ALPHAS)
    set_backend("numpy")
    deltas, weights, _, intercept = solve_group_ridge_random_search(
        [X[:, band == BANDS].astype(float) for band in range(3)], Y.astype(float), n_iter=scales,
        alphas=ALPHAS, cv=splits, fit_intercept=True, return_weights=True, progress_bar=False,
        warn=False,
    )  # fmt: skip
    np.testing.assert_allclose(scales[chosen].T / fitted.alphas, np.exp(deltas), rtol=1e-6)
    np.testing.assert_allclose(fitted.weights, weights, atol=1e-4 * abs(weights).max())
    ours = (X - fitted.x_mean) @ fitted.weights + fitted.y_mean
    np.testing.assert_allclose(ours, X @ weights + intercept, rtol=1e-3, atol=1e-3)
    assert len(np.unique(chosen)) > 2


def test_left_out_samples_are_predicted_better_than_with_one_scale() -> None:
    X, Y, splits = problem(32)
    banded, chosen = fit_banded(X, Y, BANDS, splits, simplex(3, 12), ALPHAS)
    plain = fit_ridge(np.float32(3**-0.5) * X, Y, splits, alphas=ALPHAS)
    assert (banded.residual_variance <= plain.residual_variance * 1.00001).all()
    assert banded.residual_variance.mean() < 0.95 * plain.residual_variance.mean()
    same = chosen == 0
    np.testing.assert_allclose(banded.held_out[:, same], plain.held_out[:, same], rtol=1e-4)


def test_scales_add_up_and_bad_ones_are_named() -> None:
    scales = simplex(3, 5)
    np.testing.assert_allclose(scales.sum(axis=1), 1)
    np.testing.assert_allclose(scales[0], 1 / 3)
    X, Y, splits = problem(32)
    with pytest.raises(BadDataset, match=r"39 bands are named for 40 inputs.*band 2 of 2"):
        fit_banded(X, Y, BANDS[1:], splits, scales[:, :2])
    with pytest.raises(BadDataset, match="not below 0"):
        fit_banded(X, Y, BANDS, splits, -scales)
