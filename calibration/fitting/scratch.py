"""Arrays that may be too large for memory: kept in a file then, which is gone as soon as they are."""

from collections.abc import Iterator
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

LARGE_BYTES = 2**30
ROWS = 2048  # at once: of each column whole pages of the file
_COLUMNS = 4096

Floats = NDArray[np.float32]


def empty(shape: tuple[int, int]) -> Floats:
    """A float32 array to be filled column by column, each of which lies in one piece."""
    if 4 * shape[0] * shape[1] < LARGE_BYTES:
        return np.empty(shape, np.float32, order="F")
    with TemporaryFile() as file:  # the map outlives the name
        return np.memmap(file, np.float32, "w+", shape=shape, order="F")


def repeated(values: Floats, rows: NDArray[np.int64]) -> Floats:
    """`values[rows]`, of values (n, n_columns)."""
    taken = empty((len(rows), values.shape[1]))
    for begin in range(0, values.shape[1], _COLUMNS):
        of = slice(begin, begin + _COLUMNS)
        taken[:, of] = values[:, of][rows]
    return taken


def row_blocks(count: int) -> Iterator[slice]:
    """So many rows in blocks that fit in memory."""
    for begin in range(0, count, ROWS):
        yield slice(begin, min(begin + ROWS, count))
