"""Pitch by its spectrum, loudness by its root mean square, and no clicks."""

from math import nan, pi, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from rtrecon.outputs.synthesizer import HARMONICS, Choir, Mapping, Voice

RATE = 48000
MAPPING = Mapping((220.0, 880.0), (-40.0, -20.0), (0.0, 0.6))
Samples = NDArray[np.floating]


def steady(mapping: Mapping, told: float, rate: int = RATE) -> Samples:
    """The left channel (rate,) of one second, after everything has settled."""
    voice = Voice(mapping, rate, 0.02, pan=0.0)
    voice.told = told
    voice.render(rate)
    return voice.render(rate)[:, 0]


def spectrum(samples: Samples) -> NDArray[np.float64]:
    """Amplitudes (rate / 2 + 1,) in steps of 1 Hz of one second."""
    return 2 * np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) / (len(samples) / 2)


@pytest.mark.parametrize(
    ("told", "hz", "db"), [(0.0, 220, -40), (0.5, 440, -30), (1.0, 880, -20), (7.0, 880, -20)]
)
def test_pitch_and_loudness_follow_what_is_told(told: float, hz: float, db: float) -> None:
    samples = steady(MAPPING, told)
    assert np.argmax(spectrum(samples)) == pytest.approx(hz, abs=1)
    level = 20 * np.log10(np.sqrt(np.mean(samples**2)))
    assert level == pytest.approx(db, abs=0.05)


@pytest.mark.parametrize("brightness", [0.0, 0.3, 0.6, 0.9])
def test_timbre_is_how_evenly_harmonics_fall_off(brightness: float) -> None:
    samples = steady(Mapping((300.0, 300.0), (-20.0, -20.0), (brightness, brightness)), 0.5)
    amplitudes = spectrum(samples)[300 : 300 * (HARMONICS + 1) : 300]
    np.testing.assert_allclose(
        amplitudes[1:] / amplitudes[0], brightness ** np.arange(1, HARMONICS), atol=2e-3
    )
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.1, rel=5e-3)


def test_nothing_is_heard_as_another_tone() -> None:
    """Harmonics above half of the rate would be mirrored: there are none."""
    amplitudes = spectrum(steady(Mapping((3100.0,) * 2, (-20.0,) * 2, (0.9,) * 2), 0.5, rate=16000))
    at = np.flatnonzero(amplitudes > 1e-4 * amplitudes.max())
    assert {round(hz / 3100) * 3100 for hz in at} == {3100, 6200}
    assert all(abs(hz - round(hz / 3100) * 3100) < 5 for hz in at)


def test_silent_where_nothing_is_told() -> None:
    voice = Voice(MAPPING, RATE, 0.05)
    assert not voice.render(1000).any()
    voice.told = 1.0
    assert np.abs(voice.render(RATE)).max() > 0.05
    voice.told = nan
    assert voice.render(100).any()  # it fades
    voice.render(RATE)
    assert not voice.render(1000).any()


def test_no_step_is_larger_than_the_tone_itself_makes() -> None:
    """Over a minute of wild changes; the bound is that of the highest, brightest, loudest tone."""
    rng = np.random.default_rng(1)
    voice = Voice(MAPPING, RATE, 0.05, pan=0.0)
    blocks = []
    for _ in range(600):
        voice.told = rng.choice([nan, 0.0, 1.0, rng.random()])
        blocks.append(voice.render(int(rng.integers(1, 2 * RATE // 10)))[:, 0])
    samples = np.concatenate(blocks)
    gain, hz, bright = 0.1, 880.0, 0.6
    harmonics = np.arange(1, HARMONICS + 1)
    weights = bright ** (harmonics - 1)
    slope = gain * np.sum(weights * harmonics) * 2 * pi * hz / RATE / sqrt(np.sum(weights**2) / 2)
    swell = gain / (0.05 * RATE) * weights.sum() / sqrt(0.5)
    assert np.abs(np.diff(samples)).max() <= slope + swell
    assert slope + swell < 0.25 * np.ptp(samples)  # clicks reach the whole of it
    assert np.abs(samples).max() < 0.4


def test_blocks_have_no_seams() -> None:
    """However the time is cut, the same sound."""
    one, many = Voice(MAPPING, RATE, 0.05), Voice(MAPPING, RATE, 0.05)
    rng, told, parts = np.random.default_rng(2), [0.2, 0.9, nan, 0.4], []
    whole = []
    for value in told:
        one.told = many.told = value
        whole.append(one.render(9600))
        cuts = np.sort(rng.choice(np.arange(1, 9600), 20, replace=False))
        parts += [many.render(int(n)) for n in np.diff([0, *cuts, 9600])]
    np.testing.assert_allclose(np.concatenate(parts), np.concatenate(whole), atol=1e-9)


def test_people_are_voices_from_left_to_right() -> None:
    choir = Choir(("a", "b", "c"), MAPPING, RATE, 0.02)
    sides = []
    for person in ("a", "b", "c"):
        choir.tell({person: 1.0})
        choir.render(RATE)
        sides.append(np.sqrt(np.mean(choir.render(RATE) ** 2, axis=0)))
    share = 0.1 / sqrt(3)
    np.testing.assert_allclose(
        sides, [[share, 0], [share / sqrt(2)] * 2, [0, share]], atol=share / 100
    )
    choir.tell({"a": 1.0, "b": 1.0, "c": 1.0})
    choir.render(RATE)
    together = choir.render(RATE)
    assert np.abs(together).max() <= 1
    assert together.dtype == np.float32
    ending = choir.ending(RATE // 5)
    assert np.abs(np.diff(ending, axis=0)).max() < 0.08  # of the tones themselves
    assert ending[:100].any()
    assert not ending[-1].any()
    assert not choir.render(100).any()


def test_one_person_is_in_the_middle() -> None:
    choir = Choir(("",), MAPPING, RATE, 0.02)
    choir.tell({"": 1.0})
    left, right = choir.render(RATE).T
    np.testing.assert_array_equal(left, right)
    assert left.any()


def test_however_loud_it_stays_within_full_scale() -> None:
    choir = Choir(("a", "b"), Mapping((100.0,) * 2, (-9.0,) * 2, (0.9,) * 2), RATE, 0.02)
    choir.tell({"a": 1.0, "b": 1.0})
    assert np.abs(choir.render(RATE)).max() <= 1
