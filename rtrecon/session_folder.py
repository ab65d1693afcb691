"""A recorded session read back: what came, in the order in which it came, after a kill too."""

import csv
import json
import logging
import math
import os
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
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
from rtrecon.wire import geometry_of, marker_of, volume_info

log = logging.getLogger(__name__)

Row = dict[str, str]

_DAMAGE = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip


@dataclass(frozen=True)
class RecordedFolder:
    """What every session leaves, whatever it was fed by.

    Attributes
    ----------
    about : dict
        The content of session.json: settings, versions, and what the session was made with.
    """

    folder: Path
    about: dict[str, Any]

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
        except (OSError, *_DAMAGE) as error:
            raise BadDataset(f"{file} is damaged: {error}") from error

    @property
    def whole(self) -> bool:
        """Whether the session's own process came to its end: else what is derived may lack its last."""
        return bool(self._summary) and "kept_by" not in self._summary

    @property
    def withdrawn(self) -> bool:
        """Whether a participant has stopped it: what came last may not have been worked on."""
        return bool(self._summary.get("withdrawn"))

    @property
    def _summary(self) -> dict[str, Any]:
        try:
            summary = json.loads(bounded_text(self.folder / "summary.json"))
        except (OSError, ValueError):
            return {}
        return summary if isinstance(summary, dict) else {}

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The whole lines of one of its JSON files (`settings.jsonl`).

        Raises
        ------
        BadDataset
            One is no JSON object.
        """
        with damage_told(self.folder / name):
            return [dict(json.loads(line)) for line in _whole_lines(self.folder / name)]


@dataclass(frozen=True)
class SessionFolder(RecordedFolder):
    """A session's folder. Every table is cut to what is whole on disk; nothing is ever written.

    Attributes
    ----------
    geometry : Geometry
    volumes : int16 or float32 (n_rows, i, j, k), memory-mapped
        All raw volumes as they came, rejected ones too.
    rows : list of dict
        volumes.tsv: number, acquired, received, and fault, why one was rejected ("n/a": it was not).
    markers : list of (int, Marker)
        In the order in which they came, each with the number of rows that had come before it.
    """

    geometry: Geometry
    volumes: NDArray[np.generic]
    rows: list[Row]
    markers: list[tuple[int, Marker]]

    def walk(self) -> Iterator[Volume | Marker]:
        """Accepted volumes and all markers, as the receiver passed them on."""
        return (item for item in self.all() if isinstance(item, Marker) or not item.fault)

    def all(self) -> Iterator[Volume | Marker]:
        """All volumes and markers, as the receiver passed them on."""
        markers = list(self.markers)
        for index in range(len(self.rows)):
            while markers and markers[0][0] <= index:
                yield markers.pop(0)[1]
            yield self.volume(index)
        yield from (marker for _, marker in markers)

    def volume(self, index: int) -> Volume:
        """The volume of one row, rejected or not."""
        row = self.rows[index]
        times = Times(float(row["acquired"]), float(row["received"]))
        fault = "" if row["fault"] == "n/a" else row["fault"]
        return Volume(int(row["number"]), read_only(self.volumes[index]), times, fault)


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """While what a session recorded is read: whatever is not as it was written ends in one line.

    Raises
    ------
    BadDataset
    """
    try:
        yield
    except _DAMAGE as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise BadDataset(f"{path} is damaged ({told}): use a copy that is whole") from error


def is_session_folder(folder: Path) -> bool:
    """Whether `rtrecon run` wrote it."""
    files = (folder / "session.json", folder / "volumes.npy")
    return all(map(os.path.isfile, files))  # a name that can be none is no file, and no error


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
        markers = read_markers(folder / "markers.jsonl", rows)
    except (OSError, BadStream, *_DAMAGE) as error:
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
        try:
            shape, fortran, dtype = npy.read_array_header_1_0(opened)
        except (tokenize.TokenError, SyntaxError, TypeError, RecursionError) as error:
            raise ValueError(f"{file.name} has no header of .npy: {error}") from error
        start = opened.tell()
    row_bytes = math.prod(shape[1:]) * dtype.itemsize
    if fortran or dtype.hasobject or not shape or row_bytes <= 0:
        raise ValueError(f"{file.name} holds no rows of numbers")
    whole = min(shape[0], (file.stat().st_size - start) // row_bytes)
    if whole <= 0:
        return np.zeros((0, *shape[1:]), dtype)
    return np.memmap(file, dtype, "r", start, (whole, *shape[1:]))


def _geometry(told: dict[str, Any]) -> Geometry:
    """As it was in docs/wire.md's bounds when it came."""
    known = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
    geometry = Geometry(**known | {"affine": read_only(np.array(told["affine"], float))})
    if not all(type(n) is int and 0 < n <= 1024 for n in geometry.shape):
        raise ValueError(f"volumes of {geometry.shape} voxels")
    if not (geometry.tr_s > 0 and geometry.speed > 0):
        raise ValueError(f"a TR of {geometry.tr_s} s at a speed of {geometry.speed}")
    geometry_of(volume_info("recorded", geometry, ""))
    return geometry


def read_markers(file: Path, rows: list[Row]) -> list[tuple[int, Marker]]:
    """The markers of a file that are whole, each with how many of the rows had come before it."""
    found = []
    for line in _whole_lines(file):
        try:
            found.append(_marker(json.loads(line), rows))
        except (BadStream, *_DAMAGE) as error:
            log.warning("%s: a line is damaged and left out: %s", file, error)
    return found


def _marker(told: dict[str, Any], rows: list[Row]) -> tuple[int, Marker]:
    stamp = told.pop("stamp", None)
    stamp = nan if stamp is None else float(stamp)
    came = told.pop("row", None)
    if came is None:  # sessions of before: by the clock
        came = sum(float(row["received"]) < stamp for row in rows)
    return int(came), marker_of(json.dumps(told), stamp)
