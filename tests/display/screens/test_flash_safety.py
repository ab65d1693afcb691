"""Whatever is asked for, what is painted holds WCAG 2.3.1, by a rule written independently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtrecon.display import flashes
from rtrecon.display.flashes import Fades
from rtrecon.display.screens.patch import Corner
from rtrecon.types import Phase
from tests.display.screens.conftest import ALL, Turned
from tests.flash_rule import MOST_CHANGES, Counted, count

Image = NDArray[np.uint8]
Colours = tuple[tuple[int, int, int], ...]
MakeTurned = Callable[..., Turned]

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)
DARK_RED, BROWN = (140, 0, 0), (150, 80, 60)
SAME_LIGHT = ((255, 0, 0), (0, 147, 0))  # red and green of one luminance
REDS = ((186, 0, 0), (140, 0, 0))  # both saturated
TWO = [
    (BLACK, WHITE), (RED, BLUE), (RED, BLACK), (RED, WHITE), SAME_LIGHT, REDS, (DARK_RED, BROWN),
    (GREEN, BLUE), ((255, 200, 200), RED), ((102, 0, 0), (140, 101, 0)),
]  # fmt: skip


def plain(colour: tuple[int, int, int], side: int = 8) -> Image:
    return np.broadcast_to(np.array(colour, np.uint8), (side, side, 3)).copy()


def checkers(phase: int, side: int = 8) -> Image:
    black = (np.indices((side, side)).sum(0) + phase) % 2 == 0
    return np.where(black[..., None], np.uint8(0), np.uint8(255)).repeat(3, axis=2)


def noise(seed: int = 0) -> Iterator[Image]:
    rng = np.random.default_rng(seed)
    while True:
        yield rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)


def counted(screen: Turned) -> Counted:
    return count(screen.times, screen.pictures)


def flicker(screen: Turned, images: Iterator[Image], hz: float, seconds: float = 2.0) -> None:
    for _ in range(round(2 * hz * seconds)):
        screen.presented.picture(next(images))
        screen.go(1 / (2 * hz), min(0.032, 1 / (2 * hz)))


@pytest.mark.parametrize("colours", TWO, ids=str)
def test_two_colours_at_ten_hertz(turned: MakeTurned, colours: Colours) -> None:
    screen = turned(picture=1.0)
    flicker(screen, cycle([plain(colour) for colour in colours]), 10.0)
    assert counted(screen).safe


@pytest.mark.parametrize("hz", [1.0, 2.0, 3.5, 5.0, 30.0])
def test_black_and_white_at_any_rate(turned: MakeTurned, hz: float) -> None:
    screen = turned(picture=1.0)
    flicker(screen, cycle([plain(BLACK), plain(WHITE)]), hz)
    assert counted(screen).safe


def test_checkerboards_and_noise(turned: MakeTurned) -> None:
    screen = turned(picture=1.0)
    flicker(screen, cycle([checkers(0), checkers(1)]), 5.0)
    flicker(screen, noise(), 8.0)
    assert counted(screen).safe


def test_score_instruction_and_blank_that_jump(turned: MakeTurned) -> None:
    screen = turned()
    screen.presented.become(shows=ALL)
    for n in range(30):
        screen.presented.score(float(n % 2))
        screen.presented.become(instruction="REST NOW" * (n % 2), blank=n % 5 == 0)
        if n % 7 == 0:
            screen.presented.picture(plain(WHITE if n % 2 else RED))
        screen.go(0.08)
    screen.presented.become(phase=Phase.FAILED, blank=True)
    screen.go(3.5)
    assert counted(screen).safe


def test_stalls_and_paints_at_odd_times(turned: MakeTurned) -> None:
    """A late picture makes no jump, and what was missed meanwhile is not made up for."""
    screen = turned(picture=1.0)
    rng = np.random.default_rng(1)
    images = cycle([plain(BLACK), plain(WHITE), plain(RED)])
    for _ in range(30):
        screen.presented.picture(next(images))
        screen.go(0.001, rng.choice([0.004, 0.02, 0.05, 0.3, 1.2]))
        screen.go(rng.uniform(0.01, 0.25), rng.choice([0.005, 0.016, 0.033, 0.09]))
    assert counted(screen).safe


def test_ticks_without_paints_save_nothing_up(turned: MakeTurned) -> None:
    screen = turned(picture=1.0)
    screen.go(0.2)
    screen.presented.picture(plain(WHITE))
    for _ in range(100):
        screen.now += 0.016
        screen.canvas.tick()
    before = screen.pictures[-1]
    assert np.abs(screen.grab().astype(int) - before).max() < 40  # one step out of the dark


def test_resizes_at_random(turned: MakeTurned) -> None:
    screen = turned(picture=1.0)
    rng = np.random.default_rng(2)
    images = cycle([plain(BLACK), plain(WHITE)])
    for _ in range(40):
        screen.presented.picture(next(images))
        screen.canvas.resize(int(rng.integers(80, 120)), int(rng.integers(60, 90)))
        screen.go(0.06)
    assert counted(screen).safe


def test_a_resize_goes_on_from_what_was_painted(turned: MakeTurned) -> None:
    screen = turned(picture=1.0)
    screen.presented.picture(plain(WHITE))
    screen.go(2.5)
    for n in range(8):
        screen.canvas.resize(96 + n % 2, 72)
        screen.go(0.22)
        assert min(picture[36, 48].min() for picture in screen.pictures[-7:]) > 240
    assert counted(screen).safe


def test_paints_more_often_than_a_display_can_show(turned: MakeTurned) -> None:
    screen = turned(picture=1.0)
    images = cycle([plain(BLACK), plain(WHITE)])
    for _ in range(12):
        screen.presented.picture(next(images))
        screen.go(0.1, 0.005)
    assert counted(screen).safe


def test_a_patch_for_the_photodiode_is_slow_enough(turned: MakeTurned) -> None:
    screen = turned(photodiode=Corner.BOTTOM_LEFT)
    flicker(screen, noise(), 15.0)
    assert counted(screen).safe
    corner = [picture[-1, 0, 0] for picture in screen.pictures]
    assert {0, 255} == set(corner)


def test_mirrored_and_slow_are_safe_too(turned: MakeTurned) -> None:
    screen = turned(picture=1.0, mirrored=True, fade_s=4.0)
    flicker(screen, cycle([checkers(0), plain(RED)]), 6.0, 1.5)
    assert counted(screen).safe


def test_without_the_limit_the_rule_is_broken(
    turned: MakeTurned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the rule sees flashes: the same sequences, painted as they are asked for."""
    monkeypatch.setattr(flashes, "LIGHT_A_STEP", flashes.WHITE)
    monkeypatch.setattr(flashes, "RED_A_STEP", 3 * flashes.WHITE)
    screen = turned(picture=1.0)
    flicker(screen, cycle([plain(BLACK), plain(WHITE)]), 5.0, 1.5)
    assert counted(screen).luminance > MOST_CHANGES
    for colours in (REDS, SAME_LIGHT, (DARK_RED, BROWN)):
        screen = turned(picture=1.0)
        flicker(screen, cycle([plain(colour) for colour in colours]), 5.0, 1.2)
        assert counted(screen).red > MOST_CHANGES


