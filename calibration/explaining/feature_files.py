"""Features of stimuli in files, since those of many stimuli do not fit into memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray


class Space(NamedTuple):
    """What features are of.

    Attributes
    ----------
    family : str
        "space" (z, c, z_c), "noise", "step" or "block".
    label : str
        Within the family: the space, the strength, how many steps are done, or the block.
    stage : str
        Of a block: when in the run; else empty.
    """

    family: str
    label: str
    stage: str = ""


@dataclass(frozen=True)
class FeatureSet:
    """What each stimulus is in one space. `file`: npy, float32 (n_stimuli, n_features)."""

    family: str
    label: str
    file: Path
    stage: str = ""

    @property
    def values(self) -> NDArray[np.float32]:
        """The features, left on disk."""
        found: NDArray[np.float32] = np.load(self.file, mmap_mode="r")
        return found


class Shelf:
    """Features of several spaces, written some stimuli at a time.

    Parameters
    ----------
    folder : Path
        For the files.
    count : int
        Stimuli.

    Attributes
    ----------
    files : dict of Space to Path
        In the order in which they were begun.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._count = folder, count
        self.files: dict[Space, Path] = {}

    def put(self, space: Space, part: slice, rows: NDArray[np.float32]) -> None:
        """Write some stimuli's features, of any shape (n_part, ...)."""
        flat = rows.reshape(len(rows), -1)
        if space not in self.files:
            self.files[space] = self._folder / f"{len(self.files)}.npy"
            shape = (self._count, flat.shape[1])
            open_memmap(self.files[space], "w+", dtype=np.float32, shape=shape)
        open_memmap(self.files[space], "r+")[part] = flat

    def __getitem__(self, space: Space) -> FeatureSet:
        """What was written."""
        return FeatureSet(space.family, space.label, self.files[space], space.stage)
