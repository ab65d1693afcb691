"""A simulated session on disk, as BIDS has it."""

import csv
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import rtrecon
from rtrecon.errors import BadDataset
from simulator.acquisition import RunPlan
from simulator.anatomy import Anatomy
from simulator.brain import slice_times_s
from simulator.gallery import Gallery
from simulator.plan import Design, RunScript

_SUBJECT = "sub-01"
_STEM = f"{_SUBJECT}_task-view"
_PROGRAM = "rtrecon-simulate"
_BIDS = "1.9.0"


@dataclass(frozen=True)
class Dataset:
    """Writes the parts of one dataset, of a gallery's pictures, into `folder`."""

    folder: Path
    gallery: Gallery

    def make_room(self, overwrite: bool) -> None:
        """See that the folder is empty; what was simulated there before goes if `overwrite`.

        Raises
        ------
        BadDataset
            It holds something else, or may not be overwritten.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise BadDataset(f"{self.folder} is a file: name a folder")
        if self.folder.exists() and any(self.folder.iterdir()):
            if not overwrite:
                raise BadDataset(f"{self.folder} is not empty: name another or add --overwrite")
            if not self._is_ours():
                raise BadDataset(f"{self.folder} is no simulated session: name another folder")
            for name in (_SUBJECT, "stimuli", "derivatives"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
        _write_json(self.folder / "dataset_description.json", _description("raw"))

    def write_frame(self, design: Design, scripts: list[RunScript], anatomy: Anatomy) -> None:
        """What describes the dataset as a whole, and the regions' masks."""
        participants = [{"participant_id": _SUBJECT, "species": "simulated"}]
        _write_table(self.folder / "participants.tsv", participants)
        masks, simulation = (self.folder / "derivatives" / n for n in ("masks", "simulation"))
        for derivative in (masks, simulation):
            _write_json(derivative / "dataset_description.json", _description("derivative"))
        for name, region in (("early", anatomy.early), ("ventral", anatomy.ventral)):
            path = masks / _SUBJECT / "func" / f"{_STEM}_desc-{name}_mask.nii.gz"
            _write_image(path, region.astype(np.uint8), anatomy.affine)
        labels = {test: [s.label for s in scripts if s.test == test] for test in (False, True)}
        about = {"design": _told(design), "calibration": labels[False], "test": labels[True]}
        _write_json(simulation / "session.json", about)

    def write_pictures(self, scripts: list[RunScript], images: NDArray[np.uint8]) -> None:
        """All pictures, (n_pictures, s, s, 3), below `stimuli/`."""
        folder = self.folder / "stimuli"
        folder.mkdir(exist_ok=True)
        names = [name for script in scripts for name in script.stim_files]
        for name, image in zip(names, images, strict=True):
            Image.fromarray(image).save(folder / name, compress_level=1)

    def write_events(self, script: RunScript, plan: RunPlan) -> None:
        """A run's trials, what their pictures show and how the head moved."""
        rows = [
            {
                "onset": f"{onset_s:.3f}",
                "duration": f"{plan.duration_s:g}",
                "trial_type": picture.kind,
                "stim_file": name,
                "caption": self.gallery.caption(picture),
            }
            for onset_s, name, picture in zip(
                script.onsets_s, script.stim_files, script.shown, strict=True
            )
        ]
        _write_table(self._func() / f"{_STEM}_{script.label}_events.tsv", rows)
        truth = self.folder / "derivatives" / "simulation" / _SUBJECT / "func"
        pairs = zip(script.stim_files, script.shown, strict=True)
        described = {name: asdict(picture) for name, picture in pairs}
        _write_json(truth / f"{_STEM}_{script.label}_{self.gallery.name}.json", described)
        columns = [f"{move}_{axis}" for move in ("trans", "rot") for axis in "xyz"]
        poses = [dict(zip(columns, (f"{x:.6f}" for x in p), strict=True)) for p in plan.poses]
        _write_table(truth / f"{_STEM}_{script.label}_motion.tsv", poses)

    def write_bold(
        self,
        script: RunScript,
        tr_s: float,
        affine: NDArray[np.float64],
        data: NDArray[np.int16],
    ) -> None:
        """A run's volumes, (i, j, k, n_volumes), and their sidecar."""
        stem = f"{_STEM}_{script.label}_bold"
        sidecar = {
            "TaskName": "view",
            "RepetitionTime": tr_s,
            "SliceTiming": np.round(slice_times_s(data.shape[2], tr_s), 4).tolist(),
            "Manufacturer": _PROGRAM,
        }
        _write_json(self._func() / f"{stem}.json", sidecar)
        _write_image(self._func() / f"{stem}.nii.gz", data, affine, tr_s)

    def _func(self) -> Path:
        return self.folder / _SUBJECT / "func"

    def _is_ours(self) -> bool:
        try:
            about = json.loads((self.folder / "dataset_description.json").read_text())
            return bool(about["GeneratedBy"][0]["Name"] == _PROGRAM)
        except (OSError, ValueError, LookupError, TypeError):
            return False


def _told(design: Design) -> dict[str, Any]:
    """A session without repeats is the same to the byte as before there were any."""
    told = asdict(design)
    if design.test_repeats == 1:
        del told["test_repeats"]
    return told


def _description(kind: str) -> dict[str, Any]:
    return {
        "Name": "Simulated person looking at pictures",
        "BIDSVersion": _BIDS,
        "DatasetType": kind,
        "GeneratedBy": [{"Name": _PROGRAM, "Version": rtrecon.__version__}],
    }


def _write_image(
    path: Path, data: NDArray[np.generic], affine: NDArray[np.float64], tr_s: float | None = None
) -> None:
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    if tr_s is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr_s))
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)  # nibabel compresses at level 1


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _write_table(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
