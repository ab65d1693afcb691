"""Several people with one command: the same to the bit wherever they are fitted, and nobody in another's way."""

import argparse
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import dask
import nibabel as nib
import numpy as np
import pytest
from distributed import LocalCluster

from calibration import cluster
from calibration.__main__ import _parser, main
from calibration.commands import fitting
from calibration.fitting import fit
from calibration.nsd.files import people_of
from calibration.people import for_each, persons
from calibration.reporting.report import PAGE
from rtrecon.artifact import load_artifact
from rtrecon.errors import BadDataset
from tests.calibration.data.test_dataset import AFFINE, SHAPE, write_dataset


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(2, threads_per_worker=1, dashboard_address=cluster.ANY_PORT) as workers,
    ):
        yield workers.scheduler_address


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return add_person(write_dataset(tmp_path / "data"), "02")


def add_person(dataset: Path, label: str) -> Path:
    """Another person who saw the same, with noise of their own."""
    rng = np.random.default_rng(int(label))
    for file in sorted((dataset / "sub-01" / "func").iterdir()):
        other = dataset / f"sub-{label}" / "func" / file.name.replace("sub-01", f"sub-{label}")
        other.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".gz":
            image = nib.load(file)
            noisy = np.asarray(image.dataobj) + rng.normal(0, 4, image.shape).round()
            nib.save(nib.Nifti1Image(noisy.astype(np.int16), image.affine), other)
        else:
            shutil.copy(file, other)
    return dataset


def arguments(dataset: Path, output: Path, toy_folder: Path, *more: str) -> list[str]:
    settings = [
        "--generator",
        str(toy_folder),
        "--no-realign",
        "--mask",
        str(dataset / "mask.nii.gz"),
    ]
    return [str(dataset), "--output", str(output), *settings, *more]


def content(decoder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(decoder)): p.read_bytes() for p in decoder.rglob("*") if p.is_file()}


def dies_once(options: argparse.Namespace) -> str:
    """Fit a person; the first worker who is nearly done is killed."""
    dead, whole = options.output.parent.parent / "dead", fit.assemble

    def deadly(*given: object) -> object:
        if not dead.exists():
            dead.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*given)  # type: ignore[arg-type]

    fit.assemble = deadly  # type: ignore[assignment]
    try:
        return fitting.fit_one(options)
    finally:
        fit.assemble = whole


