"""Single-trial betas and images of the Natural Scenes Dataset, read in parts."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from rtrecon.errors import BadDataset

FACTOR = 300.0  # betas are stored as whole numbers, 300 for one per cent of signal change
_BLOCK = 50  # trials read at once: of all voxels in memory
_DAMAGE = (OSError, EOFError, KeyError, ValueError, zlib.error, ImageFileError)


@dataclass(frozen=True)
class Betas:
    """One session's betas, unread: `shape` (x, y, z) and how many `trials`."""

    file: Path
    shape: tuple[int, int, int]
    trials: int

    def blocks(self, voxels: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        """Betas in per cent, float32 (n, n_voxels), of so many trials at once, in order.

        Parameters
        ----------
        voxels : int64 (n_voxels,)
            Counted with x fastest.

        Raises
        ------
        BadDataset
            A damaged file.
        """
        try:
            for block in self._volumes():  # (n, z, y, x): x fastest in memory
                chosen = block.reshape(len(block), -1)[:, voxels].astype(np.float32)
                yield chosen / np.float32(FACTOR) if block.dtype.kind in "iu" else chosen
        except _DAMAGE as error:
            raise BadDataset(f"{self.file} cannot be read: {error}: copy it anew") from error

    def _volumes(self) -> Iterator[NDArray[np.generic]]:
        starts = range(0, self.trials, _BLOCK)
        if _is_hdf5(self.file):
            import h5py

            with h5py.File(self.file) as opened:
                for start in starts:
                    yield opened["betas"][start : start + _BLOCK]
            return
        # Kept open, so that a compressed file is gone through once.
        image = nib.load(self.file, keep_file_open=True)
        for start in starts:
            yield np.asarray(image.dataobj[..., start : start + _BLOCK]).T


def open_betas(file: Path) -> Betas:
    """A session's betas, HDF5 (trials, z, y, x) or NIfTI (x, y, z, trials).

    Raises
    ------
    BadDataset
        Not readable, or not four-dimensional.
    """
    try:
        if _is_hdf5(file):
            import h5py

            with h5py.File(file) as opened:
                shape = tuple(opened["betas"].shape)[::-1]
        else:
            shape = tuple(nib.load(file).shape)
    except _DAMAGE as error:
        raise BadDataset(f"{file} cannot be read: {error}") from error
    if len(shape) != 4:
        raise BadDataset(f"{file} has {len(shape)} dimensions: betas have 4")
    return Betas(file, shape[:3], shape[3])


@dataclass(frozen=True)
class Images:
    """All images of the dataset, on disk until they are asked for."""

    file: Path

    @property
    def count(self) -> int:
        """How many there are.

        Raises
        ------
        BadDataset
        """
        import h5py

        try:
            with h5py.File(self.file) as opened:
                return len(opened["imgBrick"])
        except _DAMAGE as error:
            raise BadDataset(f"{self.file} cannot be read: {error}") from error

    def __call__(self, ids: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """Pictures (height, width, 3) in the order of `ids`, which count from 0."""
        import h5py

        with h5py.File(self.file) as opened:
            brick = opened["imgBrick"]
            for number in ids:
                yield np.asarray(brick[number], np.uint8)


def _is_hdf5(file: Path) -> bool:
    return file.suffix == ".hdf5"
