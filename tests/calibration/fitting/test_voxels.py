"""The choice of voxels against an analysis of variance, and that it does not look ahead."""

import numpy as np
from scipy.stats import f_oneway

from calibration.fitting.ridge import fit_ridge, leave_out
from calibration.fitting.voxels import chosen, explained

CLASSES, TRIALS, SAMPLES = 3, 36, 4


def noise(n_voxels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patterns that know nothing of three classes' targets, four of each trial."""
    rng = np.random.default_rng(1)
    trials = np.repeat(np.arange(TRIALS), SAMPLES)
    targets = rng.normal(size=(CLASSES, 5)).astype(np.float32)[trials % CLASSES]
    common = rng.normal(size=(TRIALS, n_voxels))[trials]
    X = common + 0.3 * rng.normal(size=(len(trials), n_voxels))
    return X.astype(np.float32), targets, trials


def test_voxels_are_ranked_as_by_an_analysis_of_variance() -> None:
    X, Y, trials = noise(50)
    means = np.stack([X[trials == n].mean(axis=0) for n in range(TRIALS)])
    f_values = f_oneway(*(means[n::CLASSES] for n in range(CLASSES))).statistic
    assert (np.argsort(explained(X, Y, trials)) == np.argsort(f_values)).all()
    assert chosen(X, Y, trials, 7).tolist() == sorted(np.argsort(-f_values)[:7])


def test_voxels_that_follow_a_continuous_target_are_found() -> None:
    X, _, trials = noise(300)
    Y = np.random.default_rng(2).normal(size=(TRIALS, 40)).astype(np.float32)[trials]
    Y[:, :3] *= 5
    X[:, 20:30] += Y[:, :1]
    assert set(range(20, 30)) <= set(chosen(X, Y, trials, 20).tolist())


def test_a_small_mask_is_read_whole() -> None:
    X, Y, trials = noise(9)
    assert chosen(X, Y, trials, 1000).tolist() == list(range(9))


def test_voxels_are_chosen_without_the_samples_left_out() -> None:
    """In noise, voxels chosen with a look at the left-out trials would seem to predict them."""
    X, Y, trials = noise(3000)
    splits = leave_out(trials, 6)

    def held_out(rows_of: str) -> float:
        rows = np.arange(len(X))
        fitted = fit_ridge(
            X, Y, splits,
            lambda train: chosen(*(a[train if rows_of == "train" else rows] for a in (X, Y, trials)), 30),
        )  # fmt: skip
        return float(np.corrcoef(fitted.held_out.ravel(), Y.ravel())[0, 1])

    assert held_out("train") < 0.4 < held_out("all")
