"""What every DICOM reader needs: a bounded look at the file, its numbers, times and geometry."""

import re
from collections.abc import Iterable
from io import BytesIO
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import UID_dictionary

from rtrecon.bridge.piece import Foreign, Unfinished

Floats = NDArray[np.float64]

_MR = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1")  # MR, enhanced MR
_PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_NOT_FUNCTIONAL = {
    *("P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY"),
    *("LOCALIZER", "SCOUT", "SCREEN SAVE", "CSA REPORT"),
    *("MPR", "MIP", "PROJECTION IMAGE", "B0 MAP", "TTEST", "GLM", "MEAN", "STDDEV", "SUBTRACT"),
    *("ADC", "FA", "TRACEW", "DIFFUSION", "PERFUSION", "T2 MAP", "T2_STAR MAP", "T1 MAP"),
}
_GE_IMAGE, _GE_COMPONENT = (0x0043, 0x102F), {1: "PHASE", 2: "REAL", 3: "IMAGINARY"}
_PHILIPS_SCALE_SLOPE = (0x2005, 0x100E)


def dataset(name: str, raw: bytes) -> Any:
    """Header and pixels of the DICOM file `name`, whole and of a magnitude image.

    Lengths in the file are held to the bytes that are there, so a header that promises much
    costs nothing.

    Raises
    ------
    Foreign
        Another kind of image, or one stored compressed.
    Unfinished
        The file ends before its pixels do.
    """
    if _DEFLATED in raw:  # before it is opened: a small file may inflate to any size
        raise Foreign(f"{name} is deflated DICOM: have the scanner export without compression")
    found = dcmread(BytesIO(raw))
    sop_class = found.get("SOPClassUID")
    other = sop_class in UID_dictionary and sop_class not in _MR  # a cut one is not in there
    if "PixelData" not in found and not other:
        raise Unfinished(f"{name} ends before its pixels")
    if other:
        raise Foreign(f"{name} is no MR image but {sop_class.name}")
    syntax = found.file_meta.TransferSyntaxUID
    if syntax not in _PLAIN:
        raise Foreign(
            f"{name} is compressed ({syntax.name!r}): have the scanner export without compression"
        )
    odd = odd_type(found.get("ImageType")) or _GE_COMPONENT.get(private(found, _GE_IMAGE))
    if odd:
        raise Foreign(f"{name} is no functional magnitude image: its type says {odd}")
    return found


def odd_type(image_type: Any) -> str:
    """What in an image's or a frame's type rules out a functional magnitude image; else empty."""
    return min(_NOT_FUNCTIONAL.intersection(words(image_type)), default="")


def private(found: Any, tag: tuple[int, int]) -> Any:
    """Value of a vendor's element, at the block where the vendor's scanners put it, or None."""
    return found[tag].value if tag in found else None


def words(value: Any) -> list[str]:
    """Upper-case words of a text element, which may hold none, one or several."""
    several = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    return [str(one).upper() for one in several if one is not None]


def pixels(name: str, found: Any) -> NDArray[np.generic]:
    """Stored values (frames, rows, columns), as many as the header says and the file has.

    Raises
    ------
    Foreign
        Colours, or values of other than 16 bits.
    Unfinished
        The file has fewer.
    """
    if int(found.get("SamplesPerPixel", 1)) != 1 or int(found.BitsAllocated) != 16:
        raise Foreign(f"{name} has colours or {found.BitsAllocated} bits a pixel: 16 bits are read")
    shape = tuple(int(n) for n in (found.get("NumberOfFrames") or 1, found.Rows, found.Columns))
    if min(shape) < 1:
        raise Foreign(f"{name} says that it has {shape} frames, rows and columns")
    n_bytes = 2 * shape[0] * shape[1] * shape[2]
    stored = bytes_of(found.PixelData)
    if len(stored) < n_bytes:
        raise Unfinished(f"{name} has {len(stored)} of the {n_bytes} bytes of its pixels")
    order = "<" if found.original_encoding[1] else ">"
    kind = order + ("i2" if int(found.PixelRepresentation) else "u2")
    return np.frombuffer(stored[:n_bytes], kind).reshape(shape)


