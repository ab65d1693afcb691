"""Kinds that were never met in fitting."""

import numpy as np
import pytest

from calibration.scoring.kinds import held_out_kinds


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
