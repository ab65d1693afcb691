"""Any file that a scanner exports, read into pieces."""

from dataclasses import replace
from pathlib import Path

from rtrecon.bridge.dicom import dataset
from rtrecon.bridge.enhanced import is_enhanced, read_enhanced
from rtrecon.bridge.mosaic import is_mosaic, read_mosaic
from rtrecon.bridge.nifti import read_nifti
from rtrecon.bridge.par_rec import read_par_rec
from rtrecon.bridge.piece import Foreign, Piece, Unfinished
from rtrecon.bridge.slices import read_slice
from rtrecon.bridge.stack import slice_times_s, volume_of
from rtrecon.wire import MAX_EDGE, MAX_VOXELS

__all__ = ["read", "slice_times_s", "volume_of"]

_DICOM_SUFFIXES = (".dcm", ".ima", ".mrdc")
_MAX_BYTES = 4 << 30
_MAX_ECHOES, _MAX_VOLUMES = 64, 10**9
_LONGEST = 256  # characters of a series' name or uid


def read(path: Path) -> list[Piece]:
    """What `path` holds; in any thread.

    Raises
    ------
    Foreign
        Not a magnitude image of a series of volumes; the message says why in one line.
    Unfinished
        It ends too early: try again when it has grown.
    OSError
        It cannot be read at all.
    """
    try:
        return [_bounded(path.name, piece) for piece in _pieces(path)]
    except (Foreign, Unfinished, OSError):
        raise
    except Exception as error:  # parsers, and what they read late, raise of all trees
        told = " ".join(f"{type(error).__name__}: {error}".split())
        raise Unfinished(f"{path.name} is cut off or damaged ({told})") from error


def _pieces(path: Path) -> list[Piece]:
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise Foreign(f"{path.name} has {size >> 30} GiB: volumes have less")
    if path.suffix.lower() in (".par", ".rec"):
        return read_par_rec(path)
    raw = path.read_bytes()
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return read_nifti(path, raw)
    if raw[128:132] == b"DICM":
        return _read_dicom(path.name, raw)
    if _may_become_dicom(path, raw[:132]):
        raise Unfinished(f"{path.name} has no beginning yet, or ends in it")
    raise Foreign(f"{path.name} is neither DICOM, NIfTI nor PAR/REC")


def _bounded(name: str, piece: Piece) -> Piece:
    """A piece whose numbers something may be counted or made by.

    Raises
    ------
    Foreign
        They are those of no scanner.
    """
    for what, value, most in (
        ("voxels along an edge", max(piece.data.shape), MAX_EDGE),
        ("voxels", piece.data.size, MAX_VOXELS),
        ("slices", max(piece.slices, piece.slice + 1), MAX_EDGE),
        ("echoes", max(piece.echo, piece.echoes or 0), _MAX_ECHOES),
        ("volumes", max(piece.volume, piece.volumes or 0), _MAX_VOLUMES),
    ):
        if value > most:
            raise Foreign(f"{name} says that it has {value} {what}: {most} at most are read")
    return replace(piece, description=piece.description[:_LONGEST], series=piece.series[:_LONGEST])


def _read_dicom(name: str, raw: bytes) -> list[Piece]:
    found = dataset(name, raw)
    if is_enhanced(found):
        return read_enhanced(name, found)
    return (read_mosaic if is_mosaic(found) else read_slice)(name, found)


def _may_become_dicom(path: Path, head: bytes) -> bool:
    """Whether the first 132 bytes are cut short, or not written yet where all room was made first.

    DICOM begins with 128 bytes of anything, most often zeros, then its name.
    """
    if not head[:128].strip(b"\0"):
        return not head[128:].strip(b"\0") or b"DICM".startswith(head[128:])
    return len(head) < 132 and any(one.lower() in _DICOM_SUFFIXES for one in path.suffixes)
