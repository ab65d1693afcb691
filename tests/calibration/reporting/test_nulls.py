"""Scores of decoders of shuffled trials, against ridge regressions fitted one by one."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.fitting.fit import Method
from calibration.fitting.null_maps import neutral_shuffle, permuted_trials
from calibration.reporting.nulls import null_scores
from calibration.scoring.metrics import correlations
from calibration.study import study_runs
from rtrecon.generators.diffusion import Diffusion
from tests.calibration.reporting.test_report import write_person


def test_each_shuffle_scores_as_a_ridge_regression_of_its_trials(
    tmp_path: Path, toy_generator: Diffusion
) -> None:
    data = write_person(tmp_path / "data", effect=25.0)
    runs = load_runs(data, None)
    region = load_region(runs, data / "mask.nii.gz", None, None)
    study = study_runs(runs[:3], runs[3:], region, toy_generator, "person", False, Method(60))
    found = null_scores(study, shuffles=3)
    samples, read = study.samples, study.artifact.c.voxels
    test = study.held_out.newest
    patterns = np.stack([pattern.voxels for pattern in test.patterns])[:, read].astype(float)
    Y = study.targets.c[samples.trials].astype(float)

    def scored(seed: int) -> float:
        rows = permuted_trials(samples.trials, np.random.default_rng(seed))
        ridge = Ridge(alpha=study.strengths["c"].alphas).fit(
            samples.patterns[:, read].astype(float), Y[rows]
        )
        mean = Y.mean(axis=0)
        r = correlations(ridge.predict(patterns) - mean, test.shown.c - mean)
        said = np.array(test.shown.captions)  # trials of one caption are not compared
        return float(np.mean([(r[:, j] < r[j, j])[said != said[j]].mean() for j in range(len(r))]))

    assert found["c_two_way"]["shuffled"] == pytest.approx([scored(n) for n in range(3)], abs=0.01)
    shipped = neutral_shuffle(samples.trials, [study.targets.z[samples.trials], Y])
    assert found["c_two_way"]["shipped"] == pytest.approx(scored(shipped), abs=0.01)
    for one in found.values():
        assert one["mean"] == pytest.approx(np.mean(one["shuffled"]))
        assert one["range"] == [min(one["shuffled"]), max(one["shuffled"])]
    assert len({round(value, 6) for value in found["z_two_way"]["shuffled"]}) > 1
