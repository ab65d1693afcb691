"""Probabilities that keep their word: what is called 70 % is right in 70 of 100 trials."""

import numpy as np
import pytest

from calibration.fitting.confidence import fit_confidence, reliability
from rtrecon.confidence import Confidence, softmax
from rtrecon.decode import unit

CANDIDATES = 5


def guesses(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of young and old evidence, all of length 1: what is shown plus noise by variance."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(CANDIDATES, size=count)
    variances = rng.choice([0.1, 1.0, 10.0], size=count)
    shares = np.eye(CANDIDATES)[truth] + 0.5 * np.sqrt(variances)[:, None] * rng.normal(
        size=(count, CANDIDATES)
    )
    return unit(shares).astype(np.float32), variances, truth


def test_probabilities_are_frequencies_at_every_variance() -> None:
    confidence = fit_confidence(*guesses(2000, 0), 2000)
    scores, variances, truth = guesses(20_000, 1)
    probabilities = confidence(scores, variances)
    right = probabilities.argmax(axis=1) == truth
    for variance in (0.1, 1.0, 10.0):
        chosen = variances == variance
        claimed = probabilities.max(axis=1)[chosen].mean()
        assert claimed == pytest.approx(right[chosen].mean(), abs=0.06)
    constant = Confidence(confidence.temperature, 0.0, 0.0)(scores, variances)
    young = variances == 10.0
    assert constant.max(axis=1)[young].mean() > right[young].mean() + 0.15  # what it is there for


def test_nobody_is_surer_than_the_trials_allow() -> None:
    scores = unit(np.eye(3, dtype=np.float32))[np.arange(18) % 3]  # all right, without fail
    confidence = fit_confidence(scores, np.full(18, 0.1), np.arange(18) % 3, 18)
    probabilities = confidence(scores, 0.1)
    assert 0.9 < probabilities.max() < 1 - 1 / 30
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_without_growth_and_doubt_it_is_a_softmax() -> None:
    scores = np.array([0.3, -0.1, 0.9], np.float32)
    np.testing.assert_allclose(
        Confidence(0.5, 0.0, 0.0)(scores, 7.0), softmax(scores / 0.5), rtol=1e-6
    )


def test_true_claims_have_no_more_error_than_their_number_makes() -> None:
    rng = np.random.default_rng(0)
    within = []
    for _ in range(100):
        confidence = rng.beta(4, 2, 80)
        found = reliability(confidence, rng.random(80) < confidence, rng=rng)
        within.append(found.ece_interval[0] <= found.ece <= found.ece_interval[1])
    assert 0.88 <= np.mean(within) <= 1.0


def test_overclaiming_is_measured() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.6, 1, 2000)
    found = reliability(confidence, rng.random(2000) < confidence - 0.2, rng=rng)
    assert found.ece == pytest.approx(0.2, abs=0.03)
    assert found.ece > found.ece_interval[1]
    assert found.excess == pytest.approx(found.ece, abs=0.03)
    assert found.counts.sum() == 2000
    rows = found.as_json()["bins"]
    assert isinstance(rows, list)
    assert [row["n"] for row in rows] == found.counts[found.counts > 0].tolist()
    assert rows[-1]["said"] == pytest.approx(0.95, abs=0.02)
    assert rows[-1]["right"] < rows[-1]["interval"][0]


def test_ece_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(2)
    confidence, right = rng.random(50), rng.random(50) < 0.5
    wanted = 0.0
    for k in range(5):
        of = (confidence >= k / 5) & (confidence < (k + 1) / 5)
        if of.any():
            wanted += abs(confidence[of].mean() - right[of].mean()) * of.sum() / 50
    assert reliability(confidence, right, bins=5).ece == pytest.approx(wanted)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        reliability(np.array([1.2]), np.array([True]))
