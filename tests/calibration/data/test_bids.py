"""Sessions, preprocessed runs and what is wrong with them, all told at once."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from calibration.__main__ import main
from calibration.data.atlas import Area
from calibration.data.dataset import load_runs, open_dataset
from calibration.data.realigned import RealignedOnce
from calibration.data.regions import Areas, load_region
from calibration.fitting.fit import fit
from rtrecon.artifact import load_artifact
from rtrecon.bids import Run, load_run
from rtrecon.bids_files import Selection, find_runs
from rtrecon.errors import BadDataset
from rtrecon.generators.diffusion import Diffusion
from rtrecon.types import Geometry
from tests import phantom
from tests.calibration.data.test_dataset import AFFINE, SHAPE, write_dataset

DERIVED = Path("derivatives") / "fmriprep"


def sessions_of(dataset: Path) -> Path:
    """The same dataset with its two runs in two sessions."""
    func = dataset / "sub-01" / "func"
    for session in ("1", "2"):
        target = dataset / "sub-01" / f"ses-{session}" / "func"
        target.mkdir(parents=True)
        for file in sorted(func.glob(f"*run-{session}_*")):
            name = file.name.replace("sub-01_", f"sub-01_ses-{session}_")
            file.rename(target / name.replace(f"run-{session}", "run-1"))
    func.rmdir()
    return dataset


def preprocessed(dataset: Path, space: str = "T1w") -> Path:
    """fMRIPrep's copies of all runs, 1000 brighter, without events."""
    for bold in find_runs(dataset):
        image = nib.load(bold)
        data = np.asarray(image.dataobj, np.float32) + 1000
        target = dataset / DERIVED / bold.parent.relative_to(dataset)
        target.mkdir(parents=True, exist_ok=True)
        name = bold.name.replace("_bold", f"_space-{space}_desc-preproc_bold")
        copy = nib.Nifti1Image(data, image.affine)
        copy.header.set_zooms((3, 3, 3.5, 2))
        nib.save(copy, target / name)
    return dataset / DERIVED


def refusal(dataset: Path, select: Selection | None = None, **named: Area) -> list[str]:
    with pytest.raises(BadDataset) as refused:
        open_dataset(dataset, select or Selection(), Areas(**named))
    return str(refused.value).splitlines()


def test_sessions_and_runs_are_chosen_by_their_labels(tmp_path: Path) -> None:
    dataset = sessions_of(write_dataset(tmp_path / "data"))
    assert len(load_runs(dataset)) == 2
    (run,) = load_runs(dataset, select=Selection(sessions=["02"], runs=["1"]))
    assert run.name == "sub-01_ses-2_task-view_run-1"
    lines = refusal(dataset, Selection(sessions=["2", "3"], tasks=["rest"], runs=["4"]))
    assert lines[0].endswith("has 3 problems:")
    assert [line.partition(" has no ")[2] for line in lines[1:]] == [
        "session 3: it has 1, 2", "task rest: it has view", "run 4: it has 1",
    ]  # fmt: skip


def test_several_people_are_never_mixed(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data")
    for file in (dataset / "sub-01" / "func").glob("*run-1_*"):
        other = dataset / "sub-02" / "func" / file.name.replace("sub-01", "sub-02")
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, other)
    assert "several people: choose one with --subject (01, 02)" in refusal(dataset)[0]
    (run,) = load_runs(dataset, select=Selection(subject="sub-02"))
    assert run.name.startswith("sub-02")


def test_preprocessed_runs_get_the_raw_runs_events_and_pictures(tmp_path: Path) -> None:
    dataset = sessions_of(write_dataset(tmp_path / "data"))
    derived = preprocessed(dataset)
    for found in (
        load_runs(dataset, select=Selection(space="T1w")),
        load_runs(derived),
    ):
        raw = load_runs(dataset)
        assert [run.trials for run in found] == [run.trials for run in raw]
        assert found[1].data.mean() - raw[1].data.mean() == pytest.approx(1000, abs=1)
        assert (found[0].stimuli / "cat.png").resolve().is_file()
        assert found[0].geometry.tr_s == 2.0
    preprocessed(dataset, "MNI152NLin2009cAsym")
    assert "several spaces" in refusal(derived)[0]
    assert "in space fsnative" in refusal(dataset, Selection(space="fsnative"))[0]


