"""A simulated person with a few calibration runs and decoders fitted on them: dear, so made once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock


def program(*arguments: object) -> list[str]:
    return [sys.executable, "-m", *map(str, arguments)]


@pytest.fixture(scope="session")
def person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Her folder: `data`, whose run 6 was never fitted on, and `decoder`. Not to be changed."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # the processes' common one
    folder = place / "person"
    with FileLock(f"{folder}.lock"):
        if not (folder / "decoder").is_dir():
            _make(folder)
    return folder


def _make(folder: Path) -> None:
    data, masks = folder / "data", folder / "data" / "derivatives" / "masks" / "sub-01" / "func"
    design = ("--runs", 5, "--trials", 24, "--test-trials", 12, "--processes", 2, "--quiet")
    subprocess.run(program("simulator", "session", data, *design, "--overwrite"), check=True)
    subprocess.run(
        program(
            "calibration", "fit", data, "--runs", 1, 2, 3, 4, 5, "--output", folder / "decoder",
            "--early", masks / "sub-01_task-view_desc-early_mask.nii.gz",
            "--ventral", masks / "sub-01_task-view_desc-ventral_mask.nii.gz",
        ),
        check=True,
    )  # fmt: skip
