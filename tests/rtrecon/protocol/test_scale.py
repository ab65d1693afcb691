"""A scale against plain numpy over everything that came."""

from itertools import pairwise
from math import exp, inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrecon.errors import BadConfig
from rtrecon.protocol.scale import LEAST, Baseline, BaselineKind, Scale, Scaling

Sample = tuple[float, float, float]  # raw, seconds since the one before, seconds of rest

raws = st.one_of(st.floats(-100, 100), st.just(nan))
steps = st.floats(0, 5)
rests = st.one_of(st.just(nan), st.floats(0, 30))
samples = st.lists(st.tuples(raws, steps, rests), min_size=1, max_size=60)
kinds = st.sampled_from(BaselineKind)


def values(baseline: Baseline, scaling: Scaling, given_: list[Sample]) -> list[float]:
    scale, time, found = Scale(baseline, scaling), 1e4, []
    for raw, step_s, resting_s in given_:
        time += step_s
        found.append(scale(raw, time, resting_s))
    return found


def by_numpy(baseline: Baseline, scaling: Scaling, given_: list[Sample]) -> list[float]:
    """Each value from all samples up to it."""
    times = 1e4 + np.cumsum([step for _, step, _ in given_])
    return [_one(baseline, scaling, given_[: n + 1], times[: n + 1]) for n in range(len(given_))]


def _one(baseline: Baseline, scaling: Scaling, given_: list[Sample], times: np.ndarray) -> float:
    raw, rest = (np.array([sample[k] for sample in given_]) for k in (0, 2))
    if np.isnan(raw[-1]):
        return nan
    valid = ~np.isnan(raw)
    raw, rest, times = raw[valid], rest[valid], times[valid]
    smooth = raw[0]
    for (before, now), new in zip(pairwise(times), raw[1:], strict=True):
        kept = exp(-(now - before) / scaling.smooth_s) if scaling.smooth_s else 0.0
        smooth = kept * smooth + (1 - kept) * new
    mean, sd = 0.0, 1.0
    if baseline.kind is BaselineKind.FIXED:
        mean, sd = baseline.mean, baseline.sd
    elif baseline.kind is not BaselineKind.NONE:
        if baseline.kind is BaselineKind.REST:
            belongs = rest >= baseline.skip_s
        else:
            early = times - times[0] < baseline.seconds
            belongs = early | (np.arange(len(raw)) < LEAST)
            if early[-1]:
                return nan
        if belongs.sum() < LEAST or np.std(raw[belongs]) == 0:
            return nan
        mean, sd = np.mean(raw[belongs]), np.std(raw[belongs], ddof=1)
    share = ((smooth - mean) / sd - scaling.low) / (scaling.high - scaling.low)
    return float(np.clip(share, 0, 1))


@given(
    samples, kinds, st.sampled_from([0.0, 0.5, 4.0]), st.sampled_from([(-2, 2), (0, 1), (3, -1)])
)
def test_each_value_is_what_numpy_makes_of_all_samples_up_to_it(
    given_: list[Sample], kind: BaselineKind, smooth_s: float, ends: tuple[float, float]
) -> None:
    baseline = Baseline(kind, skip_s=4.0, seconds=10.0, mean=3.0, sd=7.0)
    scaling = Scaling(*ends, smooth_s)
    found, expected = values(baseline, scaling, given_), by_numpy(baseline, scaling, given_)
    # Where all raw values are nearly the same their SD is mere rounding.
    raw = [raw for raw, _, _ in given_ if not isnan(raw)]
    if kind in (BaselineKind.REST, BaselineKind.START) and (not raw or nearly_equal(raw)):
        return
    np.testing.assert_allclose(found, expected, atol=1e-6)


def nearly_equal(raw: list[float]) -> bool:
    """Whether some of them could make a baseline whose SD says nothing."""
    ordered = np.sort(raw)
    spread = ordered[LEAST - 1 :] - ordered[: 1 - LEAST or None]
    return len(spread) == 0 or spread.min() < 1e-3


