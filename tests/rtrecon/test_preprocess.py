"""Volume to pattern: causal to the bit, and equal to a plain second implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon.evidence import Evidence, Model
from rtrecon.motion import Realign
from rtrecon.preprocess import Preprocess
from rtrecon.quality import START_UP, Inspect
from rtrecon.response import Response
from rtrecon.types import Event, Geometry, Marker, Pattern, Trial, Volume, read_only
from tests import phantom
from tests.toy import toy_run, toy_volumes

TR_S = 2.0
VOXELS = np.arange(0, 120, 2)


SD = np.full(len(VOXELS), 8.0, np.float32)
RESPONSE = Response(duration_s=6.0)


def fresh(geometry: Geometry) -> Preprocess:
    return Preprocess(VOXELS, SD, Evidence(SD, RESPONSE), geometry.tr_s)


def walk(preprocess: Preprocess, items: list[Volume | Marker]) -> list[Pattern | None]:
    patterns: list[Pattern | None] = []
    for item in items:
        if isinstance(item, Volume):
            patterns.append(preprocess.add(item))
        else:
            preprocess.mark(item)
    return patterns


def test_a_pattern_is_the_evidence_less_its_mean_over_voxels(toy_geometry: Geometry) -> None:
    items = list(toy_run(toy_geometry, 20))
    patterns = walk(fresh(toy_geometry), items)
    evidence, inspect = Evidence(SD, RESPONSE, Model()), Inspect(SD)
    volumes = [item for item in items if isinstance(item, Volume)]
    onsets = [i.onset_s for i in items if isinstance(i, Marker) and i.event is Event.TRIAL]
    checked = 0
    for volume, pattern in zip(volumes, patterns, strict=True):
        raw = volume.data.ravel(order="F")[VOXELS]
        middle_s = (volume.number + 0.5) * TR_S
        while onsets and onsets[0] <= middle_s:
            evidence.begin(Trial(0, "", onsets.pop(0), 6.0))
        quality = inspect(raw)
        usable = np.where(quality.usable, raw, np.nan)
        estimate = evidence.add(usable, middle_s, quality.weight)
        if pattern is None:
            continue
        assert estimate is not None
        amplitude = estimate.amplitude - estimate.amplitude.mean()
        np.testing.assert_array_equal(pattern.voxels, amplitude)
        assert pattern.age_s == pytest.approx((volume.number + 1) * TR_S - pattern.trial.onset_s)
        checked += 1
    assert checked > 8


def test_the_scanners_pulses_change_nothing(toy_geometry: Geometry) -> None:
    items = list(toy_run(toy_geometry, 20))
    pulses = [Marker(Event.TRIGGER, onset_s=2.0 * n, stamp=2.0 * n) for n in range(len(items))]
    mixed = [item for pair in zip(pulses, items, strict=True) for item in pair]
    plain, pulsed = (walk(fresh(toy_geometry), walked) for walked in (items, mixed))
    assert any(pattern is not None for pattern in plain)
    for a, b in zip(plain, pulsed, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert a.trial == b.trial
            np.testing.assert_array_equal(a.voxels, b.voxels)


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
        if isinstance(i, Volume) and i.number < START_UP
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


SHAPE = (40, 44, 24)
AFFINE = phantom.centred(SHAPE, (4.0, 4.0, 5.0))


def seen_while_moving(number: int, stripes: np.ndarray) -> Volume:
    """The head as it answers to a stimulus at 20 s, moved by up to 2 mm from volume to volume."""
    turn = np.array([0.01, -0.02, 0.015]) * np.sin(number)
    pose = phantom.pose(np.array([1.0, -2.0, 0.5]) * np.cos(number), turn)
    at_mm = (np.linalg.inv(pose) @ AFFINE @ phantom.grid(SHAPE))[:3]
    answer = 0.02 * RESPONSE.at((number + 0.5) * TR_S - 20.0, 6.0) * np.sign(stripes @ at_mm)
    noise = np.random.default_rng(number).normal(0, 5, at_mm.shape[1])
    data = phantom.head(at_mm) * (1 + answer) + noise
    return Volume(number, read_only(data.reshape(SHAPE).astype(np.float32)))


@pytest.mark.parametrize("realigned", [True, False])
def test_patterns_stay_on_the_tissue_when_the_head_moves(realigned: bool) -> None:
    stripes = np.array([0.08, 0.05, -0.06])  # rad per mm
    x_mm = (AFFINE @ phantom.grid(SHAPE))[:3]
    inner = np.linalg.norm((x_mm - phantom.CENTRE_MM[:, None]) / 50, axis=0) < 0.8
    voxels = np.flatnonzero(inner.reshape(SHAPE).ravel(order="F"))
    realign = Realign(phantom.volume(SHAPE, AFFINE).astype(np.float32), AFFINE, voxels)
    sd = np.full(len(voxels), 10.0, np.float32)
    preprocess = Preprocess(
        voxels, sd, Evidence(sd, RESPONSE), TR_S, realign if realigned else None
    )
    items: list[Volume | Marker] = [Marker(Event.RUN_START)]
    items += [seen_while_moving(number, stripes) for number in range(16)]
    items.insert(10, Marker(Event.TRIAL, "stripes", 20.0, 6.0))
    pattern = [p for p in walk(preprocess, items) if p is not None][-1]
    truth = np.sign(stripes @ x_mm).reshape(SHAPE).ravel(order="F")[voxels]
    likeness = np.corrcoef(pattern.voxels, truth)[0, 1]
    assert likeness > 0.8 if realigned else likeness < 0.4
    assert preprocess.arrival is not None
    assert (preprocess.arrival.displacement_mm > 0.5) == realigned


def test_a_volume_in_which_the_head_is_lost_counts_for_nothing() -> None:
    voxels = np.arange(1000, 1400)
    still = phantom.volume(SHAPE, AFFINE).astype(np.float32)
    realign = Realign(still, AFFINE, voxels)
    sd = np.full(len(voxels), 10.0, np.float32)
    preprocess = Preprocess(voxels, sd, Evidence(sd, RESPONSE), TR_S, realign)
    preprocess.mark(Marker(Event.RUN_START))
    for number in range(6):
        preprocess.add(Volume(number, still))
    preprocess.add(Volume(6, np.roll(still, 7, axis=1)))
    assert preprocess.arrival is not None
    assert preprocess.arrival.weight == 0
    assert preprocess.arrival.reason


def test_markers_that_come_twice_or_far_ahead_change_nothing(toy_geometry: Geometry) -> None:
    items = list(toy_run(toy_geometry, 30))
    trials = [i for i in items if isinstance(i, Marker) and i.event is Event.TRIAL]
    odd: list[Volume | Marker] = [items[0], trials[4], trials[2]]
    for item in items[1:]:
        if not any(item is early for early in (trials[2], trials[4])):
            odd.append(item)
        if isinstance(item, Volume) and item.number in {3, 9}:
            odd.append(trials[0] if item.number == 3 else trials[1])  # again, when it had begun
    one, other = (walk(fresh(toy_geometry), each) for each in (items, odd))
    assert sum(pattern is not None for pattern in one) > 15
    for a, b in zip(one, other, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            np.testing.assert_array_equal(a.voxels, b.voxels)
            assert (a.trial.trial_type, a.age_s) == (b.trial.trial_type, b.age_s)
