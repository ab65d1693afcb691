"""Encoding of voxels, with known answers and against plain loops."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge

from calibration.data.samples import Samples
from calibration.explaining import encoding
from calibration.explaining.encoding import centred, compact, encode, less_mean
from calibration.explaining.encoding_scores import DRAWS, drawn, scores_of
from calibration.explaining.responses import FOLDS, Responses, responses_of
from calibration.fitting.ridge import ALPHAS, leave_out
from rtrecon.errors import BadDataset
from rtrecon.types import Trial

STIMULI, VOXELS = 72, 400
RUNS = np.repeat(np.arange(12), STIMULI // 12)  # two are left out at a time


def made_up(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Two sets of features that know nothing of each other, the second wider than there are stimuli."""
    rng = np.random.default_rng(seed)
    z, c = (
        rng.normal(3, 2, size=(STIMULI, 12)),
        rng.normal(size=(STIMULI, 4)) @ rng.normal(size=(4, 90)),
    )
    return z.astype(np.float32), c.astype(np.float32), rng


def responses(patterns: np.ndarray) -> Responses:
    shown = tuple(Trial(n, "", 0.0, 1.0, f"{n}.png") for n in range(len(patterns)))
    ones = np.ones(len(patterns), np.int64)
    return Responses(patterns.astype(np.float32), RUNS, shown, ones)


