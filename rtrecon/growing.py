"""Files that grow row by row and are whole at any moment: after a kill, and on a full disk.

All that a session writes goes through `disk_write`; a rehearsal of a disk that is slow, full or away
puts another function in its place (`rtrecon.growing.disk_write = ...`).
"""

import os
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray


def disk_write(file: FileIO, content: memoryview) -> int:
    """Hand bytes to the system at the file's position; returns how many it took.

    Raises
    ------
    OSError
        It takes none.
    """
    return file.write(content) or 0


class Growing(Protocol):
    """A file to whose end rows are written. Owned by one thread."""

    rows: int

    def append(self, row: Any) -> None:
        """Write one row through to the system; one that cannot be written leaves nothing behind.

        Raises
        ------
        OSError
        """
        ...

    def take_back(self) -> None:
        """Remove the last row. Where the disk refuses even that, the next row takes its place."""
        ...

    def cut(self, rows: int) -> None:
        """Keep the first `rows` alone.

        Raises
        ------
        OSError
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def append_together(*rows: tuple[Growing, Any]) -> None:
    """Append one row to each of several files: to all or to none.

    Raises
    ------
    OSError
    """
    written: list[Growing] = []
    try:
        for growing, row in rows:
            growing.append(row)
            written.append(growing)
    except Exception:
        for growing in written:
            growing.take_back()
        raise


class GrowingArray:
    """Rows appended to one .npy file. Owned by one thread.

    The header, which numpy pads so that it can grow in place, is rewritten after the row: a kill
    between the two leaves a file that ends in the middle of a row nobody counts yet.

    Parameters
    ----------
    file : Path
    row : tuple of int
        Shape of one row.
    dtype : data type of the rows
    resumed : bool
        Go on with the file that is there, cut to what is whole.

    Raises
    ------
    OSError
        From the constructor too; no file that it began is left then.
    ValueError
        From the constructor: the file that is there holds other rows.
    """

    def __init__(
        self, file: Path, row: tuple[int, ...], dtype: DTypeLike, resumed: bool = False
    ) -> None:
        self._row, self._dtype = row, np.dtype(dtype).newbyteorder("<")
        self.rows = self._newest = 0
        self._data_start = len(self._header())
        self._row_bytes = int(np.prod(row, dtype=np.int64)) * self._dtype.itemsize
        if resumed:
            self._file = _opened(file)
            self.cut(self._whole())
        else:
            self._file = _begun(file, lambda opened: _write_at(opened, 0, self._header()))

    def append(self, row: NDArray[np.generic]) -> None:
        """Write one row through to the system."""
        self.extend(row[np.newaxis])

    def extend(self, rows: NDArray[np.generic]) -> None:
        """Write several rows through to the system: all or none."""
        if rows.shape[1:] != self._row:
            raise ValueError(f"a row of shape {rows.shape[1:]} among rows of {self._row}")
        content = np.ascontiguousarray(rows, self._dtype).tobytes()
        try:
            _write_at(self._file, self._data_start + self.rows * self._row_bytes, content)
            self.rows, self._newest = self.rows + len(rows), len(rows)
            try:
                _write_at(self._file, 0, self._header())
            except BaseException:
                self.rows -= len(rows)
                raise
        except BaseException:
            self._restore()
            raise

    def take_back(self) -> None:
        """Remove what was written last."""
        self.rows -= self._newest
        self._restore()

    def cut(self, rows: int) -> None:
        """Keep the first `rows` alone. First the header: what it promises must be there at any moment."""
        self.rows = rows
        _write_at(self._file, 0, self._header())
        self._file.truncate(self._data_start + self.rows * self._row_bytes)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _restore(self) -> None:
        with suppress(OSError):
            self._file = _again(self._file, self._data_start + self.rows * self._row_bytes)
            self.cut(self.rows)

    def _whole(self) -> int:
        """How many rows are all there: the header of a file that was cut off may promise more."""
        if npy.read_magic(self._file) != (1, 0):
            raise ValueError(f"{self._file.name} is of another version of .npy")
        shape, fortran, dtype = npy.read_array_header_1_0(self._file)
        if fortran or shape[1:] != self._row or dtype != self._dtype:
            raise ValueError(f"{self._file.name} holds no rows of {self._row}")
        there = os.fstat(self._file.fileno()).st_size - self._data_start
        return int(min(shape[0], max(0, there) // self._row_bytes))

    def _header(self) -> bytes:
        content = BytesIO()
        header = {
            "descr": npy.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.rows, *self._row),
        }
        npy.write_array_header_1_0(content, header)
        return content.getvalue()


class GrowingLines:
    """Lines appended to one text file (UTF-8). Owned by one thread.

    Parameters
    ----------
    file : Path
    head : str, optional
        The first line, which counts as no row.
    resumed : bool
        Go on with the file that is there, cut to what is whole.

    Raises
    ------
    OSError
        From the constructor too; no file that it began is left then.
    """

    def __init__(self, file: Path, head: str = "", resumed: bool = False) -> None:
        self._begin = _line(head) if head else b""
        self.rows = 0
        self._end = self._before = len(self._begin)
        if resumed:
            self._file = _opened(file)
            self.cut(self._content().count(b"\n"))
        else:
            self._file = _begun(file, lambda opened: _write_at(opened, 0, self._begin))

    def append(self, row: str) -> None:
        """Write one line through to the system."""
        content = _line(row)
        try:
            self._file.truncate(self._end)  # what could not be taken back would show behind it
            _write_at(self._file, self._end, content)
        except BaseException:
            self._restore()
            raise
        self._before, self._end = self._end, self._end + len(content)
        self.rows += 1

    def take_back(self) -> None:
        """Remove the last line."""
        self._end = self._before
        self.rows -= 1
        self._restore()

    def cut(self, rows: int) -> None:
        """Keep the first `rows` alone."""
        lines = self._content().split(b"\n")[:rows]
        self._end = self._before = len(self._begin) + sum(len(line) + 1 for line in lines)
        self.rows = len(lines)
        _write_at(self._file, 0, self._begin)
        self._file.truncate(self._end)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _content(self) -> bytes:
        """All whole lines behind the first."""
        self._file.seek(len(self._begin))
        content = self._file.readall() or b""
        return content[: content.rfind(b"\n") + 1]

    def _restore(self) -> None:
        with suppress(OSError):
            self._file = _again(self._file, self._end)
            self._file.truncate(self._end)


def replace_file(file: Path, content: bytes) -> None:
    """Write a whole file in the place of the one that is there: at any moment one of both is.

    The disk has it first: else a power cut could leave its name alone.

    Raises
    ------
    OSError
        The old one is still there then.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        write_file(part, content)
        sync(part)
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_file(file: Path, content: bytes) -> None:
    """Write a whole new file.

    Raises
    ------
    OSError
        Part of it may be there.
    """
    with file.open("wb", buffering=0) as opened:
        _write_at(opened, 0, content)


