"""Controls: decoders of shuffled trials, kinds never met."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from calibration.banded import Strength
from calibration.trust import held_out_kinds, neutral_shuffle, null_maps, permuted_trials
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


def kinds_of(collapsed: bool) -> tuple[np.ndarray, ...]:
    """A brain that tells what is seen, or only which of two families it belongs to.

    The second makes any decoder answer with what it knows of the family.
    """
    rng = np.random.default_rng(1)
    kinds, each = 8, 24
    prototypes = rng.normal(size=(kinds, 12))
    kind = np.tile(np.arange(kinds), each)
    C = prototypes[kind] + 0.05 * rng.normal(size=(len(kind), 12))
    seen = np.eye(kinds)[kind] if collapsed else C
    X = seen @ rng.normal(size=(seen.shape[1], 40)) + 0.3 * rng.normal(size=(len(kind), 40))
    trials = np.arange(len(kind))
    runs = trials // 32
    names = np.array([f"kind {k}" for k in kind])
    return X.astype(np.float32), C.astype(np.float32), trials, runs, names


def test_a_brain_that_tells_of_features_generalises_to_new_kinds() -> None:
    found = held_out_kinds(*kinds_of(collapsed=False), np.random.default_rng(0))
    assert found.known.value > 0.95
    assert found.identification.value > 0.8
    assert found.identification.p < 0.01
    assert found.nearest_training < found.nearest_training_chance
    assert found.drop == pytest.approx(found.known.value - found.identification.value)


def test_decoding_that_falls_into_its_training_kinds_is_found_out() -> None:
    """Each kind has a pattern of its own: of a new one nothing can be known."""
    found = held_out_kinds(*kinds_of(collapsed=True), np.random.default_rng(0))
    assert found.known.value > 0.95
    assert found.identification.value < 0.75
    assert found.nearest_training > 0.9
    assert found.nearest_training_known < 0.2
    assert found.nearest_training_chance == pytest.approx(6 / 8)
    assert found.drop_interval[0] > 0.15
    assert found.as_json()["drop"] == found.drop


def test_two_runs_are_enough_for_kinds_never_met() -> None:
    X, C, trials, _, names = kinds_of(collapsed=False)
    found = held_out_kinds(X, C, trials, trials // 96, names, np.random.default_rng(0))
    assert found.known.value > 0.95


def test_too_few_kinds_are_told() -> None:
    X, C, trials, runs, names = kinds_of(collapsed=False)
    few = np.isin(names, ["kind 0", "kind 1", "kind 2"])
    with pytest.raises(ValueError, match="3 kinds in 6 runs"):
        held_out_kinds(X[few], C[few], trials[few], runs[few], names[few], np.random.default_rng(0))
