"""Our ridge against scikit-learn's and himalaya's, and its choice against an exhaustive search."""

from pathlib import Path

import numpy as np
import pytest
import torch
from himalaya.backend import set_backend
from himalaya.ridge import RidgeCV as HimalayaRidgeCV
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold

from calibration.fitting import ridge_solver
from calibration.fitting.ridge import ALPHAS, fit_batches, fit_ridge, leave_out
from calibration.fitting.ridge_solver import reaching
from rtrecon.errors import BadDataset

# more samples than voxels, the reverse, as many, one target, one voxel, samples in single groups
SHAPES = [
    (60, 20, 7, 5),
    (30, 90, 5, 5),
    (40, 40, 3, 5),
    (40, 30, 1, 5),
    (25, 1, 2, 5),
    (12, 40, 3, 1),
]
FEW = np.logspace(0, 5, 4)  # solved by Cholesky factors; ALPHAS by eigenvectors


def problem(n: int, p: int, t: int, group: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n * p + t)
    X = rng.normal(2, 1, size=(n, p)).astype(np.float32)
    weights = rng.normal(size=(p, t)) * rng.uniform(0, 1, t)
    Y = (X @ weights + rng.normal(0, 4, size=(n, t)) + 5).astype(np.float32)
    return X, Y, np.arange(n) // group