def test_without_the_limit_of_reds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Luminance's limit would not do for reds."""
    monkeypatch.setattr(flashes, "RED_A_STEP", 3 * flashes.WHITE)
    worst = turned_at_each_flash(REDS)
    assert worst.red > MOST_CHANGES
    assert worst.luminance <= MOST_CHANGES


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.tuples(*[st.integers(0, 255)] * 3),
            st.floats(0.01, 0.4),
            st.sampled_from([0.007, 0.016, 0.031, 0.06, 0.4]),
            st.booleans(),
        ),
        min_size=4,
        max_size=25,
    )
)
def test_anything_at_any_time(
    turned: MakeTurned, asked: list[tuple[tuple[int, int, int], float, float, bool]]
) -> None:
    screen = turned(48, 36, picture=1.0)
    for colour, seconds, gap_s, blank in asked:
        screen.presented.picture(plain(colour))
        screen.presented.become(blank=blank)
        screen.go(seconds, gap_s)
    screen.canvas.close()
    assert counted(screen).safe


@pytest.mark.parametrize("colours", TWO, ids=str)
def test_the_worst_there_can_be(colours: Colours) -> None:
    worst = turned_at_each_flash(colours)
    assert worst.safe
    assert max(worst.luminance, worst.red) <= 5  # there is a margin


def turned_at_each_flash(colours: Colours) -> Counted:
    """One who watches what is painted, and asks for the other colour once a change counts."""
    asked = cycle([_four(colour) for colour in colours])
    fades = Fades(next(asked))
    fades.want(next(asked))
    times, pictures, turn = [0.0], [fades.picture[..., 2::-1].copy()], 0
    for n in range(1, 120):
        fades.step(n * 1.001 * flashes.STEP_S)
        times.append(n * 1.001 * flashes.STEP_S)
        pictures.append(fades.picture[..., 2::-1].copy())
        since = count([0, 1], [pictures[turn], pictures[-1]])
        if max(since.luminance, since.red, since.hue) or fades.settled:
            turn = n
            fades.want(next(asked))
    return count(times, pictures)


def _four(colour: tuple[int, int, int]) -> Image:
    return np.array([[(*colour[::-1], 255)]], np.uint8)
