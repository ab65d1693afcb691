"""Volume to pattern: causal to the bit, and equal to a plain second implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon import preprocess as module
from rtrecon.preprocess import PRIOR_VOLUMES, SKIP, Preprocess, RunningZ
from rtrecon.response import Response
from rtrecon.types import Event, Geometry, Marker, Pattern, Volume, read_only
from tests.toy import toy_run, toy_volumes

TR_S = 2.0
VOXELS = np.arange(0, 120, 2)


def fresh(geometry: Geometry) -> Preprocess:
    sd = np.full(len(VOXELS), 8.0, np.float32)
    return Preprocess(VOXELS, sd, Response(0.0, 6.0), geometry.tr_s)


def walk(preprocess: Preprocess, items: list[Volume | Marker]) -> list[Pattern | None]:
    patterns: list[Pattern | None] = []
    for item in items:
        if isinstance(item, Volume):
            patterns.append(preprocess.add(item))
        else:
            preprocess.mark(item)
    return patterns


def test_the_running_z_score_is_the_plain_one_with_forgetting_weights() -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(500, 8, size=(60, 30)) + np.linspace(0, 40, 60)[:, None]
    memory = 25.0
    running = RunningZ(np.full(30, 8.0, np.float32), memory)
    for n, row in enumerate(data, 1):
        z = running.add(row)
        weights = np.exp(-(n - 1 - np.arange(n)) / memory)
        mean = np.average(data[:n], axis=0, weights=weights)
        assert z.dtype == np.float32
        np.testing.assert_allclose(np.sign(z), np.sign(row - mean), atol=1e-9) if n > 1 else None
        np.testing.assert_allclose(running._mean, mean, rtol=1e-12)


def test_the_variance_starts_at_the_calibrations_and_ends_at_the_runs_own() -> None:
    rng = np.random.default_rng(1)
    running = RunningZ(np.full(400, 16.0, np.float32), memory=1e9)
    first = running.add(rng.normal(0, 4, 400))
    assert np.abs(first).max() == 0
    for _ in range(PRIOR_VOLUMES * 100):
        z = running.add(rng.normal(0, 4, 400))
    assert z.std() == pytest.approx(1.0, abs=0.15)


def test_evidence_is_the_response_weighted_mean_of_the_trials_z_scores(
    toy_geometry: Geometry,
) -> None:
    items = list(toy_run(toy_geometry, 20))
    patterns = walk(fresh(toy_geometry), items)
    reference = RunningZ(np.full(len(VOXELS), 8.0, np.float32), module.MEMORY_S / TR_S)
    volumes = [item for item in items if isinstance(item, Volume)]
    z = [reference.add(v.data.ravel(order="F")[VOXELS].astype(float)) for v in volumes[SKIP:]]
    checked = 0
    for volume, pattern in zip(volumes, patterns, strict=True):
        if pattern is None:
            continue
        onset = pattern.trial.onset_s
        of_trial = [n for n in range(SKIP, volume.number + 1) if (n + 0.5) * TR_S >= onset]
        weights = [Response().at((n + 0.5) * TR_S - onset, 6.0) for n in of_trial]
        weights = [weight if weight >= module.MIN_WEIGHT else 0.0 for weight in weights]
        mean = np.average([z[n - SKIP] for n in of_trial], axis=0, weights=weights)
        np.testing.assert_allclose(pattern.voxels, mean - mean.mean(), atol=1e-5)
        assert pattern.age_s == pytest.approx((volume.number + 1) * TR_S - onset)
        checked += 1
    assert checked > 8


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(1, 19),
    lost=st.sets(st.integers(0, 19), max_size=6),
    onsets=st.lists(st.floats(0, 40), max_size=8),
)
def test_no_later_volume_or_marker_changes_an_earlier_pattern(
    toy_geometry: Geometry, seed: int, cut: int, lost: set[int], onsets: list[float]
) -> None:
    def run(later: int) -> list[Volume | Marker]:
        data = toy_volumes(toy_geometry, 20, seed)
        data[..., cut:] = toy_volumes(toy_geometry, 20, later)[..., cut:] * (1 + later)
        items: list[Volume | Marker] = [Marker(Event.RUN_START)]
        coming = sorted(onsets) if later == 1 else sorted(o for o in onsets if o < cut * TR_S)
        for number in range(20):
            while coming and coming[0] < (number + 1) * TR_S:
                items.append(Marker(Event.TRIAL, "dog", coming.pop(0), 6.0))
            if number not in lost:
                items.append(Volume(number, read_only(data[..., number])))
        return items

    kept = cut - len([n for n in lost if n < cut])
    one = walk(fresh(toy_geometry), run(1))[:kept]
    other = walk(fresh(toy_geometry), run(2))[:kept]
    for a, b in zip(one, other, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert a.voxels.tobytes() == b.voxels.tobytes()
            assert (a.age_s, a.trial) == (b.age_s, b.trial)


def test_a_new_run_forgets_the_last(toy_geometry: Geometry) -> None:
    preprocess = fresh(toy_geometry)
    walk(preprocess, list(toy_run(toy_geometry, seed=5)))
    again = walk(preprocess, list(toy_run(toy_geometry, seed=6)))
    first = walk(fresh(toy_geometry), list(toy_run(toy_geometry, seed=6)))
    for a, b in zip(again, first, strict=True):
        if a is not None and b is not None:
            assert a.voxels.tobytes() == b.voxels.tobytes()


def test_the_start_up_volumes_count_for_nothing(toy_geometry: Geometry) -> None:
    items = list(toy_run(toy_geometry))
    bright = [
        Volume(i.number, i.data * np.float32(1.4))
        if isinstance(i, Volume) and i.number < SKIP
        else i
        for i in items
    ]
    for a, b in zip(
        walk(fresh(toy_geometry), items), walk(fresh(toy_geometry), bright), strict=True
    ):
        if a is not None and b is not None:
            assert a.voxels.tobytes() == b.voxels.tobytes()


def test_without_a_marker_there_is_no_pattern(toy_geometry: Geometry) -> None:
    only_volumes = [i for i in toy_run(toy_geometry) if isinstance(i, Volume)]
    assert not any(walk(fresh(toy_geometry), list(only_volumes)))
