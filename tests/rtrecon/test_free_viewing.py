"""The sliding estimate finds when something was seen, and looks at the past alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon.evidence import Estimate
from rtrecon.free_viewing import BACK, SLOT_S, FreeViewing
from rtrecon.response import Response

SD = np.full(5, 8.0, np.float32)
RESPONSE = Response()


def walk(viewing: FreeViewing, voxels: np.ndarray, tr_s: float) -> list[Estimate | None]:
    return [viewing.add(row, (n + 0.5) * tr_s) for n, row in enumerate(voxels)]


@pytest.mark.parametrize("tr_s", [0.8, 2.0, 3.0])
def test_a_glance_is_found_where_it_was(tr_s: float) -> None:
    rng = np.random.default_rng(0)
    at_s = (np.arange(round(90 / tr_s)) + 0.5) * tr_s
    course = np.array([RESPONSE.at(t - 48, 6.0) for t in at_s])
    voxels = 600 + 8 * 5 * course[:, None] + rng.normal(0, 0.5, (len(at_s), 5))
    found = [e for e in walk(FreeViewing(SD, RESPONSE), voxels, tr_s) if e is not None]
    means = np.array([e.amplitude.mean() for e in found])
    middles = np.array([e.trial.onset_s + SLOT_S / 2 for e in found])
    inside = (middles > 48) & (middles < 54)
    assert means[inside].mean() > 2.5
    assert np.abs(means[(middles < 46) & (middles > 20)]).mean() < 0.3
    assert 48 <= middles[means.argmax()] <= 54


def test_each_volume_speaks_of_about_five_seconds_ago() -> None:
    estimates = walk(FreeViewing(SD, RESPONSE), np.full((40, 5), 100.0), 1.0)
    for n, estimate in enumerate(estimates):
        if estimate is not None:
            ago_s = n + 0.5 - estimate.trial.onset_s - SLOT_S / 2
            assert (BACK - 0.5) * SLOT_S <= ago_s <= (BACK + 0.5) * SLOT_S
    assert sum(e is not None for e in estimates) > 30


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 30), tr_s=st.sampled_from([0.7, 2.0, 3.0]))
def test_no_later_volume_changes_an_earlier_estimate(seed: int, cut: int, tr_s: float) -> None:
    voxels = np.random.default_rng(seed).normal(500, 9, (30, 5))
    other = voxels.copy()
    other[cut:] *= 3
    one, two = (walk(FreeViewing(SD, RESPONSE), rows, tr_s)[:cut] for rows in (voxels, other))
    for a, b in zip(one, two, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert a.amplitude.tobytes() == b.amplitude.tobytes()


@pytest.mark.timeout(20)  # it would begin half a billion slots
def test_a_long_gap_and_a_new_run_are_survived() -> None:
    viewing = FreeViewing(SD, RESPONSE)
    walk(viewing, np.full((10, 5), 100.0), 2.0)
    viewing.add(np.full(5, 100.0), 1e9)
    estimate = viewing.add(np.full(5, 100.0), 1e9 + 2)
    assert estimate is None or np.isfinite(estimate.amplitude).all()
    viewing.restart()
    fresh = walk(FreeViewing(SD, RESPONSE), np.full((10, 5), 90.0), 2.0)
    again = walk(viewing, np.full((10, 5), 90.0), 2.0)
    assert [e is None for e in again] == [e is None for e in fresh]
