"""Arrays in files: the same values, and no file that stays."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from calibration.data.regions import Region
from calibration.data.samples import Samples
from calibration.fitting import scratch
from calibration.fitting.fit import Method, Targets, fit_samples
from rtrecon.types import Trial


def test_what_is_large_lies_in_a_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "LARGE_BYTES", 1000)
    values = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    rows = np.repeat(np.arange(20), 3)
    taken = scratch.repeated(values, rows)
    assert isinstance(taken, np.memmap)
    np.testing.assert_array_equal(taken, values[rows])
    assert list(tmp_path.iterdir()) == []
    assert not isinstance(scratch.empty((4, 5)), np.memmap)


def test_decoders_are_the_same_from_files(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    n, voxels = 40, 30
    shown = tuple(Trial(k, f"kind {k % 3}", 0.0, 3.0) for k in range(n // 2))
    trials = np.arange(n) // 2
    targets = Targets(*(rng.normal(size=(n // 2, size)).astype(np.float32) for size in (50, 20)))
    patterns = (targets.z[trials] @ rng.normal(size=(50, voxels))).astype(np.float32)
    half = np.arange(voxels) < voxels // 2
    region = Region(np.arange(voxels), half, ~half)
    samples = Samples(patterns, np.full(n, 4.0), np.ones(n), trials, trials // 5, shown)
    small = fit_samples(samples, targets, region, Method(voxels=None))
    monkeypatch.setattr(scratch, "LARGE_BYTES", 1)
    large = fit_samples(samples, targets, region, Method(voxels=None))
    for name in ("z", "c"):
        for one, other in ((small, large), (small.null, large.null)):
            maps = getattr(one, name), getattr(other, name)
            np.testing.assert_array_equal(maps[0].weights, maps[1].weights)
    assert small.about == large.about
    assert small.confidence == large.confidence
