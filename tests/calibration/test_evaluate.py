"""Scores against a five-line reference."""

import numpy as np
import pytest

from calibration.evaluate import two_way


def test_two_way_identification_is_that_of_a_plain_loop() -> None:
    similarity = np.random.default_rng(0).normal(size=(12, 12))
    wins = [
        similarity[original, original] > similarity[other, original]
        for original in range(12)
        for other in range(12)
        if other != original
    ]
    assert two_way(similarity) == pytest.approx(np.mean(wins))


def test_two_way_identification_has_its_known_answers() -> None:
    assert two_way(np.eye(5)) == 1.0
    assert two_way(1 - np.eye(5)) == 0.0
    assert two_way(np.ones((5, 5))) == 0.5
