"""The gain of the decoders, with known answers."""

import numpy as np
import pytest

from calibration.fit import MAX_GAIN, gain


def test_predictions_get_the_spread_of_the_truth() -> None:
    truth = np.random.default_rng(0).normal(3, 2, size=(400, 30)).astype(np.float32)
    shrunk = truth.mean(axis=0) + 0.5 * (truth - truth.mean(axis=0))
    assert gain(shrunk, truth) == pytest.approx(2.0, rel=1e-3)


def test_decoders_that_predict_nothing_are_not_blown_up() -> None:
    truth = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    nothing = np.tile(truth.mean(axis=0), (50, 1))
    assert gain(nothing, truth) == MAX_GAIN
