"""NIfTI volumes, one a file or several in one; other programs' real-time exports."""

import gzip
import math
import re
import zlib
from io import BytesIO
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from rtrecon.bridge.piece import Foreign, Piece, Unfinished

_HEADER_BYTES = 348
_MAX_BYTES = 4 << 30  # an hour's run at 2 mm, inflated
_BEHIND = 1 << 20  # that may follow the voxels
_PIECE_BYTES = 1 << 20
_TIME_UNITS_S = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}


def read_nifti(path: Path, raw: bytes) -> list[Piece]:
    """The volumes in a .nii or .nii.gz file; a 3D one's number is the last in its name.

    The header says nothing of when volumes are acquired, and names no series: that is the file's
    name without its number.
    """
    name = path.name
    content: bytes | bytearray = _inflated(name, raw) if raw[:2] == b"\x1f\x8b" else raw
    if len(content) < _HEADER_BYTES or not any(content[:_HEADER_BYTES]):
        raise Unfinished(f"{name} ends in its header")
    header = _header(name, content)
    shape = tuple(int(n) for n in header.get_data_shape())
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise Foreign(f"{name} has shape {shape}: volumes have three dimensions, runs have four")
    volumes = _values(name, content, header, (*shape, 1)[:4])
    tr_s = float(header["pixdim"][4]) * _TIME_UNITS_S.get(header.get_xyzt_units()[1], 1.0)
    affine = np.array(header.get_best_affine(), float)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise Foreign(f"{name} has no usable affine")
    series, first = _name_and_number(name)
    single = len(shape) == 3
    return [
        Piece(
            series=series,
            description=series,
            volume=first if single else volume,
            slice=0,
            slices=1,
            data=np.ascontiguousarray(volumes[..., volume]),
            affine=affine,
            tr_s=tr_s,
            volumes=None if single else shape[3],
        )
        for volume in range(volumes.shape[3])
    ]


def _inflated(name: str, raw: bytes) -> bytearray:
    """All of a gz stream, whose end carries a checksum: no more than its header promises."""
    content = bytearray()
    try:
        with gzip.open(BytesIO(raw)) as stream:
            content += stream.read(_HEADER_BYTES)
            most = min(_promised(content) + _BEHIND, _MAX_BYTES)
            # In pieces: asked for all at once, room for the most there may be is made first.
            while len(content) <= most and (piece := stream.read(_PIECE_BYTES)):
                content += piece
    except EOFError:
        raise Unfinished(f"{name} ends inside its compressed stream") from None
    except (OSError, zlib.error) as error:
        raise Foreign(f"{name} is no gz file: {error}") from error
    if len(content) > most:
        raise Foreign(f"{name} inflates to more than the {most} bytes that its header promises")
    return content


def _promised(head: bytearray) -> int:
    """How many bytes a file with this header has; 0 where that cannot be told."""
    try:
        header = nibabel.Nifti1Header.from_fileobj(BytesIO(head), check=False)
        n_voxels = math.prod(int(n) for n in header.get_data_shape())
        return int(header.get_data_offset()) + n_voxels * int(header.get_data_dtype().itemsize)
    except Exception:  # nibabel raises of all trees; the header is read in earnest later
        return 0


def _header(name: str, content: bytes | bytearray) -> nibabel.Nifti1Header:
    """As it stands: nibabel's own check would mend it."""
    header = nibabel.Nifti1Header.from_fileobj(BytesIO(content), check=False)
    if int(header["sizeof_hdr"]) != _HEADER_BYTES or header["magic"].item() != b"n+1":
        raise Foreign(f"{name} has no NIfTI-1 header")
    return header


def _values(
    name: str, content: bytes | bytearray, header: nibabel.Nifti1Header, shape: tuple[int, ...]
) -> NDArray[np.generic]:
    """Values (i, j, k, volumes): int16 where they are stored so, float32 otherwise."""
    dtype, first = header.get_data_dtype(), int(header.get_data_offset())
    if dtype.kind not in "iuf" or first < _HEADER_BYTES:
        raise Foreign(f"{name} stores {dtype} from byte {first}: magnitudes are plain numbers")
    n_voxels = int(np.prod([int(n) for n in shape], dtype=object))
    missing = first + n_voxels * dtype.itemsize - len(content)
    if missing > 0:
        raise Unfinished(f"{name} lacks the last {missing} bytes of its voxels")
    stored = np.frombuffer(content, dtype, n_voxels, first).reshape(shape, order="F")
    slope, intercept = header.get_slope_inter()
    if (slope or 1.0, intercept or 0.0) != (1.0, 0.0):
        return (stored * slope + intercept).astype(np.float32)
    fits = np.can_cast(dtype, np.int16) or (dtype.kind in "iu" and stored.max() <= 32767)
    return stored.astype(np.int16 if fits and dtype.itemsize <= 2 else np.float32)


def _name_and_number(name: str) -> tuple[str, int]:
    """Of "run2_0013.nii.gz", "run2_" and 13; a name without digits is volume 0."""
    stem = re.sub(r"\.nii(\.gz)?$", "", name, flags=re.IGNORECASE)
    match = re.fullmatch(r"(.*?)(\d{1,9})(\D*)", stem)
    return (match[1] + match[3], int(match[2])) if match else (stem, 0)
