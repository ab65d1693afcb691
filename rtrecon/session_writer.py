"""The folder that every session writes, whatever it is fed by: appended as it comes.

What each file holds, and what survives a kill or a full disk: docs/session-folder.md.
"""

import json
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pylsl
from numpy.typing import DTypeLike

from rtrecon.errors import BadConfig
from rtrecon.growing import GrowingArray, GrowingLines, replace_file, sync
from rtrecon.lane import Lane, Losses, reason
from rtrecon.printable import printable
from rtrecon.scores import (
    FIRING_COLUMNS,
    SCORE_COLUMNS,
    SENT_COLUMNS,
    firing_row,
    score_row,
    sent_row,
)
from rtrecon.types import Firing, Painted, Score, Sent

log = logging.getLogger(__name__)

SLOW_BYTES, SLOW_S = 64e6, 5.0  # with so many, or for so long, the operator is told
RAW_BYTES = (
    1e9  # an hour of 64 x 64 x 36 voxels every 2 s, nine minutes of 104 x 90 x 72 every 0.72 s
)
DERIVED_BYTES = 512e6
PAINTED_COLUMNS = ("painted", "event", "shows", "frame", "score", "block", "patch")
PACKAGES = (
    "rtrecon", "numpy", "scipy", "torch", "diffusers", "transformers", "safetensors", "pillow",
    "nibabel", "pylsl", "PySide6-Essentials", "pyqtgraph",
)  # fmt: skip


class SessionWriter:
    """Writes a session's folder from threads of its own, so that no room waits for the disk.

    One thread writes what came; what was made of it, pictures above all, goes through another and
    cannot hold that up. Every method may be called from any thread and returns at once. A disk that
    fails is told and never stops the session, nor harms what is written already; what it refuses is
    kept in memory and written when it takes something again.

    Parameters
    ----------
    folder : Path
    tables : mapping of str to tuple of str
        Files of lines, with their columns, that are there from the beginning.
    about : mapping
        The content of session.json, besides versions.
    arrays : mapping of str to (shape of a row, dtype)
        Those that are there from the beginning, without their suffix.
    within : sequence of str
        Folders for pictures.
    resumed : bool
        Go on in the folder that a killed session left; what is whole in it stays.

    Raises
    ------
    BadConfig
        From the constructor: the folder holds another session or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        tables: Mapping[str, tuple[str, ...]],
        about: Mapping[str, Any],
        arrays: Mapping[str, tuple[tuple[int, ...], DTypeLike]],
        within: Sequence[str] = (),
        resumed: bool = False,
    ) -> None:
        self.folder = folder if resumed else open_folder(folder, within)
        self._resumed = resumed
        self._losses = Losses(folder)
        self._unsure = ""  # why what the system took may not have reached the disk
        self._summary: Mapping[str, Any] | None = None
        self._lines: dict[str, GrowingLines] = {}
        self._arrays: dict[str, GrowingArray] = {}
        with ExitStack() as self._files:
            try:
                for name, columns in tables.items():
                    self._table(name, columns)
                for name, (shape, dtype) in arrays.items():
                    self._array(name, shape, dtype)
                if resumed:
                    self._align()
                # Last: a folder without it is no session, and may be named again.
                if not resumed:
                    replace_file(folder / "session.json", _json({"versions": versions(), **about}))
            except (OSError, ValueError) as error:
                raise _unwritable(folder, error) from error
            self._files = self._files.pop_all()
        self._raw = Lane("rtrecon-record-raw", self._losses, RAW_BYTES, self._sync)
        self._derived = Lane("rtrecon-record", self._losses, DERIVED_BYTES)

    @property
    def fault(self) -> str:
        """What the operator has to know of the recording; empty where all is well."""
        waiting, lost = f"{self.waiting_bytes / 1e6:.0f} MB wait to be recorded", self._losses.told
        if failing := self._losses.failing:
            return f"recording fails ({failing}): {waiting}" + (lost and f"; {lost}")
        if self._slow:
            return f"the disk is slow: {waiting}, the oldest for {self.waiting_s:.0f} s"
        if self._unsure:
            return f"what was written may not be on the disk ({self._unsure})"
        return lost and f"recording again; {lost}"

    @property
    def failing(self) -> bool:
        """Whether it cannot write, or keep up, at this moment."""
        return self._slow or bool(self._losses.failing or self._unsure)

    @property
    def _slow(self) -> bool:
        return self.waiting_bytes > SLOW_BYTES or self.waiting_s > SLOW_S

    @property
    def waiting_bytes(self) -> int:
        """What was given and is not on disk yet."""
        return self._raw.waiting_bytes + self._derived.waiting_bytes

    @property
    def waiting_s(self) -> float:
        """For how long the oldest that is not on disk has waited."""
        return max(self._raw.waiting_s, self._derived.waiting_s)

    def score(self, score: Score) -> None:
        """Keep one score of a feedback protocol."""
        write = self._row("scores.tsv", SCORE_COLUMNS, score_row(score))
        self._derived.put(f"score {score.number}", write)

    def firing(self, firing: Firing) -> None:
        """Keep that a protocol's threshold was held."""
        write = self._row("firings.tsv", FIRING_COLUMNS, firing_row(firing))
        self._derived.put(f"firing {firing.number} {firing.person}".rstrip(), write)

    def painted(self, painted: Painted) -> None:
        """Keep what the participant was shown, and when."""
        write = self._row("participant.tsv", PAINTED_COLUMNS, _painted_row(painted))
        self._derived.put(f"what was painted at {painted.time:.3f}", write)

    def sent(self, sent: Sent) -> None:
        """Keep that a score or a firing went to an output, or why not."""
        write = self._row("sent.tsv", SENT_COLUMNS, sent_row(sent))
        self._derived.put(f"{sent.what} {sent.number} to {sent.output}", write)

    def withdraw(self) -> None:
        """Keep nothing that comes from now on: the participant has stopped."""
        self._raw.refuse()
        self._derived.refuse()

    def summary(self, summary: Mapping[str, Any]) -> None:
        """Have summary.json written on closing, with what could not be recorded."""
        self._summary = summary

    def close(self) -> None:
        """Write what still waits, and the summary, and close the files."""
        self._derived.close()
        if self._summary is None:
            self._raw.close()
        else:
            self._raw.close("summary.json", self._write_summary)
        with suppress(OSError):  # network file systems may complain here of earlier writes
            self._files.close()

    def lost(self, what: str, why: str) -> None:
        """Take note of something that came and could not be kept until here."""
        self._losses.lost(what, why)

    def _write_summary(self) -> None:
        content = dict(self._summary or {}) | {"recording": self._losses.as_json()}
        replace_file(self.folder / "summary.json", _json(content))

    def _align(self) -> None:
        """A killed session may have left an array with one row more than the table of its name."""
        for name, array in self._arrays.items():
            if (table := self._lines.get(f"{name}.tsv")) is not None:
                whole = min(array.rows, table.rows)
                array.cut(whole)
                table.cut(whole)

    def _sync(self) -> None:
        """All but pictures: on the disk itself, should the power fail."""
        before, self._unsure = self._unsure, ""
        try:
            for name in [*self._lines, *(f"{array}.npy" for array in list(self._arrays))]:
                sync(self.folder / name)
        except OSError as error:
            self._unsure = reason(error)
        if self._unsure and not before:
            log.error("what was written to %s may not be there: %s", self.folder, self._unsure)

    def _row(
        self, name: str, columns: tuple[str, ...], row: tuple[object, ...]
    ) -> Callable[[], None]:
        """A session without a protocol, or a participant's screen, has no such table."""
        return lambda: self._table(name, columns).append(tsv(row))

    def _table(self, name: str, columns: tuple[str, ...]) -> GrowingLines:
        if name not in self._lines:
            self._lines[name] = GrowingLines(
                self.folder / name, "\t".join(columns), self._there(name)
            )
            self._files.callback(self._lines[name].close)
        return self._lines[name]

    def _array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> GrowingArray:
        if name not in self._arrays:
            self._arrays[name] = GrowingArray(
                self.folder / f"{name}.npy", shape, dtype, self._there(f"{name}.npy")
            )
            self._files.callback(self._arrays[name].close)
        return self._arrays[name]

    def _there(self, name: str) -> bool:
        """Whether it is gone on with."""
        return self._resumed and (self.folder / name).is_file()


