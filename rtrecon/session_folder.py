"""A recorded session read back: what came, in the order in which it came, after a kill too."""

import csv
import json
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rtrecon.bounded import MOST_TABLE_BYTES, bounded_text
from rtrecon.errors import BadDataset, BadStream
from rtrecon.types import Geometry, Marker, Times, Volume, read_only
from rtrecon.wire import marker_of

log = logging.getLogger(__name__)

Row = dict[str, str]


@dataclass(frozen=True)
class SessionFolder:
    """A session's folder. Every table is cut to what is whole on disk; nothing is ever written.

    Attributes
    ----------
    about : dict
        The content of session.json: settings, versions, generator, decoder.
    geometry : Geometry
    volumes : int16 or float32 (n_rows, i, j, k), memory-mapped
        All raw volumes as they came, rejected ones too.
    rows : list of dict
        volumes.tsv: number, acquired, received, and fault, why one was rejected ("n/a": it was not).
    markers : list of (int, Marker)
        In the order in which they came, each with the number of rows that had come before it.
    """

    folder: Path
    about: dict[str, Any]
    geometry: Geometry
    volumes: NDArray[np.generic]
    rows: list[Row]
    markers: list[tuple[int, Marker]]

    def walk(self) -> Iterator[Volume | Marker]:
        """Accepted volumes and all markers, as the receiver passed them on."""
        markers = list(self.markers)
        for index, row in enumerate(self.rows):
            while markers and markers[0][0] <= index:
                yield markers.pop(0)[1]
            if row["fault"] == "n/a":
                yield self.volume(index)
        yield from (marker for _, marker in markers)

    def volume(self, index: int) -> Volume:
        """The volume of one row, rejected or not."""
        row = self.rows[index]
        times = Times(float(row["acquired"]), float(row["received"]))
        return Volume(int(row["number"]), read_only(self.volumes[index]), times)

    def table(self, name: str) -> list[Row]:
        """The whole rows of one of its tables (`trials.tsv`); none where there is no such file."""
        return read_table(self.folder / name)

    def array(self, name: str) -> NDArray[np.generic] | None:
        """The whole rows of one of its arrays ("z"), memory-mapped; None where there is none.

        Raises
        ------
        BadDataset
            It is damaged.
        """
        file = self.folder / f"{name}.npy"
        try:
            return open_rows(file) if file.is_file() else None
        except (OSError, ValueError, ArithmeticError) as error:
            raise BadDataset(f"{file} is damaged: {error}") from error

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The whole lines of one of its JSON files (`settings.jsonl`)."""
        return [json.loads(line) for line in _whole_lines(self.folder / name)]


def is_session_folder(folder: Path) -> bool:
    """Whether `rtrecon run` wrote it."""
    return (folder / "session.json").is_file() and (folder / "volumes.npy").is_file()


def open_session_folder(folder: Path) -> SessionFolder:
    """Open what a session left, however it ended.

    Raises
    ------
    BadDataset
        It is no session's folder, or one of its files is damaged.
    """
    if not is_session_folder(folder):
        raise BadDataset(f"{folder} is no session: name a folder that rtrecon run wrote")
    try:
        about = json.loads(bounded_text(folder / "session.json"))
        geometry = _geometry(about["geometry"])
        volumes = open_rows(folder / "volumes.npy")
        rows = [{"fault": "n/a"} | row for row in read_table(folder / "volumes.tsv")]
        whole = min(len(rows), len(volumes))
        markers = _markers(folder / "markers.jsonl", rows)
    except (OSError, ValueError, LookupError, TypeError, BadStream) as error:
        raise BadDataset(f"{folder} cannot be read as a session: {error}") from error
    if volumes.shape[1:] != geometry.shape:
        raise BadDataset(
            f"{folder}: volumes.npy holds volumes of {volumes.shape[1:]}, session.json says "
            f"{geometry.shape}: the two are of different sessions"
        )
    return SessionFolder(folder, about, geometry, volumes[:whole], rows[:whole], markers)


def read_table(file: Path) -> list[Row]:
    """The rows of a table that are whole: a kill may have cut the last line."""
    reader = csv.DictReader(_whole_lines(file), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [row for row in reader if None not in row and None not in row.values()]


def _whole_lines(file: Path) -> list[str]:
    if not file.is_file():
        return []
    text = bounded_text(file, MOST_TABLE_BYTES, "replace")
    return text[: text.rfind("\n") + 1].splitlines()


def open_rows(file: Path) -> NDArray[np.generic]:
    """The rows of a .npy file that are whole on disk, memory-mapped: the last may be cut off.

    Raises
    ------
    ValueError
        Not such a file, or cut off within its header.
    """
    with file.open("rb") as opened:
        if npy.read_magic(opened) != (1, 0):
            raise ValueError(f"{file.name} is of another version of .npy")
        shape, fortran, dtype = npy.read_array_header_1_0(opened)
        start = opened.tell()
    row_bytes = math.prod(shape[1:]) * dtype.itemsize
    if fortran or dtype.hasobject or not shape or row_bytes <= 0:
        raise ValueError(f"{file.name} holds no rows of numbers")
    whole = min(shape[0], (file.stat().st_size - start) // row_bytes)
    if whole <= 0:
        return np.zeros((0, *shape[1:]), dtype)
    return np.memmap(file, dtype, "r", start, (whole, *shape[1:]))


def _geometry(told: dict[str, Any]) -> Geometry:
    known = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
    return Geometry(**known | {"affine": read_only(np.array(told["affine"], float))})


def _markers(file: Path, rows: list[Row]) -> list[tuple[int, Marker]]:
    found = []
    for line in _whole_lines(file):
        try:
            found.append(_marker(json.loads(line), rows))
        except (ValueError, LookupError, TypeError, AttributeError, BadStream) as error:
            log.warning("%s: a line is damaged and left out: %s", file, error)
    return found


def _marker(told: dict[str, Any], rows: list[Row]) -> tuple[int, Marker]:
    stamp = told.pop("stamp", None)
    stamp = nan if stamp is None else float(stamp)
    came = told.pop("row", None)
    if came is None:  # sessions of before: by the clock
        came = sum(float(row["received"]) < stamp for row in rows)
    return int(came), marker_of(json.dumps(told), stamp)
