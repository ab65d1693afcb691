"""Nulls and intervals against simulated sessions whose truth is known."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from calibration.scoring.metrics import correlations, mean_of, named, two_way
from calibration.scoring.statistics import (
    Table,
    any_effect,
    interval,
    mean_interval,
    permutation_null,
    permutations,
    score,
)


def session(rng: np.random.Generator, effect: float, pictures: int = 30) -> np.ndarray:
    """Similarities of predictions of which a share is the original."""
    originals = rng.normal(size=(pictures, 40))
    predicted = effect * originals + rng.normal(size=originals.shape)
    return correlations(predicted, originals)


def truth_of(effect: float) -> float:
    rng = np.random.default_rng(99)
    return float(np.mean([two_way(session(rng, effect, 200)).value for _ in range(15)]))


def test_p_values_of_nothing_are_uniform_and_nulls_hold_95_percent() -> None:
    rng = np.random.default_rng(0)
    scores = [score(two_way(session(rng, 0.0, 20)), rng) for _ in range(120)]
    assert kstest([one.p for one in scores], "uniform").pvalue > 0.01
    inside = np.mean([one.null[0] <= one.value <= one.null[1] for one in scores])
    assert 0.89 <= inside <= 0.99


def test_two_way_null_is_centred_on_chance_exactly() -> None:
    one = score(two_way(session(np.random.default_rng(1), 0.3)), np.random.default_rng(2))
    assert one.chance == pytest.approx(0.5)
    assert np.mean(one.null) == pytest.approx(0.5, abs=0.02)
    assert one.p < 0.01
    assert one.n == 30


def test_an_unlike_share_of_names_moves_chance() -> None:
    """Who always says the commonest name is at chance, though that is more than one in three."""
    scores, truth = np.tile([1.0, 0.0, -1.0], (40, 1)), np.repeat([0, 1, 2], [28, 8, 4])
    one = score(named(scores, truth)[0], np.random.default_rng(0))
    assert one.value == one.chance == pytest.approx(0.7)
    assert one.p == 1.0


@pytest.mark.parametrize("effect", [0.1, 0.3])
def test_intervals_cover_the_true_two_way_identification(effect: float) -> None:
    rng, truth = np.random.default_rng(11), truth_of(effect)
    found = [interval(two_way(session(rng, effect)), rng, 300) for _ in range(250)]
    covered = np.mean([low <= truth <= high for low, high in found])
    assert 0.91 <= covered <= 0.99


def test_pictures_are_drawn_and_not_scores() -> None:
    """The scores of one session depend on each other: as many independent ones would vary less."""
    rng = np.random.default_rng(4)
    table = two_way(session(rng, 0.1, 60))
    low, high = interval(table, rng)
    spread = np.std([two_way(session(rng, 0.1, 60)).value for _ in range(120)])
    assert (high - low) / (2 * norm.ppf(0.975)) == pytest.approx(spread, rel=0.3)


def test_repeats_are_drawn_together() -> None:
    rng = np.random.default_rng(5)
    values = np.repeat(rng.normal(size=20), 4)  # each picture four times the same
    whole = Table(np.diag(values), None, np.repeat(np.arange(20), 4))
    low, high = interval(whole, rng)
    plain = mean_interval(values[::4], rng)
    assert high - low == pytest.approx(plain[1] - plain[0], rel=0.1)


def test_all_right_is_not_all_sure() -> None:
    low, high = interval(Table(np.ones((24, 24)), None, np.arange(24)), np.random.default_rng(0))
    assert low == pytest.approx(0.862, abs=0.002)  # Wilson's
    assert high == pytest.approx(1.0)


@pytest.mark.parametrize("full", [0.8, 0.6, 0.2])
def test_intervals_cover_the_mean_of_shares_of_which_many_are_whole(full: float) -> None:
    """As of kinds, two-way: most trials beat all other kinds, and a few only some."""
    rng = np.random.default_rng(12)

    def shares(n: int) -> np.ndarray:
        some = np.minimum(np.floor(12 * rng.beta(3, 1.2, n)), 11) / 12
        return np.where(rng.random(n) < full, 1.0, some)

    truth, held = shares(200_000).mean(), []
    for _ in range(300):
        low, high = interval(mean_of(np.diag(shares(24))), rng, 400)
        held.append(low <= truth <= high)
    assert 0.92 <= np.mean(held) <= 0.99


def test_permutations_stay_in_their_blocks() -> None:
    blocks = np.array([0, 1, 0, 1, 1])
    drawn = permutations(blocks, np.random.default_rng(0), 200)
    assert (np.sort(drawn, axis=1) == np.arange(5)).all()
    assert (blocks[drawn] == blocks).all()
    with pytest.raises(ValueError, match="no chance level"):
        permutations(np.zeros(1, np.int64), np.random.default_rng(0))


def test_scores_of_blocks_never_look_across_them() -> None:
    rng = np.random.default_rng(3)
    blocks = np.arange(40) % 2
    pairs = session(rng, 0.2, 40)
    pairs[blocks[:, None] != blocks] = np.nan
    table = mean_of(pairs, blocks=blocks)
    one = score(table, rng)
    assert one.chance == pytest.approx(np.nanmean(pairs))
    assert one.p < 0.05 < score(mean_of(session(rng, 0.0, 40), blocks=blocks), rng).p
    family = any_effect({"in blocks": table, "plain": mean_of(session(rng, 0.0, 40))}, rng)
    assert family["in blocks"] < 0.05 < family["plain"]


def test_the_null_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(6, 6))
    drawn = permutations(np.zeros(6, np.int64), rng, 50)
    plain = [np.mean([pairs[i, one[i]] for i in range(6)]) for one in drawn]
    np.testing.assert_allclose(permutation_null(pairs, drawn), plain)


def test_of_many_scores_of_nothing_one_is_below_5_percent_in_5_of_100_sessions() -> None:
    rng = np.random.default_rng(6)
    called = []
    for _ in range(100):
        tables = {str(n): two_way(session(rng, 0.0, 16)) for n in range(6)}
        called.append(min(any_effect(tables, rng).values()) <= 0.05)
    assert np.mean(called) <= 0.1
    strong = {"a": two_way(session(rng, 0.5)), "b": two_way(session(rng, 0.0))}
    found = any_effect(strong, rng)
    assert found["a"] < 0.01 < found["b"]


def test_distances_are_better_when_lower() -> None:
    distance = 1 - session(np.random.default_rng(7), 1.0)
    one = score(mean_of(distance, lower_is_better=True), np.random.default_rng(0))
    assert one.value < one.null[0]
    assert one.p < 0.01
