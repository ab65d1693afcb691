"""A recorded BIDS run, read as the volumes and markers that its scanner would have sent."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from rtrecon.errors import BadDataset
from rtrecon.types import Event, Geometry, Marker, Volume, read_only

_BOLD = re.compile(r"^(?P<stem>sub-.+)_bold\.nii(\.gz)?$")


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


def find_runs(dataset: Path, runs: Sequence[str] | None = None) -> list[Path]:
    """The dataset's `_bold` files in order; `runs` keeps those with these `run-` labels.

    Raises
    ------
    BadDataset
        No folder, no run, or a label that no run has.
    """
    if not dataset.is_dir():
        raise BadDataset(f"{dataset} is no folder: name a BIDS dataset")
    found = sorted(p for p in dataset.glob("sub-*/**/func/*_bold.nii*") if _BOLD.match(p.name))
    if not found:
        raise BadDataset(f"{dataset} has no sub-*/func/*_bold.nii.gz: is it a BIDS dataset?")
    if runs is None:
        return found
    for label in runs:
        if not any(_run_label(p) == label.lstrip("0") for p in found):
            known = ", ".join(_run_label(p) for p in found)
            raise BadDataset(f"{dataset} has no run {label}: it has {known}")
    wanted = {label.lstrip("0") for label in runs}
    return [p for p in found if _run_label(p) in wanted]


def load_run(bold: Path) -> Run:
    """Read one run and its events (a run without events has no trials).

    Raises
    ------
    BadDataset
        Not a four-dimensional image, no TR, or an events file that cannot be read.
    """
    match = _BOLD.match(bold.name)
    if match is None or not bold.is_file():
        raise BadDataset(f"{bold} is no BIDS run: name a file ..._bold.nii.gz")
    stem = match["stem"]
    try:
        image = nib.load(bold)
        data = np.asanyarray(image.dataobj)
    except (OSError, ValueError, ImageFileError) as error:
        raise BadDataset(f"{bold} cannot be read: {error}") from error
    if data.ndim != 4:
        raise BadDataset(f"{bold} has {data.ndim} dimensions: a run has 4")
    if data.dtype != np.int16:
        data = data.astype(np.float32, copy=False)
    geometry = Geometry(
        data.shape[:3],
        read_only(np.asarray(image.affine)),
        _tr_s(bold, stem, image),
        str(data.dtype),
    )
    events = bold.with_name(f"{stem}_events.tsv")
    trials = _trials(events) if events.is_file() else ()
    return Run(stem, geometry, read_only(data), trials, _root(bold) / "stimuli")


def _run_label(bold: Path) -> str:
    match = re.search(r"_run-0*(\w+?)_", bold.name)
    return match[1] if match else "1"


def _root(bold: Path) -> Path:
    """The dataset's folder: the parent of the outermost sub- folder."""
    return next(
        (p.parent for p in reversed(bold.parents) if p.name.startswith("sub-")), bold.parent
    )


def _tr_s(bold: Path, stem: str, image: nib.Nifti1Image) -> float:
    sidecar = bold.with_name(f"{stem}_bold.json")
    try:
        given = json.loads(sidecar.read_text()) if sidecar.is_file() else {}
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


def _trial(row: dict[str, str]) -> Marker:
    def text(key: str) -> str:
        value = row.get(key) or ""
        return "" if value == "n/a" else value

    return Marker(
        Event.TRIAL,
        trial_type=text("trial_type"),
        onset_s=float(row["onset"]),
        duration_s=float(text("duration") or nan),
        stim_file=text("stim_file"),
        caption=text("caption"),
    )
