"""Decoders of spaces: plain from a region each, banded from both."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from calibration.data.regions import Region
from calibration.data.samples import Samples
from calibration.fitting.banded import fit_banded, simplex
from calibration.fitting.fit import Method, Targets, fit_samples
from calibration.fitting.null_maps import permuted_trials
from calibration.fitting.ridge import leave_out
from calibration.fitting.space import SCALES
from rtrecon.errors import BadDataset
from rtrecon.types import Trial

N, EARLY, VENTRAL = 96, 12, 16


def problem(of: str = "own") -> tuple[Samples, Targets, Region]:
    """z is told by early voxels and c by ventral ones, or the other way round."""
    rng = np.random.default_rng(0)
    z, c = (rng.normal(size=(N, size)).astype(np.float32) for size in (6, 5))
    seen = (z, c) if of == "own" else (c, z)
    X = [
        part @ rng.normal(size=(part.shape[1], size)) + rng.normal(size=(N, size))
        for part, size in zip(seen, (EARLY, VENTRAL), strict=True)
    ]
    shown = tuple(Trial(n, f"kind {n % 4}", 0.0, 3.0) for n in range(N))
    index = np.arange(N)
    patterns = np.hstack(X).astype(np.float32)
    samples = Samples(patterns, np.full(N, 8.0), np.ones(N), index, index // 12, shown)
    early = np.arange(EARLY + VENTRAL) < EARLY
    return samples, Targets(z, c), Region(np.arange(EARLY + VENTRAL), early, ~early)


def test_bands_find_out_which_voxels_count() -> None:
    banded = Method(voxels=None, banded=True)
    own = fit_samples(*problem(), banded)
    swapped = fit_samples(*problem("other"), banded)
    for decoders, early_says in ((own, "z"), (swapped, "c")):
        assert decoders.z is not None
        for name, linear in (("z", decoders.z), ("c", decoders.c)):
            weights = np.abs(linear.weights).mean(axis=1)
            early, ventral = weights[:EARLY].mean(), weights[EARLY:].mean()
            assert (early > 3 * ventral) == (name == early_says)
            assert (ventral > 3 * early) == (name != early_says)
    plain = fit_samples(*problem("other"), Method(voxels=None))
    found, missed = (one.about["held_out_correlation"] for one in (swapped, plain))
    assert min(found.values()) > 0.7 > 0.3 > max(missed.values())


def test_a_banded_decoder_is_that_of_fit_banded_and_so_is_its_control() -> None:
    samples, targets, region = problem()
    seen = targets.c @ np.random.default_rng(1).normal(size=(targets.c.shape[1], EARLY))
    patterns = samples.patterns + np.pad(seen, ((0, 0), (0, VENTRAL))).astype(np.float32)
    samples = replace(samples, patterns=patterns)  # both bands tell something of c
    decoders = fit_samples(samples, targets, region, Method(voxels=None, banded=True))
    splits = leave_out(samples.runs, 6)
    bands = np.where(region.early, 0, 1)
    scales = simplex(2, SCALES)
    fitted, took = fit_banded(samples.patterns, targets.c, bands, splits, scales)
    gain = decoders.about["gain"]["c"]
    np.testing.assert_allclose(decoders.c.weights, gain * fitted.weights, rtol=1e-5)
    null = decoders.null.c
    assert 0.2 < scales[took[0]][0] < 0.8
    by = np.sqrt(scales)[took[0]][bands]
    same = [
        permuted_trials(samples.trials, np.random.default_rng(seed)) for seed in range(50)
    ]  # the shuffle is one of the first fifty
    wanted = [
        by * Ridge(alpha=fitted.alphas[0]).fit(samples.patterns * by, targets.c[rows, 0]).coef_
        for rows in same
    ]
    apart = [np.abs(gain * one - null.weights[:, 0]).max() for one in wanted]
    assert min(apart) < 1e-4 * np.abs(null.weights).max() < sorted(apart)[1]


def test_so_many_voxels_of_each_band_are_read() -> None:
    decoders = fit_samples(*problem(), Method(voxels=5, banded=True))
    for linear in (decoders.z, decoders.c):
        assert linear is not None
        assert linear.voxels[:EARLY].sum() == linear.voxels[EARLY:].sum() == 5


def test_one_region_has_no_bands() -> None:
    samples, targets, region = problem()
    every = np.ones_like(region.early)
    one = replace(region, early=every, ventral=every)
    with pytest.raises(BadDataset, match="name --early and --ventral"):
        fit_samples(samples, targets, one, Method(banded=True))
