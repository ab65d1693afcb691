"""Controls: decoders of shuffled trials."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from calibration.fitting.banded import Strength
from calibration.fitting.null_maps import neutral_shuffle, null_maps, permuted_trials
from rtrecon.artifact import LinearMap

TRIALS, AGES, VOXELS, TARGETS = 40, 3, 25, 6


def data(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Targets that are linear in the patterns; three ages a trial."""
    rng = np.random.default_rng(seed)
    trials = np.repeat(np.arange(TRIALS), AGES)
    targets = rng.normal(size=(TRIALS, TARGETS)).astype(np.float32)
    patterns = targets[trials] @ rng.normal(size=(TARGETS, VOXELS)) + 0.1 * rng.normal(
        size=(len(trials), VOXELS)
    )
    return patterns.astype(np.float32), targets[trials], trials


def true_map(X: np.ndarray, Y: np.ndarray) -> LinearMap:
    read = np.arange(VOXELS) % 2 == 0
    weights = np.zeros((int(read.sum()), TARGETS), np.float32)
    return LinearMap(read, X[:, read].mean(axis=0), weights, Y.mean(axis=0))


def test_a_null_map_is_the_ridge_of_shuffled_trials() -> None:
    X, Y, trials = data()
    alphas = np.array([1.0, 10, 100, 1, 10, 100])
    scales = np.stack([np.ones(VOXELS), np.linspace(0, 2, VOXELS)])[:, ::2]
    took = np.array([0, 1, 1, 0, 0, 1])
    strength = Strength(alphas, scales, took)
    (found,) = null_maps(
        true_map(X, Y), X, Y, trials, strength, np.random.default_rng(3), count=1, gain=2.0
    )
    rows = permuted_trials(trials, np.random.default_rng(3))
    for target, alpha in enumerate(alphas):
        by = scales[took[target]]
        reference = Ridge(alpha=alpha).fit(X[:, found.voxels] * by, Y[rows, target])
        wanted = 2 * by * reference.coef_
        np.testing.assert_allclose(found.weights[:, target], wanted, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(found.voxels, np.arange(VOXELS) % 2 == 0)


def test_a_null_map_knows_nothing_of_new_trials_and_speaks_as_loudly() -> None:
    X, Y, trials = data()
    read = (VOXELS + 1) // 2
    strength = Strength(np.ones(TARGETS), np.ones((1, read)), np.zeros(TARGETS, np.int64))
    rng = np.random.default_rng(0)
    maps = list(null_maps(true_map(X, Y), X, Y, trials, strength, rng, count=20))
    r = []
    for one in maps:
        predicted = np.stack([one(row) for row in X])
        r.append(np.corrcoef((predicted - Y.mean(axis=0)).ravel(), Y.ravel())[0, 1])
        assert predicted.std() > 0.1
    assert np.mean(r) == pytest.approx(0, abs=0.15)
    assert not np.allclose(maps[0].weights, maps[1].weights)


def test_the_neutral_shuffle_neither_keeps_nor_withholds_kinds() -> None:
    rng = np.random.default_rng(5)
    trials = np.repeat(np.arange(24), AGES)
    kind = np.arange(24) % 4
    targets = [
        (scale * (rng.normal(size=(4, 600))[kind] + 0.3 * rng.normal(size=(24, 600))))[trials]
        for scale in (1.0, 100.0)  # units do not matter
    ]

    def kept(seed: int) -> list[float]:
        rows = permuted_trials(trials, np.random.default_rng(seed))
        centred = [target - target.mean(axis=0) for target in targets]
        return [float((t * t[rows]).sum() / (t**2).sum()) for t in centred]

    seed = neutral_shuffle(trials, targets)
    totals = [np.abs(kept(n)).sum() for n in range(50)]
    assert totals[seed] == min(totals)
    assert totals[seed] < 0.1 < max(totals)


def test_whole_trials_are_shuffled() -> None:
    trials = np.array([4, 4, 4, 7, 7, 2, 2, 2, 9])
    for seed in range(20):
        rows = permuted_trials(trials, np.random.default_rng(seed))
        given = trials[rows]
        for trial in np.unique(trials):
            assert len(set(given[trials == trial])) == 1
        assert sorted({int(given[trials == t][0]) for t in trials}) == [2, 4, 7, 9]