def driven_by(features: np.ndarray, rng: np.random.Generator, noise: float = 1.0) -> np.ndarray:
    signal = stats.zscore(features @ rng.normal(size=(features.shape[1], VOXELS // 2)))
    return signal + noise * rng.normal(size=signal.shape)


def test_voxels_made_of_z_and_voxels_made_of_c_are_told_apart() -> None:
    z, c, rng = made_up()
    measured = responses(np.hstack([driven_by(z, rng), driven_by(c, rng)]) + 5 * RUNS[:, None])
    regions = {"z": np.arange(VOXELS) < VOXELS // 2, "c": np.arange(VOXELS) >= VOXELS // 2}
    of_z, of_c, both = (
        scores_of(encode(features, measured), measured, regions) for features in ([z], [c], [z, c])
    )
    assert np.percentile(of_z.means["z"], 2.5) > 0.4 > np.percentile(of_c.means["z"], 97.5)
    assert np.percentile(of_c.means["c"], 2.5) > 0.4 > np.percentile(of_z.means["c"], 97.5)
    assert (of_z.q < 0.05)[regions["z"]].mean() > 0.9 > 0.2 > (of_z.q < 0.05)[regions["c"]].mean()
    beyond_c, beyond_z = ((both.r2 - one.r2)[regions["z"]].mean() for one in (of_c, of_z))
    assert beyond_c > 0.25 > 0.05 > beyond_z


def test_a_brain_that_sees_nothing_is_significant_nowhere() -> None:
    found, significant = [], 0
    for seed in range(4):
        z, _, rng = made_up(seed)
        nothing = encode([z], responses(rng.normal(size=(STIMULI, VOXELS))), seed)
        found.append(nothing.p)
        significant += int((nothing.q < 0.05).sum())
    assert significant <= 4
    share = float((np.concatenate(found) < 0.05).mean())
    assert share == pytest.approx(0.05, abs=0.02)


def test_what_knows_nothing_adds_nothing() -> None:
    """Fitted to noise both models do worse than the mean, and the larger one less so (by .011)."""
    rng = np.random.default_rng(0)
    z, c, patterns = rng.normal(size=(3, 36, VOXELS)).astype(np.float32)
    shown = np.arange(36)
    measured = Responses(patterns, shown, (), np.ones_like(shown))
    every = {"all": np.ones(VOXELS, bool)}
    of_z, both = (scores_of(encode(some, measured), measured, every) for some in ([z], [z, c]))
    assert abs(float((both.r2 - of_z.r2).mean())) < 0.004


def test_r_of_nothing_scatters_more_widely_than_that_of_independent_samples() -> None:
    """Why the null is fitted anew: with a null of independent samples this brain would light up."""
    z, _, rng = made_up()
    nothing = encode([z], responses(rng.normal(size=(STIMULI, 2000))))
    assert nothing.r.std() * np.sqrt(STIMULI - 12) > 1.15


def test_predictions_are_those_of_a_plain_nested_loop() -> None:
    z, _, rng = made_up()
    measured = responses(driven_by(z, rng)[:, :5])
    ours = encode([z], measured)
    X, Y = (
        values - np.stack([values[run == RUNS].mean(axis=0) for run in RUNS])
        for values in (z, measured.patterns)
    )
    X *= np.sqrt(1000 / (X**2).sum(axis=1).mean())
    for train, test in leave_out(RUNS, FOLDS):
        errors = np.zeros((len(ALPHAS), 5))
        for fit, check in leave_out(RUNS[train], FOLDS - 1):
            for n, alpha in enumerate(ALPHAS):
                model = Ridge(alpha=alpha).fit(X[train][fit], Y[train][fit])
                errors[n] += ((model.predict(X[train][check]) - Y[train][check]) ** 2).sum(axis=0)
        for voxel, best in enumerate(errors.argmin(axis=0)):
            theirs = Ridge(alpha=ALPHAS[best]).fit(X[train], Y[train, voxel]).predict(X[test])
            np.testing.assert_allclose(
                ours.predicted[test, voxel], theirs - theirs.mean(), atol=2e-3
            )
    theirs = [stats.pearsonr(p, y)[0] for p, y in zip(ours.predicted.T, centred(measured).T, strict=True)]  # fmt: skip
    np.testing.assert_allclose(ours.r, theirs, atol=1e-6)


def test_compact_features_have_the_same_inner_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_COLUMNS", 40)  # of 90
    _, c, _ = made_up()
    small, whole = compact(c, RUNS), less_mean(c, RUNS)
    assert small.shape[1] == STIMULI < c.shape[1]
    scale = (small**2).sum() / (whole**2).sum()
    np.testing.assert_allclose(small @ small.T, scale * whole @ whole.T, atol=0.1)


def test_drawn_scores_are_those_of_stimuli_drawn_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        encoding, "_COLUMNS", 4
    )  # so that a region begins in one part and ends in another
    z, _, rng = made_up()
    measured = responses(driven_by(z, rng)[:, :6])
    ours, truth = encode([z], measured), centred(measured)
    some = np.array([1, 2, 4, 5])
    scores = scores_of(ours, measured, {"some": np.isin(np.arange(6), some)})
    for n, counts in enumerate(np.rint(drawn(STIMULI, 0)[:5] * STIMULI).astype(int)):
        rows = np.repeat(np.arange(STIMULI), counts)
        r = [stats.pearsonr(ours.predicted[rows, v], truth[rows, v])[0] for v in some]
        assert scores.means["some"][n] == pytest.approx(np.mean(r), abs=1e-6)
        missed = ((ours.predicted[rows] - truth[rows]) ** 2).sum(axis=0)
        share = np.maximum(1 - missed / (truth[rows] ** 2).sum(axis=0), 0)[some].mean()
        assert scores.shares["some"][n] == pytest.approx(share, abs=1e-5)
    whole = np.maximum(1 - ((ours.predicted - truth) ** 2).sum(axis=0) / (truth**2).sum(axis=0), 0)
    np.testing.assert_allclose(scores.r2, whole, atol=1e-5)
    resampled = _resampled(ours.predicted[:, some], truth[:, some])
    assert len(scores.means["some"]) == DRAWS
    assert scores.means["some"].std() == pytest.approx(np.std(resampled, ddof=1), rel=0.25)


def _resampled(predicted: np.ndarray, truth: np.ndarray) -> list[float]:
    rng = np.random.default_rng(7)
    means = []
    for _ in range(300):
        rows = rng.integers(STIMULI, size=STIMULI)
        r = [np.corrcoef(predicted[rows, v], truth[rows, v])[0, 1] for v in range(4)]
        means.append(float(np.mean(r)))
    return means


def samples(stimuli: list[str], runs: list[int]) -> Samples:
    """Two patterns a trial, the last of which is the trial's number."""
    shown = tuple(Trial(n + 1, "", 0.0, 1.0, name) for n, name in enumerate(stimuli))
    numbers = np.repeat(np.arange(len(stimuli)), 2)
    patterns = np.where(np.arange(len(numbers)) % 2, numbers, -99)[:, None].astype(np.float32)
    ages = np.tile([6.0, 8.0], len(stimuli))
    return Samples(patterns, ages, ages, numbers, np.repeat(runs, 2), shown)


def test_a_response_is_the_mean_of_a_stimulus_last_patterns() -> None:
    names = [f"{n}.png" for n in range(12)]
    once = responses_of(samples(names, [n // 6 for n in range(12)]))
    assert once.patterns.ravel().tolist() == list(range(12))
    assert once.groups.tolist() == [0] * 6 + [1] * 6
    assert once.by_run
    again = responses_of(samples([*names, *names], [0] * 12 + [1] * 12))
    assert again.patterns.ravel().tolist() == [n + 6 for n in range(12)]
    assert again.repeats.tolist() == [2] * 12
    assert not again.by_run  # else a picture in one run would foretell itself in the other
    with pytest.raises(BadDataset, match="24 trials show 2 different stimuli"):
        responses_of(samples(["a.png", "b.png"] * 12, [0, 1] * 12))


def test_responses_come_back_from_their_file(tmp_path: Path) -> None:
    _, _, rng = made_up()
    measured = responses(rng.normal(size=(STIMULI, 5)))
    measured.save(tmp_path / "responses.npz")
    again = Responses.load(tmp_path / "responses.npz")
    np.testing.assert_array_equal(again.patterns, measured.patterns)
    np.testing.assert_array_equal(again.parts, measured.parts)
    assert again.by_run
