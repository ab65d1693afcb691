"""The Natural Scenes Dataset on disk: where its files are, which image was shown when, its captions.

Layout and conventions: Allen et al. 2022 and the dataset's manual. Images are counted from 1 in
`nsd_expdesign.mat` and from 0 everywhere else; here always from 0.
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from rtrecon.errors import BadDataset

BETAS = "betas_fithrf_GLMdenoise_RR"
PREPARATION = "func1pt8mm"


@dataclass(frozen=True)
class Folder:
    """Paths below a Natural Scenes folder for one person (`subject` counts from 1)."""

    root: Path
    subject: int

    @property
    def label(self) -> str:
        """As the dataset names the person."""
        return f"subj{self.subject:02d}"

    @property
    def design(self) -> Path:
        """Which image in which trial."""
        return self.root / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat"

    @property
    def table(self) -> Path:
        """Which of COCO's images each image is."""
        return self.root / "nsddata" / "experiments" / "nsd" / "nsd_stim_info_merged.csv"

    @property
    def images(self) -> Path:
        """All images."""
        return self._stimuli / "nsd_stimuli.hdf5"

    @property
    def annotations(self) -> Path:
        """The folder of COCO's captions."""
        return self._stimuli / "annotations"

    @property
    def streams(self) -> Path:
        """The atlas of visual cortex's streams."""
        return self._prepared / "roi" / "streams.nii.gz"

    @property
    def brain_mask(self) -> Path:
        """Which voxels are brain."""
        return self._prepared / "brainmask.nii.gz"

    @property
    def _prepared(self) -> Path:
        return self.root / "nsddata" / "ppdata" / self.label / PREPARATION

    @property
    def _stimuli(self) -> Path:
        return self.root / "nsddata_stimuli" / "stimuli" / "nsd"

    @property
    def betas(self) -> dict[int, Path]:
        """Session -> its file; HDF5 where both kinds are there, since parts of it can be read."""
        folder = self.root / "nsddata_betas" / "ppdata" / self.label / PREPARATION / BETAS
        found = {}
        for ending in ("nii.gz", "nii", "hdf5"):
            for path in folder.glob(f"betas_session*.{ending}"):
                if match := re.fullmatch(rf"betas_session(\d+)\.{re.escape(ending)}", path.name):
                    found[int(match[1])] = path
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Design:
    """What a person was shown.

    Attributes
    ----------
    image : int64 (n_trials,)
        Of every trial of all sessions, counted from 0.
    shared : int64 (n_shared,)
        Images that all people saw, which are tested on and never fitted on.
    """

    image: NDArray[np.int64]
    shared: NDArray[np.int64]


def is_nsd(folder: Path) -> bool:
    """Whether a folder is laid out as the Natural Scenes Dataset."""
    return (folder / "nsddata").is_dir()


def people_of(root: Path) -> list[str]:
    """Numbers of all people whose betas are there, as `01`."""
    numbers = (path.name.removeprefix("subj") for path in root.glob("nsddata_betas/ppdata/subj*"))
    return sorted(n for n in numbers if n.isdecimal() and Folder(root, int(n)).betas)


def parse_subject(text: str | None) -> int:
    """`1`, `01` or `subj01` -> 1.

    Raises
    ------
    BadDataset
    """
    match = re.fullmatch(r"(?:subj)?0*([1-9]\d?)", text or "")
    if match is None:
        given = "no --subject" if text is None else f"--subject {text}"
        raise BadDataset(f"{given}: name one person of the Natural Scenes folder, 1 to 8")
    return int(match[1])


