"""A .npy file that grows row by row and can be opened at any moment, after a kill too."""

from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray


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
    """

    def __init__(self, file: Path, row: tuple[int, ...], dtype: DTypeLike) -> None:
        self._row, self._dtype = row, np.dtype(dtype).newbyteorder("<")
        self._file = file.open("wb", buffering=0)
        self.rows = 0
        self._write_header()
        self._data_start = self._file.tell()

    def append(self, row: NDArray[np.generic]) -> None:
        """Write one row through to the system."""
        content = np.ascontiguousarray(row, self._dtype).tobytes()
        self._file.seek(self._data_start + self.rows * len(content))
        self._file.write(content)
        self.rows += 1
        self._write_header()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write_header(self) -> None:
        self._file.seek(0)
        header = {
            "descr": npy.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.rows, *self._row),
        }
        npy.write_array_header_1_0(self._file, header)
