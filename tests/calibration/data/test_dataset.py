"""Calibration data that cannot be used is refused with one line that says why."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from calibration.data.dataset import load_runs, load_stimuli
from calibration.data.regions import load_region
from calibration.fitting.fit import fit
from rtrecon.artifact import load_artifact, save_artifact
from rtrecon.bids import load_run
from rtrecon.bids_files import find_runs
from rtrecon.errors import BadDataset
from rtrecon.generators.diffusion import Diffusion
from rtrecon.types import Event, Marker, Volume

AFFINE = np.diag([3.0, 3, 3.5, 1])
SHAPE = (6, 5, 4)


def write_dataset(folder: Path, runs: int = 2, pictures: bool = True) -> Path:
    """A made-up BIDS dataset whose voxels carry the condition plainly."""
    rng = np.random.default_rng(0)
    func, stimuli = folder / "sub-01" / "func", folder / "stimuli"
    func.mkdir(parents=True)
    stimuli.mkdir()
    for n, name in enumerate(("cat", "dog")):
        Image.fromarray(np.full((8, 8, 3), 200 * n, np.uint8)).save(stimuli / f"{name}.png")
    signature = {name: rng.normal(0, 25, SHAPE) for name in ("cat", "dog")}
    for run in range(1, runs + 1):
        data = rng.normal(600, 4, (*SHAPE, 70))
        lines = ["onset\tduration\ttrial_type\tcaption" + "\tstim_file" * pictures]
        for trial in range(8):
            name = ("cat", "dog")[(trial + run) % 2]
            first = 6 + 8 * trial
            lines.append(f"{first * 2.0}\t6\t{name}\ta {name}" + f"\t{name}.png" * pictures)
            data[..., first + 2 : first + 6] += signature[name][..., None]
        stem = func / f"sub-01_task-view_run-{run}"
        nib.Nifti1Image(data.astype(np.int16), AFFINE).to_filename(f"{stem}_bold.nii.gz")
        Path(f"{stem}_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
        Path(f"{stem}_events.tsv").write_text("\n".join(lines) + "\n")
    nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE).to_filename(folder / "mask.nii.gz")
    return folder


def test_decoders_are_fitted_saved_and_tell_conditions_apart(
    tmp_path: Path, toy_generator: Diffusion
) -> None:
    from calibration.scoring.evaluate import evaluate
    from calibration.scoring.held_out import held_out_runs

    dataset = write_dataset(tmp_path / "data", runs=3)
    runs = load_runs(dataset, ["1", "2"])
    region = load_region(runs, dataset / "mask.nii.gz", None, None)
    save_artifact(fit(runs, region, toy_generator, "sub-01", realign=False), tmp_path / "decoder")
    artifact = load_artifact(tmp_path / "decoder")
    assert artifact.candidates == ("cat", "dog")
    with pytest.raises(BadDataset, match="fitted on what it is tested with, 2 pictures: cat.png"):
        held_out_runs(artifact, load_runs(dataset, ["3"]), toy_generator)
    for name in ("cat", "dog"):
        with Image.open(dataset / "stimuli" / f"{name}.png") as picture:
            shifted = np.asarray(picture) + np.uint8(9)
        Image.fromarray(shifted).save(dataset / "stimuli" / f"{name}.png")
    test = held_out_runs(artifact, load_runs(dataset, ["3"]), toy_generator)
    scores = evaluate(artifact, test, toy_generator)
    assert scores["scores"]["kind_top1"]["value"] == 1.0
    assert scores["scores"]["z_two_way"]["value"] > 0.6


def test_captions_alone_fit_no_z(tmp_path: Path, toy_generator: Diffusion) -> None:
    dataset = write_dataset(tmp_path / "data", pictures=False)
    runs = load_runs(dataset, None)
    region = load_region(runs, dataset / "mask.nii.gz", None, None)
    artifact = fit(runs, region, toy_generator, "x", realign=False)
    assert artifact.z is None


def test_a_run_is_walked_in_the_scanners_order(tmp_path: Path) -> None:
    run = load_run(find_runs(write_dataset(tmp_path / "d"), ["1"])[0])
    items = list(run.walk())
    assert items[0] == Marker(Event.RUN_START)
    assert items[-1] == Marker(Event.RUN_END, volumes=70)
    clock = 0.0
    for item in items[1:-1]:
        if isinstance(item, Volume):
            clock = item.end_s(2.0)
        else:
            assert clock - 2.0 <= item.onset_s - 2.0 <= clock


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match="is no folder"):
        find_runs(tmp_path / "nowhere")
    with pytest.raises(BadDataset, match="is it a BIDS dataset"):
        find_runs(tmp_path)
    dataset = write_dataset(tmp_path / "data")
    with pytest.raises(BadDataset, match="has no run 7: it has 1, 2"):
        load_runs(dataset, ["7"])
    runs = load_runs(dataset, None)
    with pytest.raises(BadDataset, match="one --mask, or both"):
        load_region(runs, None, dataset / "mask.nii.gz", None)
    other = tmp_path / "other.nii.gz"
    nib.Nifti1Image(np.ones((6, 5, 5), np.uint8), AFFINE).to_filename(other)
    with pytest.raises(BadDataset, match="resample it to the runs"):
        load_region(runs, other, None, None)
    (dataset / "stimuli" / "dog.png").unlink()
    trials = [m for run in runs for m in run.trials]
    with pytest.raises(BadDataset, match=r"1 stimuli are not in .*dog.png"):
        load_stimuli(runs, trials)  # type: ignore[arg-type]
    events = dataset / "sub-01" / "func" / "sub-01_task-view_run-1_events.tsv"
    events.write_text("onset\tduration\ttrial_type\nsoon\t6\tcat\n")
    with pytest.raises(BadDataset, match=r"events.tsv cannot be read"):
        load_runs(dataset, None)
