"""One run's volumes as compressed NIfTI, written volume by volume."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.spatialimages import HeaderDataError
from tqdm import tqdm

from rtrecon.archive.runs import RecordedRun
from rtrecon.errors import BadDataset
from rtrecon.session_folder import SessionFolder
from rtrecon.types import Geometry


def write_bold(file: Path, session: SessionFolder, run: RecordedRun) -> None:
    """Write a run; lost and rejected volumes are zeros, so that volume n stays at n x TR.

    One volume at a time is in memory, however long the run.
    """
    geometry = session.geometry
    dtype = np.dtype(geometry.dtype).newbyteorder("<")
    missing = bytes(geometry.n_voxels * dtype.itemsize)
    volumes = tqdm(range(run.n_volumes), file.name, unit="volume", disable=None)
    # no name and no time in the stream: the same session gives the same file
    with file.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as out:
        _header(geometry, run.n_volumes, dtype).write_to(out)
        for volume in volumes:
            row = run.accepted.get(volume)
            whole = missing if row is None else None
            out.write(whole or session.volumes[row].astype(dtype, copy=False).tobytes("F"))


def _header(geometry: Geometry, n_volumes: int, dtype: np.dtype) -> nib.Nifti1Header:
    header = nib.Nifti1Header(endianness="<")
    header.set_data_dtype(dtype)
    try:
        header.set_data_shape((*geometry.shape, n_volumes))
    except HeaderDataError as error:
        raise BadDataset(f"a run of {n_volumes} volumes is more than NIfTI can hold") from error
    header.set_xyzt_units("mm", "sec")
    header.set_sform(geometry.affine, 1)
    header.set_qform(geometry.affine, 1)
    header.set_zooms((*voxel_sizes(geometry.affine), geometry.tr_s))
    header.set_slope_inter(1, 0)
    header["vox_offset"] = 352  # the header's 348 bytes and "no extension"
    return header
