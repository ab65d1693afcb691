"""The filter when volumes are bad or lost and trials come at odd times."""

import numpy as np
import pytest

from rtrecon.evidence import Estimate, Evidence
from rtrecon.types import Trial
from tests.series import N_VOXELS, RESPONSE, SD, WHITE, Series, series, walk


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
