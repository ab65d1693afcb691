"""Metrics against their plain definitions and other people's code."""

from math import comb

import numpy as np
import pytest

from calibration.scoring import metrics
from calibration.scoring.statistics import score


def noise(count: int, seed: int, size: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [12, 60])
def test_pixcorr_is_pearsons(size: int) -> None:
    a, b = noise(3, 0, size), noise(4, 1, size)  # taken at once, and in two parts
    wanted = [[np.corrcoef(x.ravel(), y.ravel())[0, 1] for y in b] for x in a]
    np.testing.assert_allclose(metrics.pixel_correlations(a, b), wanted, atol=1e-9)


def test_ssim_is_that_of_scikit_image() -> None:
    skimage = pytest.importorskip("skimage", reason="scikit-image is not installed")
    from skimage.metrics import structural_similarity

    assert skimage
    a, b = metrics.resized(noise(2, 0, 12), 64), noise(2, 1, 64)
    b[0] = a[0] // 2 + b[0] // 4
    grey = [(x / 255.0) @ np.array(metrics.GREY) for x in (a, b)]
    wanted = [
        [
            structural_similarity(
                x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
            )
            for y in grey[1]
        ]
        for x in grey[0]
    ]
    np.testing.assert_allclose(metrics.structural_similarities(a, b), wanted, atol=1e-7)


def test_ssim_of_a_picture_with_itself_is_one() -> None:
    a = noise(2, 0)
    np.testing.assert_allclose(np.diag(metrics.structural_similarities(a, a)), 1.0)
    assert metrics.structural_similarities(a, a)[0, 1] < 0.2


def test_ssim_of_many_pictures_is_computed_within_blocks_alone() -> None:
    a, b = noise(70, 0, 16), noise(70, 1, 16)
    blocks = metrics.blocks_of(70)
    assert np.bincount(blocks).tolist() == [24, 23, 23]
    some, every = (metrics.structural_similarities(a, b, of) for of in (blocks, None))
    together = blocks[:, None] == blocks
    np.testing.assert_allclose(some[together], every[together])
    assert np.isnan(some[~together]).all()
    one, other = (
        score(metrics.mean_of(pairs, None, False, of), np.random.default_rng(0))
        for pairs, of in ((some, blocks), (every, None))
    )
    assert one.value == pytest.approx(other.value)
    assert one.chance == pytest.approx(other.chance, abs=0.003)
    np.testing.assert_allclose(one.null, other.null, atol=0.005)
    assert one.interval == pytest.approx(other.interval, abs=0.003)


def test_both_directions_of_two_way_are_their_plain_loops() -> None:
    s = np.random.default_rng(0).normal(size=(9, 9)) + np.eye(9)
    pairs = [(i, j) for i in range(9) for j in range(9) if i != j]
    original = np.mean([s[i, i] > s[j, i] for i, j in pairs])
    reconstruction = np.mean([s[i, i] > s[i, j] for i, j in pairs])
    assert original != reconstruction
    for fixed, wanted in (("original", original), ("reconstruction", reconstruction)):
        table = metrics.two_way(s, fixed)
        assert table.value == pytest.approx(wanted)
        assert table.wins is not None
        off = ~np.eye(9, dtype=bool)
        assert table.wins[off].mean() == pytest.approx(wanted)


def test_a_permuted_pairing_scores_as_if_it_were_the_true_one() -> None:
    rng = np.random.default_rng(1)
    s = rng.normal(size=(8, 8))
    order = rng.permutation(8)  # prediction i is given original order[i]
    for fixed in ("original", "reconstruction"):
        table = metrics.two_way(s, fixed)
        again = metrics.two_way(s[:, order], fixed)
        assert table.pairs[np.arange(8), order].mean() == pytest.approx(again.value)


def test_repeats_of_a_picture_are_not_compared() -> None:
    units = np.array([0, 0, 1, 2])
    s = np.random.default_rng(2).normal(size=(4, 4))
    others = {j: [i for i in range(4) if units[i] != units[j]] for j in range(4)}
    wanted = np.mean([np.mean([s[j, j] > s[i, j] for i in others[j]]) for j in range(4)])
    assert metrics.two_way(s, "original", units).value == pytest.approx(wanted)


def test_retrieval_is_the_mean_of_many_draws() -> None:
    rng = np.random.default_rng(3)
    s = rng.normal(size=(40, 40)) + 2 * np.eye(40)
    hits = []
    for _ in range(3000):
        row = rng.integers(40)
        drawn = rng.choice(np.delete(np.arange(40), row), 9, replace=False)
        hits.append(s[row, row] > s[row, drawn].max())
    assert metrics.retrieval(s, 10).value == pytest.approx(np.mean(hits), abs=0.03)
    assert metrics.retrieval(s).value == np.mean(s.argmax(axis=1) == np.arange(40))
    third = metrics.retrieval(np.array([[2.0, 1, 3], [9, 3, 1], [0, 0, 1]]), 2).pairs[0, 0]
    assert third == pytest.approx(comb(1, 1) / comb(2, 1))


def test_naming_is_argmax_and_rank() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.2, 0.1, 0.3]])
    top1, two_way = metrics.named(scores, np.array([1, 2]))
    assert top1.value == 0.5
    assert two_way.value == pytest.approx((0.5 + 1.0) / 2)
