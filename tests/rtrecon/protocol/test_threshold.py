"""A threshold against a slow reference that looks back over everything that was."""

from math import inf, nan

import numpy as np
import pytest
from numpy.typing import NDArray

from rtrecon.errors import BadConfig
from rtrecon.protocol.threshold import Crossing, Direction, Threshold

Floats = NDArray[np.float64]


def firings(crossing: Crossing, values: Floats, times: Floats) -> list[int]:
    threshold = Threshold(crossing)
    return [n for n, (value, time) in enumerate(zip(values, times, strict=True)) if threshold(value, time)]  # fmt: skip


def slow_firings(crossing: Crossing, values: Floats, times: Floats) -> list[int]:
    """Each sample asks all before it; nothing is remembered but which ones fired."""
    above = crossing.direction is Direction.ABOVE
    there = values >= crossing.level if above else values <= crossing.level
    opposite = values < crossing.level if above else values > crossing.level
    fired: list[int] = []
    for now in range(len(values)):
        starts = [start for start in range(now + 1) if there[start : now + 1].all()]
        held = any(times[now] - times[start] >= crossing.hold_s for start in starts)
        last = fired[-1] if fired else None
        again = last is None or (
            opposite[last + 1 : now + 1].any() and times[now] - times[last] >= crossing.refractory_s
        )
        if held and again:
            fired.append(now)
    return fired


def random_signal(rng: np.random.Generator) -> tuple[Crossing, Floats, Floats]:
    """Slow enough to stay over a level for a while, sampled irregularly, with holes."""
    n = int(rng.integers(20, 80))
    times = 1e4 + np.cumsum(rng.choice([0.0, 0.03, 0.1, 0.5, 2.0], n))
    walk = np.cumsum(rng.normal(0, 0.25, n))
    values = np.round(0.5 + walk - walk.mean(), 1)  # so that the level itself is often hit
    values[rng.random(n) < rng.choice([0.0, 0.05, 0.3])] = nan
    crossing = Crossing(
        float(rng.choice([0.3, 0.5, 0.8])),
        float(rng.choice([0.0, 0.1, 0.5, 2.0, 4.0])),
        float(rng.choice([0.0, 0.5, 3.0, 10.0])),
        Direction.ABOVE if rng.random() < 0.5 else Direction.BELOW,
    )
    return crossing, values, times


def test_a_thousand_random_signals_fire_where_the_reference_says() -> None:
    rng = np.random.default_rng(8)
    total = 0
    for _ in range(1000):
        crossing, values, times = random_signal(rng)
        expected = slow_firings(crossing, values, times)
        assert firings(crossing, values, times) == expected, (crossing, values, times)
        total += len(expected)
    assert total > 1000


def at_each_second(values: list[float], **keys: float) -> list[int]:
    crossing = Crossing(0.5, **keys)  # type: ignore[arg-type]
    return firings(crossing, np.array(values), np.arange(len(values), dtype=float))


def test_one_crossing_fires_once_however_long_it_lasts() -> None:
    assert at_each_second([0.2, 0.7, 0.9, 0.9, 0.9, 0.9]) == [1]
    assert at_each_second([0.2, 0.7, 0.2, 0.7]) == [1, 3]


def test_the_level_itself_counts_and_is_not_below() -> None:
    assert at_each_second([0.4, 0.5, 0.5, 0.9]) == [1]


def test_it_has_to_be_held_for_the_whole_time() -> None:
    assert at_each_second([0.2, 0.7, 0.7, 0.7, 0.7], hold_s=2) == [3]
    assert at_each_second([0.2, 0.7, 0.7, 0.2, 0.7, 0.7], hold_s=2) == []


def test_a_hole_breaks_the_hold_and_is_not_below() -> None:
    assert at_each_second([0.7, 0.7, nan, 0.7, 0.7, 0.7], hold_s=2) == [5]
    assert at_each_second([0.7, nan, 0.7, 0.7]) == [0]


def test_both_have_to_be_over_before_it_fires_again() -> None:
    high, low = 0.7, 0.2
    assert at_each_second([high, low, high, high, high, high], refractory_s=4) == [0, 4]
    assert at_each_second([high, high, high, high, high, low, high], refractory_s=4) == [0, 6]


def test_what_is_infinite_is_above_everything() -> None:
    assert at_each_second([0.2, inf]) == [1]
    assert at_each_second([inf, -inf, inf]) == [0, 2]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"level": nan}, "level = nan"),
        ({"level": 0.5, "hold_s": -1.0}, "hold_s = -1"),
        ({"level": 0.5, "refractory_s": inf}, "refractory_s = inf"),
    ],
)
def test_what_cannot_be_is_refused(keys: dict[str, float], told: str) -> None:
    with pytest.raises(BadConfig, match=told):
        Crossing(**keys)  # type: ignore[arg-type]