def test_what_holds_for_all_runs_may_lie_above_them(tmp_path: Path) -> None:
    dataset = sessions_of(write_dataset(tmp_path / "data"))
    for file in dataset.rglob("*_bold.json"):
        file.unlink()
    (dataset / "task-view_bold.json").write_text(json.dumps({"RepetitionTime": 4}))
    (dataset / "ses-1_task-view_bold.json").write_text(json.dumps({"RepetitionTime": 2.5}))
    (dataset / "task-rest_bold.json").write_text(json.dumps({"RepetitionTime": 9}))
    bold = find_runs(dataset)[0]
    events = bold.with_name(bold.name.replace("bold.nii.gz", "events.tsv"))
    events.rename(dataset / "sub-01" / "sub-01_task-view_events.tsv")
    run = load_run(bold)
    assert run.geometry.tr_s == 2.5
    assert len(run.trials) == 8


def test_runs_of_another_task_are_left_out_and_missing_events_told(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", runs=3)
    func = dataset / "sub-01" / "func"
    stem = "sub-01_task-view_run-"
    shutil.copy(func / f"{stem}1_bold.nii.gz", func / "sub-01_task-rest_bold.nii.gz")
    (func / "sub-01_task-rest_bold.json").write_text('{"RepetitionTime": 2}')
    assert len(load_runs(dataset)) == 3
    (func / f"{stem}2_events.tsv").unlink()
    (line,) = refusal(dataset)
    assert line.startswith(f"{stem}2 has no _events.tsv: add one, or leave the run out")


def test_all_problems_of_a_dataset_are_told_at_once(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", runs=5)
    func, stem = dataset / "sub-01" / "func", "sub-01_task-view_run-"
    (func / f"{stem}2_events.tsv").unlink()
    (func / f"{stem}3_bold.json").write_text('{"RepetitionTime": 1.5}')
    nib.save(
        nib.Nifti1Image(np.ones((6, 5, 5, 70), np.int16), AFFINE), func / f"{stem}4_bold.nii.gz"
    )
    late = (func / f"{stem}5_events.tsv").read_text().splitlines()
    rows = [line.split("\t", 1) for line in late[1:]]
    late[1:] = [f"{float(onset) * 1000}\t{rest}" for onset, rest in rows]
    (func / f"{stem}5_events.tsv").write_text("\n".join(late))
    (dataset / "stimuli" / "dog.png").unlink()
    nib.save(nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE + 2), dataset / "far.nii.gz")
    lines = refusal(dataset, early=Area(dataset / "far.nii.gz"), ventral=Area(dataset / "no.nii"))
    assert lines[0].endswith("has 7 problems:")
    for said in (
        f"{stem}2 has no _events.tsv", f"{stem}3 has another TR (1.5, not 2 s)",
        f"{stem}4 has other voxels ((6, 5, 5), not (6, 5, 4))", "8 of 8 onsets lie after its end",
        "dog.png", "far.nii.gz lies 2 mm", "no.nii cannot be read",
    ):  # fmt: skip
        assert sum(said in line for line in lines[1:]) == 1, said


def test_areas_are_named_by_name_or_number(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data")
    runs = load_runs(dataset)
    values = np.arange(120).reshape(SHAPE) % 5
    atlas = tmp_path / "atlas_dseg.nii.gz"
    nib.save(nib.Nifti1Image(values.astype(np.int16), AFFINE), atlas)

    def voxels(labels: str) -> np.ndarray:
        return load_region(runs, mask=Area.parse(f"{atlas}:{labels}")).voxels

    def where(*numbers: int) -> np.ndarray:
        return np.flatnonzero(np.isin(values, numbers).ravel(order="F"))

    np.testing.assert_array_equal(voxels("1,3"), where(1, 3))
    with pytest.raises(BadDataset, match="no table of names beside it: add atlas_dseg.tsv"):
        voxels("V1")
    (tmp_path / "atlas_dseg.txt").write_text(
        "# No. Label\n0 Unknown 0 0 0 0\n1 V1v 1 2 3 0\n2 V1d 1 2 3 0\n"
    )
    np.testing.assert_array_equal(voxels("v1?"), where(1, 2))
    (tmp_path / "atlas_dseg.tsv").write_text("index\tname\tcolor\n3\tV1\t#000000\n4\tV2\t#ff0000\n")
    np.testing.assert_array_equal(voxels("V2,1"), where(4, 1))
    with pytest.raises(BadDataset, match="has no label V11, 7: it has V1"):
        voxels("V11,V2,7")
    region = load_region(runs, early=Area.parse(f"{atlas}:V1"), ventral=Area(atlas))
    assert region.chosen_by == f"early {atlas}:V1, ventral {atlas}"
    np.testing.assert_array_equal(region.voxels[region.early], where(3))
    np.testing.assert_array_equal(region.voxels[region.ventral], where(1, 2, 3, 4))


def test_a_session_whose_slices_lie_elsewhere_needs_realignment(tmp_path: Path) -> None:
    dataset = sessions_of(write_dataset(tmp_path / "data"))
    second = find_runs(dataset)[1]
    image = nib.load(second)
    moved = image.affine.copy()
    moved[0, 3] += 15
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), moved), second)
    assert "has another position (by 15 mm)" in refusal(dataset)[0]
    assert len(open_dataset(dataset, Selection(), realign=True)) == 2
    moved[0, 3] += 40
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), moved), second)
    with pytest.raises(BadDataset, match="by 55 mm"):
        open_dataset(dataset, Selection(), realign=True)


