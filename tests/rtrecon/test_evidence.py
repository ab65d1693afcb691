"""The filter against one big linear system, and causal to the bit."""

import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon.evidence import SD_PRIOR, Evidence, Model
from rtrecon.types import Trial
from tests.series import N_VOXELS, RESPONSE, SD, WHITE, Series, series, walk


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