def load_design(folder: Folder) -> Design:
    """Which image in which trial.

    Raises
    ------
    BadDataset
        Not readable, or at odds with itself: ids that are off by one would teach the decoders
        pictures that nobody saw.
    """
    file = folder.design
    try:
        given = _mat(file, ("masterordering", "subjectim", "sharedix"))
        order, shared = (
            given[key].ravel().astype(np.int64) for key in ("masterordering", "sharedix")
        )
        images = given["subjectim"].astype(np.int64)
    except (OSError, KeyError, ValueError, TypeError, NotImplementedError) as error:
        raise BadDataset(f"{file} cannot be read: {error}") from error
    if images.ndim != 2 or folder.subject > len(images):
        raise BadDataset(f"{file} knows {len(images)} people: no --subject {folder.subject}")
    own = images[folder.subject - 1]
    if order.min() < 1 or order.max() > len(own) or own.min() < 1:
        raise BadDataset(f"{file} does not count from 1: take the dataset's own file")
    if set(own[: len(shared)]) != set(shared):
        raise BadDataset(
            f"{file}: the first {len(shared)} of subjectim are not those of sharedix: take the "
            "dataset's own file"
        )
    return Design(own[order - 1] - 1, np.sort(shared) - 1)


def check_table(folder: Folder, design: Design) -> str:
    """How the table of images contradicts the design ("": it does not), where it tells enough."""
    rows = load_table(folder)
    told = {n for n, row in rows.items() if row.get("shared1000", "").lower() in ("true", "1")}
    if told and told != set(design.shared.tolist()):
        return _off(folder, "other images as shared")
    columns = [f"subject{folder.subject}_rep{n}" for n in range(3)]
    for image, row in rows.items():
        trials = [int(float(row[column] or 0)) for column in columns if column in row]
        for trial in trials:
            if 0 < trial <= len(design.image) and design.image[trial - 1] != image:
                return _off(folder, f"image {image} in trial {trial}")
    return ""


def load_table(folder: Folder) -> dict[int, dict[str, str]]:
    """The table of images: id -> row.

    Raises
    ------
    BadDataset
    """
    try:
        with folder.table.open(newline="", encoding="utf-8") as file:
            return {int(row["nsdId"]): row for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise BadDataset(f"{folder.table} cannot be read: {error!r}") from error


def load_captions(folder: Folder, images: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """All of COCO's captions of some images.

    Raises
    ------
    BadDataset
        A file that cannot be read, or images without captions; all of them are counted.
    """
    rows = load_table(folder)
    unknown = [image for image in images if image not in rows]
    if unknown:
        raise BadDataset(f"{folder.table} lacks {len(unknown)} images: {_few(unknown)}")
    splits = sorted({rows[image]["cocoSplit"] for image in images})
    said = {split: _coco(folder.annotations / f"captions_{split}.json") for split in splits}
    captions = {
        image: tuple(said[rows[image]["cocoSplit"]].get(int(rows[image]["cocoId"]), ()))
        for image in images
    }
    silent = [image for image, texts in captions.items() if not texts]
    if silent:
        raise BadDataset(
            f"{folder.annotations} has no captions of {len(silent)} images: {_few(silent)}"
        )
    return captions


def _coco(file: Path) -> Mapping[int, Sequence[str]]:
    captions: dict[int, list[str]] = {}
    try:
        for one in json.loads(file.read_text(encoding="utf-8"))["annotations"]:
            captions.setdefault(int(one["image_id"]), []).append(str(one["caption"]).strip())
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise BadDataset(f"{file} cannot be read: {error!r}") from error
    return captions


def _mat(file: Path, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Variables of a MATLAB file of any version, as MATLAB shows them."""
    try:
        content = loadmat(file, variable_names=keys)
    except NotImplementedError:  # version 7.3 is HDF5, which has the axes reversed
        import h5py

        with h5py.File(file) as opened:
            content = {key: np.asarray(opened[key]).T for key in keys}
    return {key: np.asarray(content[key]) for key in keys}


def _off(folder: Folder, what: str) -> str:
    return (
        f"{folder.table.name} names {what}, {folder.design.name} does not: "
        "one of them counts from another number or is of another dataset"
    )


def _few(images: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(images)[:5])) + (", ..." if len(images) > 5 else "")