def test_each_session_is_realigned_from_where_its_own_slices_lay() -> None:
    """The same head under other slices: in the first session's voxels it looks the same."""
    shape, first = (32, 36, 24), np.diag([4.0, 4.0, 4.0, 1.0])
    first[:3, 3] = phantom.CENTRE_MM - 2 * np.array(shape)
    second = phantom.pose(np.array([14.0, -12.0, 5.0]), np.array([0.02, 0.03, -0.02])) @ first
    runs = [
        Run(f"ses-{n}", Geometry(shape, affine, 2.0), data[..., None], (), Path())
        for n, affine in enumerate((first, second))
        if (data := phantom.volume(shape, affine).astype(np.float32)) is not None
    ]
    inside = np.zeros(shape, bool)
    inside[10:22, 10:26, 8:16] = True
    voxels = np.flatnonzero(inside.ravel(order="F"))
    realigned = RealignedOnce(runs[0].data[..., 0], runs, voxels)
    found = []
    for run in runs:
        realigned.restart()
        found.append(realigned(run.data[..., 0])[0])
    as_it_lies = runs[1].data[..., 0].ravel(order="F")[voxels]
    assert np.corrcoef(found[0], found[1])[0, 1] > 0.99
    assert np.corrcoef(found[0], as_it_lies)[0, 1] < 0.8


def test_the_program_says_in_about_what_was_decoded_from(tmp_path: Path, toy_folder: Path) -> None:
    dataset = sessions_of(write_dataset(tmp_path / "data"))
    arguments = ["fit", dataset, "--output", tmp_path / "decoder", "--generator", toy_folder]
    arguments += ["--no-realign", "--sessions", "1", "2"]
    assert main([*map(str, arguments), "--mask", str(dataset / "mask.nii.gz")]) == 0
    artifact = load_artifact(tmp_path / "decoder")
    about = artifact.about
    assert artifact.name == "sub-01"
    assert about["region"] == f"mask {dataset / 'mask.nii.gz'}"
    assert len(about["runs"]) == 2
    assert main([*map(str, arguments)]) == 0
    assert load_artifact(tmp_path / "decoder").about["region"] == "posterior third of the head"


def test_fitting_leaves_region_and_samples_to_their_own_rooms(
    tmp_path: Path, toy_generator: Diffusion
) -> None:
    """`fit` is its parts put together."""
    from calibration.data.samples import samples_of
    from calibration.fitting.fit import Method, fit_samples, targets_of

    dataset = write_dataset(tmp_path / "data")
    runs = load_runs(dataset)
    region = load_region(runs, dataset / "mask.nii.gz")
    whole = fit(runs, region, toy_generator, "x", realign=False, method=Method(40))
    samples, _ = samples_of(runs, region.voxels, realign=False)
    targets = targets_of(runs, samples.shown, toy_generator)
    parts = fit_samples(samples, targets, region, Method(40))
    np.testing.assert_array_equal(whole.c.weights, parts.c.weights)
    assert whole.candidates == parts.candidates == ("cat", "dog")
