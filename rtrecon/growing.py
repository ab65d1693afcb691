"""Files that grow row by row and are whole at any moment: after a kill, and on a full disk."""

from collections.abc import Callable
from contextlib import suppress
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray


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

    Raises
    ------
    OSError
        From the constructor too; no file is left then.
    """

    def __init__(self, file: Path, row: tuple[int, ...], dtype: DTypeLike) -> None:
        self._row, self._dtype = row, np.dtype(dtype).newbyteorder("<")
        self.rows = self._newest = 0
        self._data_start = len(self._header())
        self._row_bytes = int(np.prod(row, dtype=np.int64)) * self._dtype.itemsize
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

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _restore(self) -> None:
        """First the header: what it promises must be there at any moment."""
        with suppress(OSError):
            _write_at(self._file, 0, self._header())
            self._file.truncate(self._data_start + self.rows * self._row_bytes)

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

    Raises
    ------
    OSError
        From the constructor too; no file is left then.
    """

    def __init__(self, file: Path, head: str = "") -> None:
        begin = _line(head) if head else b""
        self.rows = 0
        self._end = self._before = len(begin)
        self._file = _begun(file, lambda opened: _write_at(opened, 0, begin))

    def append(self, row: str) -> None:
        """Write one line through to the system."""
        content = _line(row)
        self._file.truncate(self._end)  # what could not be taken back would show behind it
        try:
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

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _restore(self) -> None:
        with suppress(OSError):
            self._file.truncate(self._end)


def replace_file(file: Path, content: bytes) -> None:
    """Write a whole file in the place of the one that is there: at any moment one of both is.

    Raises
    ------
    OSError
        The old one is still there then.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_bytes(content)
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


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
        rest = rest[file.write(rest) or 0 :]
