"""Masks, and areas of an atlas by name or number: `mask.nii.gz`, `atlas_dseg.nii.gz:V1,V2`."""

import csv
import zlib
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from rtrecon.bids_files import entities
from rtrecon.errors import BadDataset
from rtrecon.types import Geometry

_SHOWN = 8  # labels named in a message
_NUMBERS, _NAMES = ("index", "no.", "id", "label"), ("name", "abbreviation", "labelname", "region")


@dataclass(frozen=True)
class Area:
    """A mask (all voxels above 0), or with labels those parts of an atlas."""

    file: Path
    labels: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Area":
        """`FILE` or `FILE:LABEL,LABEL`; a label is a number or a name, in which * and ? may stand."""
        file, colon, labels = text.rpartition(":")
        if not colon or Path(text).exists():
            return cls(Path(text))
        return cls(Path(file), tuple(label.strip() for label in labels.split(",") if label.strip()))

    def __str__(self) -> str:
        return ":".join(
            [str(self.file), ",".join(self.labels)] if self.labels else [str(self.file)]
        )

    def within(self, geometry: Geometry) -> NDArray[np.bool_]:
        """The area's voxels (n_voxels,) of volumes that lie so, counted with i fastest.

        Raises
        ------
        BadDataset
            Not readable, in another space, or with labels that the atlas has not.
        """
        values = _read(self.file, geometry)
        chosen = np.isin(values, self._numbers(values)) if self.labels else np.greater(values, 0)
        return chosen.ravel(order="F")

    def parts(self, geometry: Geometry) -> dict[str, NDArray[np.bool_]]:
        """Voxels (n_voxels,) of each label, by its name where a table beside the atlas names it.

        Raises
        ------
        BadDataset
            As `within`, and a table that cannot be read.
        """
        values = _read(self.file, geometry)
        every = (n for n in np.unique(values).tolist() if n > 0)
        numbers = self._numbers(values) if self.labels else list(every)
        table = {} if _table_of(self.file) is None else label_table(self.file)
        names: dict[float, str] = {}
        for name, number in table.items():
            names.setdefault(number, name)
        return {names.get(n, f"{n:g}"): (values == n).ravel(order="F") for n in numbers}

    def _numbers(self, values: NDArray[np.generic]) -> list[int]:
        numbers: set[int] = set()
        unknown = []
        table = None
        present = set(np.unique(values).tolist())
        for label in self.labels:
            if label.isdecimal():
                found = {int(label)} & present
            else:
                table = table or label_table(self.file)
                found = _named(label, table)
            numbers |= found
            unknown += [] if found else [label]
        if unknown:
            raise BadDataset(f"atlas {self.file} has no {_said(unknown, table, present)}")
        return sorted(numbers)


def label_table(atlas: Path) -> dict[str, int]:
    """Names of an atlas's labels, from the table beside it.

    That is a BIDS `_dseg.tsv` (columns `index` and `name`), or under the atlas's own name a `.tsv`,
    `.csv`, `.txt`, `.lut` or `.ctab`, the last three as FreeSurfer's (number, name, colour a line).

    Raises
    ------
    BadDataset
        No such table, or one that cannot be read.
    """
    table = _table_of(atlas)
    if table is None:
        raise BadDataset(
            f"atlas {atlas} has no table of names beside it: add {_stem(atlas)}.tsv with the columns "
            "index and name, or name its areas by numbers"
        )
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
        names = _columns(lines, table.suffix) or _freesurfer(lines)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise BadDataset(f"{table} cannot be read: {error}") from error
    if not names:
        raise BadDataset(f"{table} names no labels: it needs the columns index and name")
    return names


def _table_of(atlas: Path) -> Path | None:
    endings = (".tsv", ".csv", ".txt", ".lut", ".ctab")
    tables = [atlas.with_name(_stem(atlas) + end) for end in endings]
    tables += [
        path
        for path in sorted(atlas.parent.glob("*_dseg.tsv"), key=lambda p: -len(entities(p)))
        if entities(path).items() <= entities(atlas).items()
    ]
    return next((path for path in tables if path.is_file()), None)


def _stem(atlas: Path) -> str:
    return atlas.name.split(".nii")[0]


def _columns(lines: list[str], suffix: str) -> dict[str, int]:
    """Of a table with a head line; {} where it has none that is known."""
    rows = csv.DictReader(lines, delimiter="," if suffix == ".csv" else "\t")
    heads = {head.strip().lower(): head for head in rows.fieldnames or () if head}
    number = next((heads[key] for key in _NUMBERS if key in heads), None)
    names = [heads[key] for key in _NAMES if key in heads]
    if number is None or not names:
        return {}
    return {
        row[name].strip(): int(float(row[number])) for row in rows for name in names if row[name]
    }


def _freesurfer(lines: list[str]) -> dict[str, int]:
    parts = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return {part[1]: int(part[0]) for part in parts if len(part) > 1 and part[0].isdecimal()}


def _named(label: str, table: dict[str, int]) -> set[int]:
    wanted = label.lower()
    return {number for name, number in table.items() if fnmatchcase(name.lower(), wanted)}


def _said(unknown: list[str], table: dict[str, int] | None, present: set[int]) -> str:
    known = sorted(table) if table else [str(int(n)) for n in sorted(present) if n]
    near = [name for label in unknown for name in get_close_matches(label, known, 3)]
    shown = near or known[:_SHOWN]
    more = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
    return f"label {', '.join(unknown)}: it has {', '.join(shown)}{more}"


def _read(file: Path, geometry: Geometry) -> NDArray[np.generic]:
    try:
        image = nib.load(file)
        values = np.asarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
        raise BadDataset(f"mask {file} cannot be read: {error}") from error
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.shape != geometry.shape:
        raise BadDataset(
            f"mask {file} has {values.shape} voxels, the runs have {geometry.shape}: "
            "resample it to the runs"
        )
    apart = float(np.abs(image.affine - geometry.affine).max())
    if apart > 1.0:
        raise BadDataset(
            f"mask {file} lies {apart:.3g} mm from the runs (affines): resample it to the runs"
        )
    return values
