"""Our ridge against scikit-learn's and himalaya's, and its choice against an exhaustive search."""

import numpy as np
import pytest
from himalaya.ridge import Ridge as HimalayaRidge
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from calibration.ridge import ALPHAS, fit_ridge, leave_out

SHAPES = [(60, 20, 7), (30, 90, 5), (40, 40, 1)]


def problem(n: int, p: int, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n * p + t)
    X = rng.normal(2, 1, size=(n, p)).astype(np.float32)
    weights = rng.normal(size=(p, t)) * rng.uniform(0, 1, t)
    Y = (X @ weights + rng.normal(0, 4, size=(n, t)) + 5).astype(np.float32)
    return X, Y, np.arange(n) // 5


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_are_those_of_scikit_learn(shape: tuple[int, int, int]) -> None:
    X, Y, groups = problem(*shape)
    fitted = fit_ridge(X, Y, leave_out(groups, 4))
    for target, alpha in enumerate(fitted.alphas):
        theirs = Ridge(alpha=alpha).fit(X.astype(float), Y[:, target].astype(float))
        np.testing.assert_allclose(fitted.weights[:, target], theirs.coef_, atol=2e-3, rtol=2e-3)
        ours = (X - fitted.x_mean) @ fitted.weights[:, target] + fitted.y_mean[target]
        np.testing.assert_allclose(ours, theirs.predict(X), atol=5e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_alphas_are_those_of_an_exhaustive_search(shape: tuple[int, int, int]) -> None:
    X, Y, groups = problem(*shape)
    splits = leave_out(groups, 4)
    errors = np.zeros((len(ALPHAS), Y.shape[1]))
    for train, test in splits:
        for n, alpha in enumerate(ALPHAS):
            predicted = Ridge(alpha=alpha).fit(X[train], Y[train]).predict(X[test])
            errors[n] += ((predicted.reshape(len(test), -1) - Y[test]) ** 2).sum(axis=0)
    np.testing.assert_array_equal(fit_ridge(X, Y, splits).alphas, ALPHAS[errors.argmin(axis=0)])


@pytest.mark.parametrize("shape", SHAPES)
def test_himalaya_finds_the_same_weights(shape: tuple[int, int, int]) -> None:
    X, Y, groups = problem(*shape)
    ours = fit_ridge(X, Y, leave_out(groups, 4))
    theirs = HimalayaRidge(alpha=ours.alphas, solver_params={"warn": False})
    theirs.fit(X - X.mean(axis=0), Y - Y.mean(axis=0))
    np.testing.assert_allclose(ours.weights, theirs.coef_, atol=2e-3)


def test_held_out_predictions_never_saw_their_sample() -> None:
    X, Y, groups = problem(30, 90, 5)
    splits = leave_out(groups, 3)
    before = fit_ridge(X, Y, splits)
    train, test = splits[1]
    theirs = np.stack(
        [
            Ridge(alpha=a).fit(X[train], Y[train, t]).predict(X[test])
            for t, a in enumerate(before.alphas)
        ],
        axis=1,
    )
    np.testing.assert_allclose(before.held_out[test], theirs, atol=5e-3)


def test_groups_stay_whole_as_in_scikit_learn() -> None:
    groups = np.repeat(np.arange(7), 4)
    for train, test in leave_out(groups, 3):
        assert not set(groups[train]) & set(groups[test])
    tested = np.concatenate([test for _, test in leave_out(groups, 3)])
    assert sorted(tested) == list(range(28))
    assert len(leave_out(groups, 100)) == GroupKFold(7).get_n_splits()


def test_a_target_and_a_voxel_that_never_change_do_no_harm() -> None:
    X, Y, groups = problem(30, 10, 3)
    X[:, 4], Y[:, 1] = 7, 3
    fitted = fit_ridge(X, Y, leave_out(groups, 3))
    assert np.isfinite(fitted.weights).all()
    np.testing.assert_allclose(fitted.weights[:, 1], 0, atol=1e-5)
    np.testing.assert_allclose(fitted.held_out[:, 1], 3, atol=1e-4)
