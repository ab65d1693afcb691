"""The filter against one big linear system, causal to the bit, and what it does when data is bad."""

import pickle
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon.evidence import SD_PRIOR, Estimate, Evidence, Model
from rtrecon.response import Response
from rtrecon.types import Trial

WHITE = Model(coloured=0.0)
N_VOXELS = 7
SD = np.linspace(4, 12, N_VOXELS).astype(np.float32)
RESPONSE = Response(delay_s=0.4, duration_s=6.0)


@dataclass(frozen=True)
class Series:
    """A made-up run. A trial is begun before the first volume whose middle its onset precedes."""

    middle_s: np.ndarray
    voxels: np.ndarray  # (n_volumes, n_voxels)
    weights: np.ndarray
    trials: list[Trial] = field(default_factory=list)

    def begun_before(self, n: int) -> list[Trial]:
        return [trial for trial in self.trials if trial.onset_s <= self.middle_s[n]]


def series(
    tr_s: float = 2.0,
    count: int = 40,
    onsets: tuple[float, ...] = (9.3, 21.0, 27.5, 30.2, 55.0),
    seed: int = 0,
    duration_s: float = 6.0,
) -> Series:
    """Noise, drift and responses of which the odd volumes count half; some are lost or skipped."""
    rng = np.random.default_rng(seed)
    middle_s = (np.arange(count) + 0.5) * tr_s
    trials = [Trial(n, "dog", onset_s, duration_s) for n, onset_s in enumerate(onsets, 1)]
    voxels = rng.normal(500, 300, N_VOXELS) + SD * rng.normal(size=(count, N_VOXELS))
    voxels += SD * np.cumsum(rng.normal(0, 0.1, (count, N_VOXELS)), axis=0)
    for trial in trials:
        course = [RESPONSE.at(t - trial.onset_s, duration_s) for t in middle_s]
        voxels += np.outer(course, SD * rng.normal(0, 2, N_VOXELS))
    weights = np.where(np.arange(count) % 2, 0.5, 1.0)
    weights[7::11] = 0
    kept = np.arange(count) % 9 != 5  # the others are lost
    return Series(middle_s[kept], voxels[kept], weights[kept], trials)


def walk(evidence: Evidence, run: Series) -> list[Estimate | None]:
    estimates, begun = [], 0
    for n, at_s in enumerate(run.middle_s):
        coming = run.begun_before(n)
        for trial in coming[begun:]:
            evidence.begin(trial)
        begun = len(coming)
        estimates.append(evidence.add(run.voxels[n], at_s, run.weights[n]))
    return estimates


def batch(run: Series, last: int, model: Model) -> tuple[np.ndarray, float]:
    """Amplitudes and variance of the newest trial with volume `last`: all volumes at once.

    The joint normal distribution of volumes and amplitudes, conditioned on the volumes.
    """
    rows = np.flatnonzero(run.weights[: last + 1] > 0)
    t, weights = run.middle_s[rows], run.weights[rows]
    begun = run.begun_before(last)
    design = np.zeros((len(rows), len(begun)))
    for i, row in enumerate(rows):
        for trial in run.begun_before(row)[-model.trials :]:
            age_s = t[i] - trial.onset_s
            design[i, begun.index(trial)] = RESPONSE.at(age_s, trial.duration_s)
    walked_s = np.minimum.outer(t, t) - run.middle_s[0]
    covariance = 1e6 + model.drift_per_s * walked_s + model.prior * design @ design.T
    apart_s = np.abs(np.subtract.outer(t, t))
    covariance += model.coloured * np.exp(-apart_s / model.memory_s)
    covariance += np.diag((1 - model.coloured) / weights)
    y = run.voxels[rows] - run.voxels[rows[0]]
    newest = design[:, -1]
    mean = model.prior * newest @ np.linalg.solve(covariance, y)
    left = model.prior - model.prior**2 * newest @ np.linalg.solve(covariance, newest)
    share = 1 - left / model.prior
    surprises = np.linalg.solve(np.linalg.cholesky(covariance), y)[1:] ** 2
    prior = SD_PRIOR * SD.astype(float) ** 2
    noise = (prior + weights[1:] @ surprises) / (SD_PRIOR + weights[1:].sum())
    return mean / share / np.sqrt(noise), left / share