def test_without_a_baseline_low_and_high_are_of_the_raw_measure() -> None:
    scale = Scale(Baseline(), Scaling(0.1, 0.5))
    assert [scale(raw, 0.0) for raw in (0.1, 0.3, 0.5, -7.0, 9.0)] == pytest.approx(
        [0, 0.5, 1, 0, 1]
    )


def test_low_above_high_turns_it_round() -> None:
    scale = Scale(Baseline(), Scaling(10.0, 0.0))
    assert scale(2.0, 0.0) == pytest.approx(0.8)


def test_rest_blocks_are_the_baseline_and_later_ones_are_added() -> None:
    scale = Scale(Baseline(BaselineKind.REST, skip_s=5.0), Scaling(-2.0, 2.0))
    assert isnan(scale(50.0, 0.0))  # nobody rests yet
    assert isnan(scale(1e6, 1.0, resting_s=4.0))  # what was before has not died away
    for n, raw in enumerate((8.0, 10.0)):
        assert isnan(scale(raw, 2.0 + n, resting_s=6.0 + n))
    assert scale(12.0, 4.0, resting_s=8.0) == pytest.approx(0.75)  # mean 10, SD 2
    assert scale(10.0, 5.0) == pytest.approx(0.5)
    for n in range(3):
        scale(20.0, 6.0 + n, resting_s=6.0)
    assert (scale.mean, scale.sd) == (
        pytest.approx(np.mean([8, 10, 12, 20, 20, 20])),
        pytest.approx(np.std([8, 10, 12, 20, 20, 20], ddof=1)),
    )


def test_a_baseline_of_the_start_is_known_when_all_of_it_is_in() -> None:
    scale = Scale(Baseline(BaselineKind.START, seconds=3.0), Scaling(0.0, 1.0))
    assert all(isnan(scale(raw, time)) for raw, time in [(1.0, 7.0), (2.0, 8.0), (3.0, 9.0)])
    assert scale(2.5, 10.0) == pytest.approx(0.5)
    assert scale.mean == 2.0  # what came later is no part of it


def test_a_baseline_that_never_varies_gives_nothing() -> None:
    scale = Scale(Baseline(BaselineKind.REST), Scaling())
    assert all(isnan(scale(4.0, n, resting_s=n)) for n in range(5))
    assert isnan(scale(5.0, 6.0))


def test_a_smoothed_step_comes_as_far_as_its_time_constant_says() -> None:
    """However often it is sampled."""
    for count in (1, 7, 100):
        scale = Scale(Baseline(), Scaling(smooth_s=4.0))
        scale(0.0, 0.0)
        steps_ = [scale(1.0, 4.0 * (n + 1) / count) for n in range(count)]
        assert steps_[-1] == pytest.approx(1 - exp(-1))


def test_a_hole_leaves_no_trace() -> None:
    with_hole, without = (Scale(Baseline(), Scaling(smooth_s=1.0)) for _ in range(2))
    with_hole(0.2, 0.0), without(0.2, 0.0)
    assert isnan(with_hole(nan, 0.5))
    assert isnan(with_hole(inf, 0.6))
    assert with_hole(0.9, 1.0) == without(0.9, 1.0)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Baseline(sd=0.0), "sd = 0"),
        (lambda: Baseline(mean=nan), "mean = nan"),
        (lambda: Baseline(seconds=0.0), "seconds = 0"),
        (lambda: Baseline(skip_s=-1.0), "skip_s = -1"),
        (lambda: Scaling(1.0, 1.0), "low = 1.0, high = 1.0"),
        (lambda: Scaling(0.0, inf), "high = inf"),
        (lambda: Scaling(smooth_s=nan), "smooth_s = nan"),
    ],
)
def test_what_cannot_be_is_refused(make: object, told: str) -> None:
    with pytest.raises(BadConfig, match=told):
        make()  # type: ignore[operator]
