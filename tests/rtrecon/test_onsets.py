"""Onsets worked out of stamps: by the volume before, or behind, whichever clock the marker has."""

import logging
from math import isnan

import pytest

from rtrecon.onsets import Onsets
from rtrecon.types import Event, Marker

TR_S = 2.0


@pytest.fixture
def onsets() -> Onsets:
    onsets = Onsets(speed=1.0, far_s=6.0)
    for number in range(5):
        assert onsets.volume((number + 1) * TR_S, 100 + (number + 1) * TR_S) == []
    return onsets


def trial(stamp: float) -> Marker:
    return Marker(Event.TRIAL, "dog", stamp=stamp)


def test_by_the_volume_before(onsets: Onsets) -> None:
    placed = onsets.place(trial(110.7))
    assert placed is not None
    assert placed.onset_s == pytest.approx(10.7)


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
@pytest.mark.parametrize("own_s", [True, False])
def test_a_clock_that_was_set_moves_no_onset(
    onsets: Onsets, step_s: float, own_s: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Set before the marker, or between it and the next volume."""
    stamp = 110.7 + (step_s if own_s else 0)
    placed = onsets.place(trial(stamp))
    with caplog.at_level(logging.WARNING):
        waited = onsets.volume(12.0, 112.0 + step_s)
    (placed,) = waited if placed is None else [placed]
    assert placed.onset_s == pytest.approx(10.7)
    assert f"{step_s:+.1f} s" in caplog.text
    later = onsets.place(trial(113.1 + step_s))
    assert later is not None
    assert later.onset_s == pytest.approx(13.1)


def test_a_long_silence_moves_no_onset(onsets: Onsets) -> None:
    assert onsets.place(trial(150.5)) is None
    (placed,) = onsets.volume(54.0, 154.0)
    assert placed.onset_s == pytest.approx(50.5)


def test_those_that_no_volume_comes_for_are_kept() -> None:
    onsets = Onsets(1.0, 6.0)
    assert onsets.place(trial(3.0)) is None
    (left,) = onsets.rest()
    assert isnan(left.onset_s)
    assert onsets.rest() == []