def exhaustive(
    X: np.ndarray, Y: np.ndarray, splits: list, alphas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors (n_alphas, n_targets) and predictions (n_alphas, n_samples, n_targets)."""
    predicted = np.full((len(alphas), *Y.shape), np.nan)
    for train, test in splits:
        for n, alpha in enumerate(alphas):
            model = Ridge(alpha=alpha).fit(X[train].astype(float), Y[train].astype(float))
            predicted[n, test] = model.predict(X[test]).reshape(len(test), -1)
    return ((predicted - Y) ** 2).sum(axis=1), predicted


@pytest.mark.parametrize("alphas", [ALPHAS, FEW], ids=["eigenvectors", "cholesky"])
@pytest.mark.parametrize("shape", SHAPES)
def test_all_is_that_of_an_exhaustive_search_with_scikit_learn(
    shape: tuple[int, int, int, int], alphas: np.ndarray
) -> None:
    X, Y, groups = problem(*shape)
    splits = leave_out(groups, 4)
    fitted = fit_ridge(X, Y, splits, alphas=alphas)
    errors, predicted = exhaustive(X, Y, splits, alphas)
    best = errors.argmin(axis=0)
    np.testing.assert_array_equal(fitted.alphas, alphas[best])
    truth = np.take_along_axis(predicted, best[None, None], axis=0)[0]
    np.testing.assert_allclose(fitted.held_out, truth, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(fitted.residual_variance, errors.min(axis=0) / len(X), rtol=1e-4)
    np.testing.assert_allclose(fitted.predicted_variance, truth.var(axis=0), rtol=1e-3, atol=1e-6)
    whole = Ridge(alpha=fitted.alphas).fit(X.astype(float), Y.astype(float))
    coefficients = np.atleast_2d(whole.coef_).T
    np.testing.assert_allclose(fitted.weights, coefficients, atol=2e-5 * abs(coefficients).max())
    ours = (X - fitted.x_mean) @ fitted.weights + fitted.y_mean
    np.testing.assert_allclose(ours, whole.predict(X).reshape(Y.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES[:5])
def test_himalaya_chooses_and_fits_the_same(shape: tuple[int, int, int, int]) -> None:
    X, Y, groups = problem(*shape)
    splits = leave_out(groups, len(groups))  # of one size: himalaya weighs splits, not samples
    ours = fit_ridge(X, Y, splits, alphas=ALPHAS)
    set_backend("numpy")
    theirs = HimalayaRidgeCV(
        alphas=ALPHAS, fit_intercept=True, cv=splits, solver_params={"warn": False}
    ).fit(X.astype(float), Y.astype(float))
    np.testing.assert_allclose(ours.alphas, theirs.best_alphas_)
    np.testing.assert_allclose(ours.weights, theirs.coef_, atol=2e-5 * abs(theirs.coef_).max())


def test_one_sample_a_group_is_scikit_learns_leave_one_out() -> None:
    X, Y, _ = problem(25, 60, 6)
    ours = fit_ridge(X, Y, leave_out(np.arange(25), 25), alphas=FEW)
    theirs = RidgeCV(alphas=FEW, alpha_per_target=True).fit(X.astype(float), Y.astype(float))
    np.testing.assert_allclose(ours.alphas, theirs.alpha_)
    np.testing.assert_allclose(ours.weights.T, theirs.coef_, atol=2e-5 * abs(theirs.coef_).max())


@pytest.mark.parametrize("shape", [(60, 20, 7, 5), (30, 90, 5, 5)])
def test_batches_and_memory_maps_change_nothing(
    shape: tuple[int, int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, Y, groups = problem(*shape)
    splits = leave_out(groups, 4)
    whole = fit_ridge(X, Y, splits)
    monkeypatch.setattr(ridge_solver, "BATCH_BYTES", 1)
    monkeypatch.setattr(ridge_solver, "BATCH_SHARE", 0)
    assert len(list(fit_batches(X, Y, splits))) == Y.shape[1]
    np.save(tmp_path / "y.npy", Y)
    on_disk = np.load(tmp_path / "y.npy", mmap_mode="r")
    weights, held_out = (
        np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", dtype, array.shape)
        for name, dtype, array in (
            ("weights", np.float32, whole.weights), ("held_out", np.float16, whole.held_out)
        )
    )  # fmt: skip
    mapped = fit_ridge(X, on_disk, splits, weights=weights, held_out=held_out)
    assert mapped.weights is weights
    np.testing.assert_array_equal(mapped.alphas, whole.alphas)
    np.testing.assert_allclose(weights, whole.weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(held_out, whole.held_out, rtol=1e-2)
    np.testing.assert_allclose(mapped.residual_variance, whole.residual_variance, rtol=1e-5)


def test_inputs_are_chosen_without_the_samples_left_out() -> None:
    X, Y, groups = problem(60, 90, 4)
    splits = leave_out(groups, 3)

    def choice(rows: np.ndarray) -> np.ndarray:
        return np.sort(np.argsort(-X[rows].var(axis=0))[:15])

    fitted = fit_ridge(X, Y, splits, choice)
    np.testing.assert_array_equal(fitted.inputs, choice(np.arange(60)))
    for train, test in splits:
        read = choice(train)
        theirs = Ridge(alpha=fitted.alphas).fit(X[train][:, read].astype(float), Y[train])
        np.testing.assert_allclose(
            fitted.held_out[test], theirs.predict(X[test][:, read]), rtol=1e-3, atol=1e-3
        )


def test_a_grid_that_X_does_not_ask_for_stays_and_another_reaches_its_norm() -> None:
    X, Y, groups = problem(30, 90, 5)
    np.testing.assert_array_equal(reaching(1e5), ALPHAS)
    longer = reaching(3e7)
    np.testing.assert_allclose(longer, np.logspace(0, 7.5, 16))
    noise = np.random.default_rng(1).normal(size=Y.shape).astype(np.float32)
    fitted = fit_ridge(1000 * X, noise, leave_out(groups, 4))
    assert fitted.alphas.max() > ALPHAS[-1]
    assert fitted.predicted_variance.max() < 0.2


def test_small_alphas_are_kept_accurate() -> None:
    X, Y, groups = problem(40, 40, 3)
    X = X * np.geomspace(1e-3, 30, 40).astype(np.float32)
    for alphas in ([1e-3], np.geomspace(1e-3, 1e-2, 12)):
        fitted = fit_ridge(X, Y, leave_out(groups, 4), alphas=alphas)
        truth = Ridge(alpha=fitted.alphas).fit(X.astype(float), Y.astype(float)).predict(X)
        ours = (X - fitted.x_mean) @ fitted.weights + fitted.y_mean
        np.testing.assert_allclose(ours, truth, atol=2e-3 * Y.std())
        errors, _ = exhaustive(X, Y, leave_out(groups, 4), np.array(alphas))
        np.testing.assert_allclose(fitted.residual_variance, errors.min(axis=0) / 40, rtol=1e-3)


def test_samples_that_no_split_tests_are_not_predicted() -> None:
    X, Y, groups = problem(60, 20, 3)
    fitted = fit_ridge(X, Y, leave_out(groups, 4)[:1])
    tested = leave_out(groups, 4)[0][1]
    assert np.isfinite(fitted.held_out[tested]).all()
    assert np.isnan(np.delete(fitted.held_out, tested, axis=0)).all()
    assert np.isfinite(fitted.predicted_variance).all()


def test_groups_stay_whole_as_in_scikit_learn() -> None:
    groups = np.repeat(np.arange(7), 4)
    for train, test in leave_out(groups, 3):
        assert not set(groups[train]) & set(groups[test])
    tested = np.concatenate([test for _, test in leave_out(groups, 3)])
    assert sorted(tested) == list(range(28))
    assert len(leave_out(groups, 100)) == GroupKFold(7).get_n_splits()


@pytest.mark.parametrize("inputs", [10, 90])
def test_a_target_and_a_voxel_that_never_change_do_no_harm(inputs: int) -> None:
    X, Y, groups = problem(30, inputs, 3)
    X[:, 4], Y[:, 1] = 7, 3
    fitted = fit_ridge(X, Y, leave_out(groups, 3))
    assert np.isfinite(fitted.weights).all()
    np.testing.assert_allclose(fitted.weights[4], 0, atol=1e-6)
    np.testing.assert_allclose(fitted.weights[:, 1], 0, atol=1e-5)
    np.testing.assert_allclose(fitted.held_out[:, 1], 3, atol=1e-4)


def test_all_that_is_wrong_is_told_at_once() -> None:
    X, Y, groups = problem(30, 10, 3)
    X[3, 4] = np.nan
    splits = [*leave_out(groups, 3), (np.arange(5), np.arange(4, 31))]
    with pytest.raises(BadDataset) as told:
        fit_ridge(X, Y[:29], splits, alphas=[1, 0])
    message = str(told.value)
    assert "sample 3, input 4 is nan" in message
    assert "X has 30 samples and Y has 29" in message
    assert "split 3 tests 1 samples that it is fitted on" in message
    assert "split 3 names sample 30 of 30" in message
    assert "alphas [1, 0]" in message
    assert "\n" not in message


def test_a_target_that_is_not_finite_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y, groups = problem(30, 10, 3)
    Y[7, 2] = np.inf
    monkeypatch.setattr(ridge_solver, "BATCH_BYTES", 1)
    monkeypatch.setattr(ridge_solver, "BATCH_SHARE", 0)
    with pytest.raises(BadDataset, match="sample 7, target 2 is inf"):
        fit_ridge(X, Y, leave_out(groups, 3))
    with pytest.raises(BadDataset, match="at least 2"):
        leave_out(np.zeros(30, int), 3)
    with pytest.raises(BadDataset, match=r"Y has shape \(30,\)"):
        fit_ridge(X, Y[:, 0], leave_out(groups, 3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
@pytest.mark.parametrize("shape", [(60, 20, 7, 5), (30, 90, 5, 5)])
def test_a_gpu_finds_the_same(
    shape: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, Y, groups = problem(*shape)
    there = fit_ridge(X, Y, leave_out(groups, 4))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    here = fit_ridge(X, Y, leave_out(groups, 4))
    np.testing.assert_array_equal(there.alphas, here.alphas)
    np.testing.assert_allclose(there.weights, here.weights, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(there.held_out, here.held_out, rtol=1e-4, atol=1e-4)
