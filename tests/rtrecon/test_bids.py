"""Data sets that somebody gives you: bounded, and their names lead nowhere else."""

from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import pytest

from rtrecon.bids import load_run, open_run
from rtrecon.errors import BadDataset


@pytest.fixture
def bold(tmp_path: Path) -> Path:
    func = tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    file = func / "sub-01_task-view_bold.nii.gz"
    image = nib.Nifti1Image(np.ones((4, 4, 4, 3), np.int16), np.eye(4))
    image.header.set_zooms((1, 1, 1, 2))
    image.to_filename(file)
    return file


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "/etc/a.png", "a/../../b.png", "..\\b.png", "C:\\b.png", "\\\\host\\b"],
)
def test_a_stimulus_leads_out_of_no_data_set(bold: Path, name: str) -> None:
    events = bold.with_name("sub-01_task-view_events.tsv")
    events.write_text(f"onset\tduration\ttrial_type\tstim_file\n0\t2\tdog\t{name}\n")
    with pytest.raises(BadDataset, match="leads out of stimuli"):
        open_run(bold)
    events.write_text("onset\tduration\ttrial_type\tstim_file\n0\t2\tdog\tdogs/one.png\n")
    (trial,) = open_run(bold).trials or ()
    assert trial.stim_file == "dogs/one.png"


@pytest.mark.parametrize("shape", [(2000, 2, 2, 9), (2, 2, 2, 0)])
def test_impossible_voxels_are_refused(bold: Path, shape: tuple[int, ...]) -> None:
    nib.Nifti1Image(np.ones(shape, np.int8), np.eye(4)).to_filename(bold)
    with pytest.raises(BadDataset, match="edges of 1 to 1024"):
        open_run(bold)


def test_what_would_not_fit_into_memory_is_not_inflated(
    bold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_run(bold)
    little = psutil.virtual_memory()._replace(available=4 * 4 * 4 * 4 * 3 - 1)
    monkeypatch.setattr("rtrecon.bids.psutil.virtual_memory", lambda: little)
    with pytest.raises(BadDataset, match="of memory are free"):
        load_run(bold)
