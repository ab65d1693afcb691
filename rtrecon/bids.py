"""A recorded BIDS run, read as the volumes and markers that its scanner would have sent."""

import csv
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from pathlib import Path, PurePosixPath, PureWindowsPath

import nibabel as nib
import numpy as np
import psutil
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from rtrecon.bids_files import entities, inherited, is_bold, root_of
from rtrecon.bounded import bounded_text
from rtrecon.errors import BadDataset
from rtrecon.types import Event, Geometry, Marker, Volume, read_only
from rtrecon.wire import MAX_EDGE


@dataclass(frozen=True)
class Run:
    """One run. `data`: int16 or float32 (i, j, k, volumes); `trials`: in order of their onset."""

    name: str
    geometry: Geometry
    data: NDArray[np.generic]
    trials: tuple[Marker, ...]
    stimuli: Path  # the folder that `stim_file` is relative to

    @property
    def n_volumes(self) -> int:
        """Volumes of the run."""
        return int(self.data.shape[3])

    def walk(self) -> Iterator[Volume | Marker]:
        """Volumes and markers in the order in which the scanner sends them.

        A marker comes before the first volume that is complete after its onset.
        """
        yield Marker(Event.RUN_START)
        trials = list(self.trials)
        for number in range(self.n_volumes):
            volume = Volume(number, read_only(self.data[..., number]))
            while trials and trials[0].onset_s < volume.end_s(self.geometry.tr_s):
                yield trials.pop(0)
            yield volume
        yield Marker(Event.RUN_END, volumes=self.n_volumes)


@dataclass(frozen=True)
class Recording:
    """One run on disk, its volumes still unread. `volumes`: how many; the rest as in `Run`."""

    bold: Path
    name: str
    geometry: Geometry
    volumes: int
    trials: tuple[Marker, ...] | None  # None: nothing says what was shown
    stimuli: Path

    @property
    def preprocessed(self) -> bool:
        """Whether it is a derivative, head motion taken out."""
        return entities(self.bold).get("desc") == "preproc"

    def load(self) -> Run:
        """Read the volumes.

        Raises
        ------
        BadDataset
            A file that is damaged.
        """
        image = _open(self.bold)
        needed = 4 * math.prod(image.shape)  # float32; a small .gz may inflate to any size
        if needed > (free := psutil.virtual_memory().available):
            raise BadDataset(
                f"{self.bold} has {needed / 1e9:.1f} GB of volumes, and {free / 1e9:.1f} GB of "
                "memory are free: close other programs, or cut it"
            )
        try:
            data = np.asanyarray(image.dataobj)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise BadDataset(f"{self.bold} cannot be read: {error}: copy it anew") from error
        if data.dtype != np.int16:
            data = data.astype(np.float32, copy=False)
        return Run(self.name, self.geometry, read_only(data), self.trials or (), self.stimuli)


def load_run(bold: Path) -> Run:
    """Read one run and its events (a run without events has no trials).

    Raises
    ------
    BadDataset
        Not a four-dimensional image, no TR, or an events file that cannot be read.
    """
    return open_run(bold).load()


def open_run(bold: Path) -> Recording:
    """Read all about a run but its volumes.

    Raises
    ------
    BadDataset
        As `load_run`.
    """
    if not is_bold(bold) or not bold.is_file():
        raise BadDataset(f"{bold} is no BIDS run: name a file ..._bold.nii.gz")
    image = _open(bold)
    if len(image.shape) != 4:
        raise BadDataset(f"{bold} has {len(image.shape)} dimensions: a run has 4")
    if not all(1 <= n <= MAX_EDGE for n in image.shape[:3]) or not image.shape[3]:
        raise BadDataset(f"{bold} has {image.shape} voxels: edges of 1 to {MAX_EDGE} are read")
    dtype = image.header.get_data_dtype()
    scaled = (image.dataobj.slope, image.dataobj.inter) != (1, 0)
    geometry = Geometry(
        image.shape[:3],
        read_only(np.asarray(image.affine)),
        _tr_s(bold, image),
        "int16" if dtype == np.int16 and not scaled else "float32",
    )
    events = inherited(bold, "events.tsv")
    trials = None if events is None else _trials(events)
    name = bold.name.split("_bold.nii")[0]
    return Recording(bold, name, geometry, image.shape[3], trials, root_of(bold) / "stimuli")


def _open(bold: Path) -> nib.Nifti1Image:
    try:
        return nib.load(bold)
    except (OSError, ValueError, ImageFileError) as error:
        raise BadDataset(f"{bold} cannot be read: {error}") from error


def _tr_s(bold: Path, image: nib.Nifti1Image) -> float:
    own = bold.with_name(bold.name.split(".nii")[0] + ".json")
    sidecar = inherited(bold, "bold.json") or own
    try:
        given = json.loads(bounded_text(sidecar)) if sidecar.is_file() else {}
        tr_s = float(given.get("RepetitionTime", image.header.get_zooms()[3]))
    except (ValueError, TypeError, AttributeError) as error:
        raise BadDataset(f"{sidecar}: no RepetitionTime can be read ({error})") from error
    if not 0.01 <= tr_s <= 100:
        raise BadDataset(
            f"{bold}: RepetitionTime {tr_s:g} s: write the true one into {sidecar.name}"
        )
    return tr_s


def _trials(events: Path) -> tuple[Marker, ...]:
    try:
        with events.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        trials = [_trial(row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise BadDataset(f"{events} cannot be read: {error!r}") from error
    return tuple(sorted(trials, key=lambda trial: trial.onset_s))


def _below(name: str) -> str:
    """A picture's name, which must not lead out of the data set's stimuli/."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.anchor or ".." in path.parts:
            raise ValueError(f"stim_file {name[:200]!r} leads out of stimuli/")
    return name


def _trial(row: dict[str, str]) -> Marker:
    def text(key: str) -> str:
        value = row.get(key) or ""
        return "" if value == "n/a" else value

    return Marker(
        Event.TRIAL,
        trial_type=text("trial_type"),
        onset_s=float(row["onset"]),
        duration_s=float(text("duration") or nan),
        stim_file=_below(text("stim_file")),
        caption=text("caption"),
    )