def bytes_of(value: Any) -> bytes:
    """Value of a binary element; what is not binary is taken as empty."""
    return value if isinstance(value, bytes) else b""


def scale(found: Any, rescale: Any) -> tuple[float, float]:
    """Slope and intercept from stored values to the scanner's, of a dataset and its rescale item.

    Philips's displayed values differ from its measured ones by a slope of its own, which dcm2niix
    takes out too.
    """
    slope = number(rescale.get("RescaleSlope"), 1.0)
    intercept = number(rescale.get("RescaleIntercept"), 0.0)
    precise = number(private(found, _PHILIPS_SCALE_SLOPE), 0.0)
    return (1 / precise, intercept / (slope * precise)) if precise and slope else (slope, intercept)


def scaled(
    stored: NDArray[np.generic], slope: float = 1.0, intercept: float = 0.0
) -> NDArray[np.generic]:
    """Values int16 where they are stored whole and fit, float32 otherwise."""
    if (slope, intercept) != (1.0, 0.0):
        return (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    fits = stored.dtype.kind == "i" or stored.size == 0 or stored.max() <= np.iinfo(np.int16).max
    return stored.astype(np.int16 if fits else np.float32)


def number(value: Any, default: float = nan) -> float:
    """A number element, or `default` where it is missing, empty or not finite."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return default
    return found if np.isfinite(found) else default


def seconds_since_midnight(time: Any) -> float:
    """Of a DICOM time HHMMSS.ffffff, or of the time in a date and time; nan where there is none."""
    text = str(time or "")
    match = re.fullmatch(r"(?:\d{8})?(\d\d)(\d\d)(\d\d(?:\.\d+)?)(?:[+-]\d{4})?", text)
    if match is None:
        return nan
    hours, minutes, seconds = match.groups()
    return 3600.0 * int(hours) + 60.0 * int(minutes) + float(seconds)


def date(value: Any) -> str:
    """YYYYMMDD of a DICOM date, or of a date and time; empty where there is none."""
    match = re.match(r"\d{8}", str(value or ""))
    return match.group() if match else ""


def axes(name: str, orientation: Any, spacing: Any, thickness: float) -> Floats:
    """Steps (3, 3) of column, row and slice as columns, in DICOM's millimetres (LPS+)."""
    across, down = (way / np.linalg.norm(way) for way in np.array(orientation, float).reshape(2, 3))
    between_rows, between_columns = (float(mm) for mm in spacing)
    normal = np.cross(across, down)
    steps = np.column_stack([across * between_columns, down * between_rows, normal * thickness])
    if not np.isfinite(steps).all() or abs(np.linalg.det(steps)) < 1e-6:
        raise Foreign(f"{name} has no usable orientation, spacing or thickness")
    return steps


def nifti_order(
    frames: NDArray[np.generic], steps: Floats, corner: Floats
) -> tuple[NDArray[np.generic], Floats]:
    """Voxels (i, j, k) and affine as dcm2niix has them, of frames (slices, rows, columns).

    NIfTI's j runs against DICOM's rows, and its x and y against DICOM's; the slices come along
    the normal (columns x rows). docs/bridge.md, "Voxel order".

    Raises
    ------
    Foreign
        A corner that is no number.
    """
    affine = np.eye(4)
    affine[:3, :3] = steps * [1, -1, 1]
    affine[:3, 3] = corner + steps[:, 1] * (frames.shape[1] - 1)
    affine[:2] *= -1
    if not np.isfinite(affine).all():
        raise Foreign("the image's position is none")
    return np.ascontiguousarray(frames[:, ::-1].transpose(2, 1, 0)), affine