def sync(file: Path) -> None:
    """Have the system put on the disk what it has taken for a file, whoever wrote it.

    Raises
    ------
    OSError
        The file is gone, or something of it did not get there.
    """
    with _opened(file) as opened:
        os.fsync(opened.fileno())


def _opened(file: Path) -> FileIO:
    return file.open("r+b", buffering=0)


def _again(file: FileIO, n_bytes: int) -> FileIO:
    """The same file opened anew: on a share that was away the handle may be good no longer.

    Raises
    ------
    OSError
        It is not there, or shorter than what was written.
    """
    opened = _opened(Path(file.name))
    if os.fstat(opened.fileno()).st_size < n_bytes:
        opened.close()
        raise OSError(f"{file.name} is shorter than it was")
    with suppress(OSError):
        file.close()
    return opened


def _begun(file: Path, begin: Callable[[FileIO], None]) -> FileIO:
    opened = file.open("wb", buffering=0)
    try:
        begin(opened)
    except BaseException:
        opened.close()
        file.unlink(missing_ok=True)
        raise
    return opened


def _line(text: str) -> bytes:
    """What comes over the network may hold characters that UTF-8 has no bytes for."""
    return f"{text}\n".encode(errors="backslashreplace")


def _write_at(file: FileIO, position: int, content: bytes) -> None:
    """All of it: a disk that is nearly full takes a part and says so by the count alone."""
    file.seek(position)
    rest = memoryview(content)
    while rest:
        rest = rest[disk_write(file, rest) :]