@pytest.mark.parametrize("model", [WHITE, Model(), Model(0.05, 1.0, 2, 0.4, 8.0), Model(trials=1)])
@pytest.mark.parametrize("tr_s", [0.5, 1.3, 2.0, 3.0])
def test_the_recursion_equals_one_big_linear_system(model: Model, tr_s: float) -> None:
    run = series(tr_s, count=round(80 / tr_s))
    estimates = walk(Evidence(SD, RESPONSE, model), run)
    checked = 0
    for n, estimate in enumerate(estimates):
        if estimate is None:
            continue
        amplitude, variance = batch(run, n, model)
        assert estimate.variance == pytest.approx(variance, rel=1e-6)
        scale = np.abs(amplitude).max()
        np.testing.assert_allclose(estimate.amplitude, amplitude, rtol=1e-6, atol=1e-6 * scale)
        checked += 1
    assert checked > 12


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(1, 29),
    lost=st.sets(st.integers(0, 29), max_size=8),
    onsets=st.lists(st.floats(-10, 60), max_size=8),
    coloured=st.sampled_from([0.0, 0.6]),
)
def test_no_later_volume_or_trial_changes_an_earlier_estimate(
    seed: int, cut: int, lost: set[int], onsets: list[float], coloured: float
) -> None:
    def run(later: int) -> Series:
        rng, changed = np.random.default_rng(seed), np.random.default_rng(later)
        middle_s = np.arange(30) * 2.0 + 1
        voxels, weights = rng.normal(500, 9, (30, N_VOXELS)), rng.uniform(0, 1, 30).round(1)
        voxels[cut:] = changed.normal(900, 50, (30 - cut, N_VOXELS))
        weights[cut:] = changed.uniform(0, 1, 30 - cut)
        known = sorted(o for o in onsets if later == 1 or o <= middle_s[cut - 1])
        kept = np.array([n not in lost for n in range(30)])
        trials = [Trial(n, "dog", onset_s, 6.0) for n, onset_s in enumerate(known)]
        return Series(middle_s[kept], voxels[kept], weights[kept], trials)

    before = len([n for n in range(cut) if n not in lost])
    one, other = (
        walk(Evidence(SD, RESPONSE, Model(coloured=coloured)), run(later))[:before]
        for later in (1, 2)
    )
    for a, b in zip(one, other, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert a.amplitude.tobytes() == b.amplitude.tobytes()
            assert (a.variance, a.trial) == (b.variance, b.trial)


def test_the_size_of_an_estimate_does_not_depend_on_the_trials_age() -> None:
    """A response without noise is found at once and stays; only the variance falls."""
    at_s = np.arange(30) * 2.0 + 1
    course = np.array([RESPONSE.at(t - 20, 6.0) for t in at_s])
    run = Series(at_s, 100 + 3 * np.outer(course, SD), np.ones(30), [Trial(1, "dog", 20.0, 6.0)])
    evidence, found = Evidence(SD, RESPONSE), []
    for at_s, voxels in zip(run.middle_s, run.voxels, strict=True):
        if at_s == 21.0:
            evidence.begin(run.trials[0])
        if (estimate := evidence.add(voxels, at_s)) is not None:
            found.append(estimate)
            response = estimate.amplitude * np.sqrt(evidence._noise)
            np.testing.assert_allclose(response, 3 * SD, rtol=1e-4)
    assert len(found) > 15
    assert np.all(np.diff([e.variance for e in found]) < 1e-12)


@pytest.mark.parametrize("tr_s", [0.5, 2.0, 3.0])
def test_the_variance_is_that_of_the_errors(tr_s: float) -> None:
    """Data made by the model itself: errors over their expected spread have variance 1."""
    rng, n, model = np.random.default_rng(3), 4000, Model()
    evidence = Evidence(np.full(n, 5, np.float32), RESPONSE, model)
    level, fast, truth = np.full(n, 700.0), rng.normal(0, model.coloured**0.5, n), np.zeros(n)
    kept = np.exp(-tr_s / model.memory_s)
    for number in range(round(30 / tr_s)):
        at_s = (number + 0.5) * tr_s
        if number == round(14 / tr_s):
            evidence.begin(Trial(1, "dog", 14.0, 2.0))
            truth = rng.normal(0, model.prior**0.5, n)
        level += 5 * rng.normal(0, (model.drift_per_s * tr_s) ** 0.5, n)
        fast = kept * fast + rng.normal(0, (model.coloured * (1 - kept**2)) ** 0.5, n)
        white = rng.normal(0, (1 - model.coloured) ** 0.5, n)
        response = RESPONSE.at(at_s - 14.0, 2.0)
        estimate = evidence.add(level + 5 * (fast + white + response * truth), at_s)
    assert estimate is not None
    error = np.var(estimate.amplitude - truth) / estimate.variance
    assert error == pytest.approx(1, abs=0.12)


def test_overlapping_responses_are_told_apart() -> None:
    """Brief events 3 s apart, noiseless: with one state the later takes over the earlier's."""
    at_s = np.arange(60) * 1.0 + 0.5
    trials = [Trial(1, "dog", 20.0, 1.0), Trial(2, "cat", 23.0, 1.0)]
    truth = np.random.default_rng(0).normal(0, 3, (2, N_VOXELS))
    courses = [[RESPONSE.at(t - trial.onset_s, 1.0) for t in at_s] for trial in trials]
    run = Series(at_s, 300 + SD * (np.array(courses).T @ truth), np.ones(60), trials)

    def error(model: Model) -> float:
        evidence = Evidence(SD, RESPONSE, model)
        last = walk(evidence, run)[-1]
        assert last is not None
        return float(np.abs(last.amplitude * np.sqrt(evidence._noise) / SD - truth[1]).max())

    assert error(Model(prior=1e4)) < 0.01
    assert error(Model(prior=1e4, trials=1)) > 0.5


def test_an_earlier_trial_can_still_be_asked_for() -> None:
    evidence = Evidence(SD, RESPONSE)
    walk(evidence, series())
    current, before = evidence.estimate(), evidence.estimate(1)
    assert current is not None
    assert before is not None
    assert (current.trial.number, before.trial.number) == (5, 4)
    assert evidence.estimate(evidence.model.trials) is None


def test_time_without_volumes_costs_certainty() -> None:
    def variance(gap_s: float) -> float:
        evidence = Evidence(SD, RESPONSE, WHITE)
        for n in range(10):
            evidence.add(np.full(N_VOXELS, 100.0), n * 2.0)
        onset_s = 18 + gap_s
        evidence.begin(Trial(1, "dog", onset_s, 6.0))
        estimate = evidence.add(np.full(N_VOXELS, 100.0), onset_s + 6)
        assert estimate is not None
        return estimate.variance

    assert variance(0) < variance(60) < variance(600)


def test_a_worse_volume_counts_less_and_a_skipped_one_not_at_all() -> None:
    def after(weight: float, odd: float = 40.0) -> Estimate:
        evidence = Evidence(SD, RESPONSE)
        walk(evidence, series(count=14, onsets=(9.3,)))
        estimate = evidence.add(np.full(N_VOXELS, 500 + odd), 29.0, weight)
        assert estimate is not None
        return estimate

    assert after(1).variance < after(0.3).variance < after(0).variance
    assert after(0, 1e4).amplitude.tobytes() == after(0).amplitude.tobytes()


def test_a_volume_of_nans_only_lets_time_pass() -> None:
    evidence, skipping = Evidence(SD, RESPONSE), Evidence(SD, RESPONSE)
    for one in (evidence, skipping):
        walk(one, series(count=14, onsets=(9.3,)))
    a = evidence.add(np.full(N_VOXELS, np.nan), 29.0)
    b = skipping.add(np.zeros(N_VOXELS), 29.0, 0.0)
    assert a is not None
    assert b is not None
    assert a.amplitude.tobytes() == b.amplitude.tobytes()
    later = evidence.add(np.full(N_VOXELS, 500.0), 31.0)
    assert later is not None
    assert np.isfinite(later.amplitude).all()


def test_a_missing_voxel_leaves_the_others_as_they_are() -> None:
    run = series()
    whole = walk(Evidence(SD, RESPONSE), run)[-1]
    run.voxels[4:20, 2] = np.inf
    run.voxels[0, 5] = np.nan  # not there in the first volume: its baseline starts with the second
    holed = walk(Evidence(SD, RESPONSE), run)[-1]
    assert whole is not None
    assert holed is not None
    others = [0, 1, 3, 4, 6]
    assert holed.amplitude[others].tobytes() == whole.amplitude[others].tobytes()
    assert np.isfinite(holed.amplitude).all()
    assert holed.amplitude[5] == pytest.approx(whole.amplitude[5], abs=0.3)


def test_a_voxel_that_dies_keeps_its_noise() -> None:
    """Were its noise to fade, the amplitude it had would grow for ever."""
    evidence = Evidence(SD, RESPONSE)
    walk(evidence, series())
    before = evidence.noise_sd[3]
    row = np.full(N_VOXELS, 500.0)
    row[3] = np.nan
    for n in range(50):
        evidence.add(row, 100.0 + 2 * n)
    assert evidence.noise_sd[3] == before


def test_no_voxel_becomes_quieter_than_a_hundredth_of_its_noise() -> None:
    evidence = Evidence(SD, RESPONSE)
    for n in range(3000):
        evidence.add(np.full(N_VOXELS, 500.0), 2.0 * n)
    np.testing.assert_allclose(evidence.noise_sd, 0.01 * SD, rtol=1e-6)


def test_voxels_that_never_change_have_no_amplitude() -> None:
    run = series()
    run.voxels[:] = 250.0
    for estimate in walk(Evidence(np.zeros(N_VOXELS, np.float32), RESPONSE), run):
        assert estimate is None or np.abs(estimate.amplitude).max() == 0


def test_a_trial_of_the_future_says_nothing_before_its_onset() -> None:
    evidence, plain = Evidence(SD, RESPONSE), Evidence(SD, RESPONSE)
    run = series(onsets=())
    walk(plain, run)
    evidence.begin(Trial(1, "dog", 100.0, 6.0))
    assert not any(walk(evidence, run))
    plain.begin(Trial(1, "dog", 100.0, 6.0))
    for at_s in (101.0, 105.0, 109.0):
        a, b = (e.add(run.voxels[0], at_s) for e in (evidence, plain))
    assert a is not None
    assert b is not None
    np.testing.assert_allclose(a.amplitude, b.amplitude, rtol=1e-6)


def test_of_two_trials_with_one_onset_the_second_counts() -> None:
    run = series(onsets=(20.0, 20.0))
    both, one = Evidence(SD, RESPONSE), Evidence(SD, RESPONSE)
    twice = walk(both, run)
    once = walk(one, Series(run.middle_s, run.voxels, run.weights, run.trials[1:]))
    for a, b in zip(twice, once, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert a.trial.number == 2
            assert (a.amplitude.tobytes(), a.variance) == (b.amplitude.tobytes(), b.variance)
    assert both.estimate(1) is None


def test_a_run_that_starts_in_mid_trial_is_unsure_of_it() -> None:
    """No volume has shown the baseline alone, so all is unsure until the response has fallen."""

    def variance(onset_s: float, age_s: float) -> float:
        run = series(count=30, onsets=(onset_s,), duration_s=12.0)
        for at_s, estimate in zip(run.middle_s, walk(Evidence(SD, RESPONSE), run), strict=True):
            if estimate is not None and at_s - onset_s >= age_s:
                return estimate.variance
        return float("inf")

    assert variance(-8.0, 12.0) > 20 * variance(20.0, 12.0)
    assert variance(-8.0, 30.0) < 3 * variance(20.0, 30.0)


def test_volumes_must_come_in_order() -> None:
    evidence = Evidence(SD, RESPONSE)
    evidence.add(np.zeros(N_VOXELS), 5.0)
    with pytest.raises(ValueError, match=r"5 s comes after one at 5 s"):
        evidence.add(np.zeros(N_VOXELS), 5.0)


def test_a_new_run_forgets_the_last() -> None:
    used = Evidence(SD, RESPONSE)
    walk(used, series(seed=5))
    used.restart()
    for a, b in zip(walk(used, series()), walk(Evidence(SD, RESPONSE), series()), strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert a.amplitude.tobytes() == b.amplitude.tobytes()


def test_an_endless_run_takes_no_more_memory_or_time() -> None:
    evidence = Evidence(SD, RESPONSE)
    volume = np.random.default_rng(0).normal(500, 8, (64, N_VOXELS))
    seconds, sizes = [], []
    for n in range(10_000):
        if n % 6 == 0:
            evidence.begin(Trial(n, "dog", n * 2.0, 6.0))
        began = time.perf_counter()
        estimate = evidence.add(volume[n % 64], n * 2.0 + 1)
        seconds.append(time.perf_counter() - began)
        if n % 3000 == 999:
            sizes.append(len(pickle.dumps(evidence)))
    assert estimate is not None
    assert 0.2 < estimate.variance < 4
    assert max(sizes) - min(sizes) < 100  # numbers of more digits
    assert np.median(seconds[-2000:]) < 3 * np.median(seconds[1000:3000])
