"""Whatever is told, a light flashes three times in a second at most: counted here by WCAG's words."""

from collections.abc import Callable
from math import nan

import numpy as np
import pytest
from numpy.typing import NDArray

from rtrecon.outputs.light import SHORTEST_FADE_S, Fixture, Glide
from rtrecon.types import Person
from tests.told import a_score

RATE_HZ = 40
ONE = (Person("a", "#ffffff"),)
TWO = (Person("a", "#ff0000"), Person("b", "#00ffff"))
Told = Callable[[float], dict[str, float]]


def flashes(values: NDArray[np.float64], change: float, counts: NDArray[np.bool_]) -> int:
    """The most flashes in any second: pairs of opposing changes of at least `change`.

    `counts`: at which samples (n,) an end of a change must lie for it to count.
    """
    return max(
        _opposing(values[n : n + RATE_HZ + 1], change, counts[n : n + RATE_HZ + 1]) // 2
        for n in range(max(1, len(values) - RATE_HZ))
    )


def _opposing(values: NDArray[np.float64], change: float, counts: NDArray[np.bool_]) -> int:
    """How many changes follow each other, each against the one before."""
    lowest = highest = 0
    found, direction = 0, 0
    for n, value in enumerate(values):
        lowest = n if value < values[lowest] else lowest
        highest = n if value > values[highest] else highest
        for way, since in ((1, lowest), (-1, highest)):
            far = way * (value - values[since]) >= change
            if far and direction != way and (counts[n] or counts[since]):
                found, direction = found + 1, way
                lowest = highest = n
            elif far and direction == way:
                lowest, highest = (lowest, n) if way > 0 else (n, highest)
    return found


def most_flashes(channels: NDArray[np.float64], gamma: float) -> tuple[int, int]:
    """Of luminance and of saturated red, for light (n, 3) that is that power of the channels."""
    red, green, blue = (channels**gamma).T
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    dark = luminance < 0.8
    redness = 320 * np.maximum(0, red - green - blue)
    saturated = red >= 0.8 * np.maximum(1e-9, red + green + blue)
    return flashes(luminance, 0.1, dark), flashes(redness, 20, saturated)


def follow(fixture: Fixture, told: Told, seconds: float) -> NDArray[np.float64]:
    """Red, green and blue (n, 3) of a fixture that is told something at each tick."""
    levels = []
    for now in np.arange(0, seconds, 1 / RATE_HZ):
        for person, value in told(now).items():
            fixture.tell(a_score(value, person=person), now)
        levels.append(fixture.at(now)[:3])
    return np.array(levels)


def square(hz: float, phase: float = 0.0) -> Callable[[float], float]:
    return lambda now: float((now * hz + phase) % 1 < 0.5)


_random = np.random.default_rng(0)
SIGNALS: dict[str, Told] = {
    **{f"{hz} Hz": lambda now, hz=hz: {"a": square(hz)(now)} for hz in (0.9, 1, 1.7, 2, 3, 10)},
    "noise": lambda now: {"a": _random.random()},
    "noise with gaps": lambda now: {"a": _random.choice([0.0, 1.0, nan])},
    "a sweep": lambda now: {"a": float(np.sin(3 * now * now) > 0)},
    "two by turns": lambda now: {"a": square(2)(now), "b": square(2, 0.5)(now)},
    "two at random": lambda now: {"a": float(_random.integers(2)), "b": float(_random.integers(2))},
}  # fmt: skip


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("gamma", [1.0, 2.2])
def test_no_more_than_three_flashes_in_any_second(signal: str, gamma: float) -> None:
    people = TWO if "two" in signal else ONE
    for low, high in (("#000000", ""), ("#0000ff", "#ff0000"), ("#ffffff", "#ff0000")):
        fixture = Fixture(people, low, high, SHORTEST_FADE_S, hold_s=0.3)
        levels = follow(fixture, SIGNALS[signal], 6)
        assert np.ptp(levels, axis=0).max() > 0.05  # it does follow
        assert max(most_flashes(levels, gamma)) <= 3


def test_flashes_are_counted() -> None:
    """What is not made slower flashes as often as it is told to, in the tests' own count."""
    now = np.arange(0, 5, 1 / RATE_HZ)
    for hz in (2, 3, 5, 10):
        white = np.array([[square(hz)(t)] * 3 for t in now])
        assert most_flashes(white, 1.0)[0] == hz
        red = white * [1, 0, 0]
        assert most_flashes(red, 1.0)[1] == hz
    assert most_flashes(0.05 * white, 1.0)[0] == 0


def test_a_glide_takes_its_time_and_then_has_come() -> None:
    glide, one = Glide(1, 2.0), np.ones(1)
    assert [glide.at(now, one)[0] for now in (10.0, 10.5, 11, 12, 13)] == [0, 0.25, 0.5, 1, 1]
    assert not glide.moves(13)
    half = 0.5 * one
    assert [glide.at(now, half)[0] for now in (20.0, 21, 22)] == [1, 0.75, 0.5]


def test_the_colours_of_what_is_told() -> None:
    def settled(fixture: Fixture, **told: float) -> list[float]:
        for now in np.arange(0, 3, 0.1):
            for person, value in told.items():
                fixture.tell(a_score(value, person=person), now)
            fixture.at(now)
        return np.round(fixture.at(3.0), 6).tolist()

    assert settled(Fixture(ONE, "#000000", "", 0.5, 5), a=0.5) == [0.5, 0.5, 0.5, 0.5]
    assert settled(Fixture(ONE, "#0000ff", "#ff0000", 0.5, 5), a=0.25) == [0.25, 0, 0.75, 0.25]
    assert settled(Fixture(TWO, "#000000", "", 0.5, 5), a=1.0) == [1, 0, 0, 1]
    assert settled(Fixture(TWO, "#000000", "", 0.5, 5), a=1.0, b=0.0) == [0.5, 0, 0, 0.5]
    assert settled(Fixture(ONE, "#000000", "", 0.5, 5), a=7.0) == [1, 1, 1, 1]
    assert settled(Fixture(ONE, "#000000", "", 0.5, 5), c=1.0) == [0, 0, 0, 0]


def test_dark_when_nothing_is_told_for_some_time() -> None:
    fixture = Fixture(ONE, "#202020", "", 0.5, hold_s=2.0)
    fixture.tell(a_score(1.0, person="a"), 0.0)
    for now in np.arange(0, 4, 0.05):
        fixture.tell(a_score(nan, person="a"), now)
        level = fixture.at(now)[0]
        assert level == 1 or not 0.6 < now < 1.95
    assert level == 0


def test_the_end_is_dark_after_half_a_second_wherever_it_was() -> None:
    fixture = Fixture(ONE, "#000000", "", 5.0, hold_s=100)
    fixture.tell(a_score(1.0, person="a"), 0.0)
    fixture.at(0.0)
    assert fixture.at(4.0)[0] == pytest.approx(0.8)
    fixture.go_dark(4.0)
    assert fixture.moves(4.1)
    assert fixture.at(4.25)[0] == pytest.approx(0.4)
    assert fixture.at(4.5)[0] == 0
