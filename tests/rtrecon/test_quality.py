"""What spoils a volume is seen when it comes, and said in words."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon.quality import START_UP, Inspect, Quality

N = 500
SD = np.full(N, 6.0, np.float32)


def volumes(count: int = 40, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.uniform(300, 900, N) + rng.normal(0, 5, (count, N))).astype(np.float32)


def walk(data: np.ndarray) -> list[Quality]:
    inspect = Inspect(SD)
    return [inspect(row) for row in data]


def test_ordinary_volumes_count_in_full_after_the_start_up() -> None:
    found = walk(volumes())
    assert [q.weight for q in found] == [0.0] * START_UP + [1.0] * (40 - START_UP)
    assert found[1].reason == f"start-up volume 2 of {START_UP}"
    assert not any(q.reason for q in found[START_UP:])
    assert all(q.usable.all() for q in found)
    dvars = np.array([q.dvars for q in found[-10:]])
    np.testing.assert_allclose(dvars, 1, atol=0.15)


def test_dvars_is_the_root_mean_square_change_over_the_usual_one() -> None:
    data = volumes()
    found = walk(data)
    changes = np.sqrt((np.diff(data, axis=0) ** 2).mean(axis=1))
    usual = np.median(changes)
    nearer = found[-1].dvars * usual  # the last good volume is the last one here
    assert abs(nearer / changes[-1] - 1) < 0.1


def test_a_spiking_volume_counts_less_and_the_next_one_fully() -> None:
    data = volumes()
    data[20] += np.random.default_rng(1).normal(0, 20, N)
    data[30] *= 1.2
    found = walk(data)
    assert 0 < found[20].weight < 0.5
    assert found[20].reason == f"DVARS {found[20].dvars:.1f} times the usual"
    assert found[30].weight == 0
    assert [found[n].weight for n in (19, 21, 29, 31)] == [1.0] * 4


def test_after_a_lasting_jump_only_one_volume_counts_less() -> None:
    data = volumes()
    data[20:] *= 1.3
    assert [q.weight for q in walk(data)[19:23]] == [1.0, 0.0, 1.0, 1.0]


def test_motion_told_from_outside_lowers_the_weight() -> None:
    inspect = Inspect(SD)
    moved = [inspect(row, 1.0 if n == 20 else 0.1) for n, row in enumerate(volumes())]
    assert (moved[20].weight, moved[20].reason) == (0.25, "head moved 1 mm")
    assert moved[19].weight == moved[21].weight == 1.0


def test_spiking_and_dead_voxels_are_named_and_the_volume_kept() -> None:
    data = volumes()
    data[20, :10] += 400
    data[:, 30:40] = 0
    data[:, 50] = 77
    data[25, 60] = np.nan
    found = walk(data)
    assert not found[20].usable[:10].any()
    assert (found[20].weight, found[20].reason) == (1.0, "10 of 500 voxels spike")
    assert found[21].usable[:10].all()
    assert not any(q.usable[30:40].any() for q in found)
    assert found[15].reason == "11 of 500 voxels are dead"  # the stuck one among them
    assert not found[15].usable[50]
    assert not found[25].usable[60]
    assert found[26].usable[60]


def test_volumes_without_signal_count_for_nothing() -> None:
    data = volumes()
    data[20] = np.nan
    data[22] = 0
    found = walk(data)
    for n in (20, 22):
        assert (found[n].weight, found[n].reason) == (0.0, "no voxel has a signal")
    assert [found[n].weight for n in (21, 23)] == [1.0, 1.0]


def test_a_run_of_equal_volumes_dies_and_comes_back() -> None:
    data = volumes()
    data[20:35] = data[20]
    found = walk(data)
    assert found[34].weight == 0
    assert found[35].usable.all()


def test_a_new_run_forgets_the_last() -> None:
    inspect = Inspect(SD)
    for row in volumes(seed=3) * 2:
        inspect(row)
    inspect.restart()
    assert [inspect(row).dvars for row in volumes()[:8]][3:] == [
        q.dvars for q in walk(volumes()[:8])
    ][3:]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    cut=st.integers(1, 29),
    moved_mm=st.lists(st.floats(0, 3), min_size=30, max_size=30),
    spoilt=st.sets(st.integers(0, 29)),
)
def test_no_later_volume_changes_an_earlier_judgement(
    seed: int, cut: int, moved_mm: list[float], spoilt: set[int]
) -> None:
    data = volumes(30, seed)
    data[list(spoilt), ::3] *= 1.5
    other = data.copy()
    other[cut:] = np.random.default_rng(1).choice([0, np.nan, 1e6, 500], (30 - cut, N))
    one, two = Inspect(SD), Inspect(SD)
    for n in range(cut):
        a, b = one(data[n], moved_mm[n]), two(other[n], moved_mm[n])
        assert (a.weight, a.reason) == (b.weight, b.reason)
        assert np.float64(a.dvars).tobytes() == np.float64(b.dvars).tobytes()
        assert a.usable.tobytes() == b.usable.tobytes()


def test_voxels_whose_squares_are_no_numbers_are_dead_and_spoil_nothing_after_them() -> None:
    data = volumes()
    spoilt = data.copy()
    spoilt[20, : N // 2] = 1e30
    found, undisturbed = walk(spoilt), walk(data)
    assert not found[20].usable[: N // 2].any()
    assert found[20].usable[N // 2 :].all()
    assert found[20].reason == f"{N // 2} of {N} voxels are dead"
    for n in range(22, 40):
        assert found[n].usable.all()
        assert abs(found[n].dvars - undisturbed[n].dvars) < 0.05
