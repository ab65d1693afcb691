"""Voxels that answer repeated pictures alike are found; of noise, none."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.data.reliability import reliable, trial_responses
from rtrecon.response import Response

SHAPE, TR_S, STIMULI = (8, 8, 6), 2.0, 12
RESPONSIVE = np.s_[1:6, 4:8, :]  # in the front half of the head


def write_repeats(folder: Path, effect: float, runs: int = 4) -> Path:
    """Twelve pictures, each shown once a run; some voxels tell them apart."""
    rng = np.random.default_rng(1)
    func, stimuli = folder / "sub-01" / "func", folder / "stimuli"
    func.mkdir(parents=True)
    stimuli.mkdir()
    signature = np.zeros((STIMULI, *SHAPE))
    signature[:, *RESPONSIVE] = rng.normal(0, effect, signature[:, *RESPONSIVE].shape)
    onsets_s = 8.0 + 10 * np.arange(STIMULI)
    volumes = 70
    middle_s = (np.arange(volumes) + 0.5) * TR_S
    response = Response()
    for n in range(STIMULI):
        Image.fromarray(np.full((8, 8, 3), n, np.uint8)).save(stimuli / f"{n}.png")
    for run in range(1, runs + 1):
        shown = rng.permutation(STIMULI)
        courses = np.array([[response.at(t - o, 4.0) for o in onsets_s] for t in middle_s])
        data = rng.normal(600, 5, (*SHAPE, volumes)) + np.linspace(0, 30, volumes)
        data += np.einsum("tn,nijk->ijkt", courses, signature[shown])
        lines = ["onset\tduration\ttrial_type\tstim_file"]
        lines += [f"{o}\t4\tthing{n % 3}\t{n}.png" for o, n in zip(onsets_s, shown, strict=True)]
        stem = f"sub-01_task-view_run-{run}"
        (func / f"{stem}_events.tsv").write_text("\n".join(lines))
        (func / f"{stem}_bold.json").write_text('{"RepetitionTime": 2}')
        nib.save(nib.Nifti1Image(data.astype(np.int16), np.diag([3.0, 3, 3, 1])),
                 func / f"{stem}_bold.nii.gz")  # fmt: skip
    return folder


def test_the_voxels_that_respond_are_the_region(tmp_path: Path) -> None:
    runs = load_runs(write_repeats(tmp_path / "data", effect=12.0))
    region = load_region(runs)
    truth = np.zeros(SHAPE, bool)
    truth[RESPONSIVE] = True
    responsive = truth.ravel(order="F")[region.voxels]
    assert responsive.mean() > 0.9  # false discovery rate .05
    assert responsive.sum() > 0.9 * truth.sum()
    assert region.chosen_by == "reliable over 12 repeated stimuli (false discovery rate 0.05)"
    np.testing.assert_array_equal(region.early, region.ventral)


def test_where_nothing_responds_the_back_is_searched(tmp_path: Path) -> None:
    runs = load_runs(write_repeats(tmp_path / "data", effect=0.0))
    region = load_region(runs)
    assert region.chosen_by == "posterior third of the head: too few voxels responded reliably"
    j = np.unravel_index(region.voxels, SHAPE, order="F")[1]
    assert j.max() <= SHAPE[1] / 3


def test_of_noise_no_voxel_is_reliable() -> None:
    """And a few real ones do not let noise through: at most about one in twenty kept."""
    rng = np.random.default_rng(0)
    stimuli = np.repeat([f"{n}.png" for n in range(30)], 2)
    noise = rng.normal(size=(60, 5000))
    found = reliable(noise, stimuli)
    assert found is not None
    assert found.mask.sum() <= 1
    noise[:, :500] += np.repeat(rng.normal(0, 1.5, (30, 500)), 2, axis=0)
    found = reliable(noise, stimuli)
    assert found is not None
    assert found.mask[:500].mean() > 0.8
    assert found.mask[500:].sum() < 0.09 * found.mask.sum()


def test_without_repeats_nothing_is_said() -> None:
    assert reliable(np.ones((20, 3)), np.array([f"{n}.png" for n in range(20)])) is None


def test_trial_responses_are_the_known_ones(tmp_path: Path) -> None:
    """Without noise the regression gives back the responses, the drift taken out."""
    run = load_runs(write_repeats(tmp_path / "data", effect=0.0, runs=1))[0]
    response = Response()
    truth = np.random.default_rng(0).normal(size=(STIMULI, 5))
    middle_s = (np.arange(run.n_volumes) + 0.5) * TR_S
    courses = np.array(
        [
            [response.at(t - trial.onset_s, trial.duration_s) for trial in run.trials]
            for t in middle_s
        ]
    )
    drift = np.cos(np.pi * (np.arange(run.n_volumes) + 0.5) / run.n_volumes)
    found, known = trial_responses(
        run, (courses @ truth + 7 + 3 * drift[:, None]).astype(np.float32)
    )
    assert known.all()
    np.testing.assert_allclose(found, truth, atol=1e-3)
    assert found.std() == pytest.approx(truth.std(), rel=1e-3)
