"""Naming the candidate that a conditioning is nearest to, with known answers."""

import numpy as np
import pytest

from rtrecon.decode import Naming, unit

MEAN = np.full(8, 3.0, np.float32)


@pytest.fixture
def candidates() -> np.ndarray:
    """A cat, a dog that is nearly the same, and noise, far away from both."""
    rows = np.zeros((3, 8), np.float32)
    rows[:, 0] = (5, 5, -10)
    rows[:2, 1] = (1, -1)
    return MEAN + rows


def test_each_candidate_is_named_itself(candidates: np.ndarray) -> None:
    scores = Naming(candidates, MEAN)(candidates)
    assert (scores.argmax(axis=1) == np.arange(3)).all()
    assert (np.abs(scores) <= 1 + 1e-6).all()


def test_what_is_alike_in_candidates_does_not_outweigh_what_tells_them_apart(
    candidates: np.ndarray,
) -> None:
    """An animal for sure, a cat by a little, and dimmed as ridge predicts it."""
    c = MEAN.copy()
    c[:2] += (0.5, 0.6)
    assert Naming(candidates, MEAN)(c).argmax() == 0
    uncertain = candidates[0].copy()
    uncertain[0] = MEAN[0] - 1.0  # between noise and animal, but clearly on the cat's side
    plain = unit(uncertain - MEAN) @ unit(candidates - MEAN).T
    assert plain.argmax() == 2
    assert Naming(candidates, MEAN)(uncertain).argmax() == 0


def test_more_candidates_than_directions_are_no_harm() -> None:
    rng = np.random.default_rng(0)
    many = rng.normal(size=(40, 6)).astype(np.float32)
    scores = Naming(many, many.mean(axis=0))(many)
    assert np.isfinite(scores).all()
