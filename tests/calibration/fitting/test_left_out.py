"""Gain and correlation of decoders, with known answers."""

import numpy as np
import pytest

from calibration.fitting import scratch
from calibration.fitting.left_out import MAX_GAIN, correlation, gain


def test_predictions_get_the_spread_of_the_truth() -> None:
    truth = np.random.default_rng(0).normal(3, 2, size=(400, 30)).astype(np.float32)
    shrunk = truth.mean(axis=0) + 0.5 * (truth - truth.mean(axis=0))
    assert gain(shrunk, truth) == pytest.approx(2.0, rel=1e-3)


def test_decoders_that_predict_nothing_are_not_blown_up() -> None:
    truth = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    nothing = np.tile(truth.mean(axis=0), (50, 1))
    assert gain(nothing, truth) == MAX_GAIN


def test_blocks_of_rows_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(3, 2, size=(50, 7)).astype(np.float32)
    held_out = (0.3 * truth + rng.normal(size=truth.shape)).astype(np.float32)
    mean = truth.mean(axis=0)
    spreads = [np.std(rows - mean) for rows in (truth, held_out)]
    rows = zip(held_out - mean, truth - mean, strict=True)
    of_samples = [np.corrcoef(one, other)[0, 1] for one, other in rows]
    for count in (2048, 16):
        monkeypatch.setattr(scratch, "ROWS", count)
        assert gain(held_out, truth) == pytest.approx(spreads[0] / spreads[1], rel=1e-5)
        assert correlation(held_out, truth) == pytest.approx(np.mean(of_samples), rel=1e-5)