def test_two_people_on_two_workers_one_of_which_dies_are_the_same_to_the_bit(
    dataset: Path,
    tmp_path: Path,
    toy_folder: Path,
    scheduler: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here, there, alone = (tmp_path / name for name in ("here", "there", "alone"))
    everyone, far = ("--subject", "all"), ("--scheduler", scheduler)
    assert main(["fit", *arguments(dataset, here, toy_folder, *everyone, "--workers", "1")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["sub-01", "sub-02"]
    assert said[1].endswith(f"decoder in {here / 'sub-02'}")
    given = ["fit", *arguments(dataset, there, toy_folder, *everyone, *far)]
    for_each(_parser().parse_args(given), dies_once, fitting.check)
    said = sorted(capsys.readouterr().out.splitlines())
    assert [line.partition(":")[0] for line in said] == ["sub-01", "sub-02"]
    assert int((tmp_path / "dead").read_text()) != os.getpid()
    assert content(here) == content(there)
    assert len(content(here)) >= 4
    one = ("--subject", "2", *far)  # z on one worker, c on another
    assert main(["fit", *arguments(dataset, alone, toy_folder, *one)]) == 0
    assert content(alone) == content(here / "sub-02")
    first, second = (load_artifact(here / label) for label in ("sub-01", "sub-02"))
    assert (first.name, second.name) == ("sub-01", "sub-02")
    assert np.abs(first.c.weights - second.c.weights).max() > 0


def test_whoever_cannot_be_fitted_keeps_nobody_from_it(
    dataset: Path,
    tmp_path: Path,
    toy_folder: Path,
    scheduler: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for label in ("03", "04"):
        add_person(dataset, label)
    (dataset / "sub-03" / "func" / "sub-03_task-view_run-2_events.tsv").unlink()
    damaged = dataset / "sub-04" / "func" / "sub-04_task-view_run-1_bold.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:3000])
    more = ("--subject", "02", "3", "sub-04", "--scheduler", scheduler)
    assert main(["fit", *arguments(dataset, tmp_path / "out", toy_folder, *more)]) == 1
    said = capsys.readouterr()
    assert [line.partition(":")[0] for line in said.out.splitlines()] == ["sub-02"]
    before, head, *lines = said.err.splitlines()
    assert before.startswith("rtrecon-calibrate: sub-03 is left out: sub-03_task-view_run-2 has no")
    assert head == "rtrecon-calibrate: 2 of 3 people failed:"
    assert [line.partition(": ")[0] for line in lines] == ["- sub-03", "- sub-04"]
    assert "cannot be read" in lines[1]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["sub-02"]


def test_reports_of_two_people_with_masks_of_their_own(
    tmp_path: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = add_person(write_dataset(tmp_path / "data", pictures=False), "02")
    half = np.arange(6)[:, None, None] >= np.full(SHAPE, 3)
    nib.save(nib.Nifti1Image(half.astype(np.uint8), AFFINE), dataset / "mask-02.nii.gz")
    shutil.copy(dataset / "mask.nii.gz", dataset / "mask-01.nii.gz")
    output, masks = tmp_path / "out", str(dataset / "mask-{subject}.nii.gz")
    more = ("--subject", "all", "--workers", "1", "--mask", masks)
    assert main(["report", *arguments(dataset, output, toy_folder, *more)]) == 0
    said = sorted(capsys.readouterr().out.splitlines())
    assert said == [f"sub-{n}: report in {output / f'sub-{n}' / PAGE}" for n in ("01", "02")]
    decoders = [load_artifact(output / f"sub-{n}" / "decoder") for n in ("01", "02")]
    assert [len(one.voxels) for one in decoders] == [120, 60]
    more = ("--subject", "all", "--test-runs", "9")
    assert main(["report", *arguments(dataset, output, toy_folder, *more)]) == 1
    assert capsys.readouterr().err.count("--test-runs 9: the runs are 1, 2") == 4


def test_people_are_named_one_by_one_or_all(dataset: Path, tmp_path: Path) -> None:
    def asked(**given: object) -> list[tuple[str, Path]]:
        of = {"dataset": dataset, "subject": None, "space": None, "name": None} | given
        found = persons(argparse.Namespace(output=tmp_path, **of))
        return [(one.subject, one.output) for one in found]

    both = [(label, tmp_path / f"sub-{label}") for label in ("01", "02")]
    assert asked(subject=["all"]) == asked(subject=["sub-02", "1", "2"]) == both
    assert asked(subject=["2"]) == [("02", tmp_path)]
    with pytest.raises(BadDataset, match=r"several people \(01, 02\): name them with --subject"):
        asked()
    with pytest.raises(BadDataset, match="no subject 9, x: it has 01, 02"):
        asked(subject=["1", "9", "x"])
    with pytest.raises(BadDataset, match="--name Ann is for one person"):
        asked(subject=["all"], name="Ann")
    shutil.rmtree(dataset / "sub-02")
    assert asked() == asked(subject=["all"]) == [("01", tmp_path)]


def test_people_of_a_natural_scenes_folder(tmp_path: Path) -> None:
    (tmp_path / "nsddata").mkdir()
    for subject in (1, 5, 7):
        betas = tmp_path / "nsddata_betas" / "ppdata" / f"subj{subject:02d}" / "func1pt8mm"
        (betas / "betas_fithrf_GLMdenoise_RR").mkdir(parents=True)
        if subject != 5:
            (betas / "betas_fithrf_GLMdenoise_RR" / "betas_session01.hdf5").touch()
    assert people_of(tmp_path) == ["01", "07"]
    given = {"dataset": tmp_path, "output": tmp_path, "name": None}
    of = [persons(argparse.Namespace(subject=s, **given)) for s in (["all"], ["subj07", "1"])]
    assert [[one.subject for one in some] for some in of] == [["01", "07"], ["01", "07"]]
    with pytest.raises(BadDataset, match="no subject 05: it has 01, 07"):
        persons(argparse.Namespace(subject=["5"], **given))
