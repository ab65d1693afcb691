"""The response against nilearn's kernel."""

import numpy as np
import pytest
from nilearn.glm.first_level import spm_hrf

from rtrecon.response import Response


def test_the_response_is_that_of_spm() -> None:
    """A block is its onset's response summed over the block; nilearn's kernel is the reference."""
    fine = 50
    kernel = spm_hrf(1.0, oversampling=fine, time_length=40.0)
    kernel /= kernel.sum()
    ages = np.arange(0, 30, 0.5)
    for duration_s in (0.5, 6.0, 12.0):
        block = np.convolve(kernel, np.ones(round(duration_s * fine)))
        ours = [Response().at(age, duration_s) for age in ages]
        theirs = [block[round(age * fine)] for age in ages]
        np.testing.assert_allclose(ours, theirs, atol=0.02)


def test_a_delay_moves_the_response() -> None:
    late, early = Response(delay_s=1.5), Response()
    assert late.at(7.5, 6.0) == pytest.approx(early.at(6.0, 6.0))


def test_a_block_that_was_on_for_ages_is_as_one_that_goes_on() -> None:
    for age_s in (1e3, 1e7, 1e30, 1e300):
        assert Response().at(age_s, 2e300) == pytest.approx(1.0, abs=1e-9)
        assert Response().at(age_s, 6.0) == pytest.approx(0.0, abs=1e-9)