def open_folder(folder: Path, within: Sequence[str] = ()) -> Path:
    """Make the session's folder, and those `within` for its pictures.

    Raises
    ------
    BadConfig
        It holds another session (nothing recorded is ever overwritten) or cannot be written.
    """
    if (folder / "session.json").exists():
        raise BadConfig(f"{folder} already holds a session: name a new folder with --output")
    try:
        for pictures in ("", *within):
            (folder / pictures).mkdir(parents=True, exist_ok=True)
        (folder / "log.txt").touch()
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _painted_row(painted: Painted) -> tuple[object, ...]:
    """The cells of participant.tsv."""
    return (
        painted.time, painted.event, "+".join(painted.shows), _known(painted.frame),
        _known(painted.score), painted.block and painted.block.value,
        None if painted.patch is None else int(painted.patch),
    )  # fmt: skip


def versions() -> dict[str, str]:
    """What computed the session: it belongs to the result."""
    found = {"python": platform.python_version(), "liblsl": str(pylsl.library_version())}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _unwritable(folder: Path, error: Exception) -> BadConfig:
    return BadConfig(f"{folder} cannot be written: {reason(error)}: name another with --output")


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _known(number: int) -> int | None:
    return None if number < 0 else number


def tsv(row: tuple[object, ...]) -> str:
    """One line of a table; text from the network cannot break out of its cell."""
    cells = (f"{x:.6f}" if isinstance(x, float) else "" if x is None else str(x) for x in row)
    return "\t".join(printable(cell) or "n/a" for cell in cells)
