"""Ceilings of simulated responses whose reliability is known."""

import numpy as np
import pytest

from calibration.scoring.ceiling import (
    Showings,
    ceilings,
    noise_ceiling,
    repeat_identification,
    showings_of,
)
from rtrecon.types import Trial


def responses(signal_sd: float, repeats: int, pictures: int = 3000) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    signal = signal_sd * rng.normal(size=(pictures, 3))
    values = np.repeat(signal, repeats, axis=0) + rng.normal(size=(pictures * repeats, 3))
    return values, np.repeat(np.arange(pictures), repeats), signal


@pytest.mark.parametrize(("signal_sd", "repeats"), [(0.5, 3), (1.0, 2), (0.01, 3)])
def test_ceiling_is_the_share_that_the_true_response_explains(
    signal_sd: float, repeats: int
) -> None:
    values, pictures, signal = responses(signal_sd, repeats)
    averaged = values.reshape(-1, repeats, 3).mean(axis=1)
    wanted = [np.corrcoef(averaged[:, v], signal[:, v])[0, 1] ** 2 for v in range(3)]
    np.testing.assert_allclose(noise_ceiling(values, pictures), wanted, atol=0.05)
    single = signal_sd**2 / (signal_sd**2 + 1)
    np.testing.assert_allclose(noise_ceiling(values, pictures, averaged=1), single, atol=0.05)


def test_unequal_repeats_count_as_nsd_counts_them() -> None:
    """Of A, B and C pictures shown thrice, twice and once: (A/3 + B/2 + C) / (A + B + C)."""
    values, pictures, _ = responses(1.0, 3)
    kept = np.ones(len(values), bool)
    kept[2:3000:3] = False  # the first thousand are shown twice
    found = noise_ceiling(values[kept], pictures[kept])
    np.testing.assert_allclose(found, 1 / (1 + (2000 / 3 + 1000 / 2) / 3000), atol=0.03)


def test_without_repeats_there_is_no_ceiling() -> None:
    with pytest.raises(ValueError, match="needs repeats"):
        noise_ceiling(np.ones((3, 2)), np.arange(3))
    rng = np.random.default_rng(0)
    assert repeat_identification(rng.normal(size=(4, 5)), np.arange(4), rng) is None


def test_repeats_identify_each_other_as_much_as_they_repeat() -> None:
    rng = np.random.default_rng(0)
    pictures = np.tile(np.arange(20), 2)
    signal = rng.normal(size=(20, 30))[pictures]
    same = repeat_identification(signal, pictures, rng)
    none = repeat_identification(rng.normal(size=signal.shape), pictures, rng)
    assert same is not None
    assert none is not None
    assert same.value == 1.0
    assert none.null[0] <= none.value <= none.null[1]


def test_few_pictures_do_not_lower_the_ceiling() -> None:
    """Of 6 pictures shown 4 times the variance of all trials is less than signal and noise."""
    rng = np.random.default_rng(0)
    pictures = np.tile(np.arange(6), 4)
    signal, noise = 2 * rng.normal(size=(6, 6000)), rng.normal(size=(24, 6000))
    ceiling = noise_ceiling(signal[pictures] + noise, pictures, averaged=1)
    ratio = np.mean(ceiling / (1 - ceiling)) * 16 / 18  # 1 / noise, at 18 degrees of freedom
    assert ratio == pytest.approx(4, rel=0.05)  # uncorrected 3.5


def trial(number: int, file: str = "") -> Trial:
    return Trial(number, "cat", 0.0, 3.0, file, "a cat")


def test_showings_are_told_apart_by_their_picture_alone() -> None:
    names = ["a", "b", "a", "", ""]
    found = showings_of(np.zeros((5, 2)), [trial(n, name) for n, name in enumerate(names)], "here")
    assert found.repeated == 1
    assert found.pictures[0] == found.pictures[2]
    assert len(set(found.pictures.tolist())) == 4


def test_ceilings_of_regions_stand_beside_those_of_exchanged_pictures() -> None:
    values, pictures, _ = responses(1.0, 3, 40)
    rng = np.random.default_rng(1)
    both = np.hstack([values, *(rng.normal(size=values.shape) for _ in range(20))])
    early = np.arange(both.shape[1]) < 3
    found = ceilings(Showings(both, pictures, "the test"), {"early": early, "ventral": ~early})
    assert found is not None
    assert (found["pictures"], found["showings"], found["averaged"]) == (40, 120, 1)
    one, other = found["regions"]["early"], found["regions"]["ventral"]
    assert one["median"] == pytest.approx(0.5, abs=0.12)
    assert one["median_exchanged"] < 0.1
    assert one["above"] == 1.0
    assert one["voxels"] == sum(one["histogram"]) == 3
    assert other["median"] == pytest.approx(other["median_exchanged"], abs=0.05)
    assert other["above"] == pytest.approx(other["above_exchanged"], abs=0.2)
    assert ceilings(Showings(both, np.arange(120), "the test"), {"early": early}) is None
