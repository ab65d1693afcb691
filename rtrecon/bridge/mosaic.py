"""Siemens mosaic DICOM: one volume a file, its slices laid out as tiles of one picture."""

import re
import struct
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtrecon.bridge.dicom import (
    Floats,
    axes,
    bytes_of,
    date,
    nifti_order,
    number,
    pixels,
    private,
    scale,
    scaled,
    seconds_since_midnight,
    words,
)
from rtrecon.bridge.piece import Foreign, Piece, Unfinished

_MAX_TAGS, _MAX_ITEMS = 256, 1024
_CSA, _CSA_SERIES = (0x0029, 0x1010), (0x0029, 0x1020)
_N_SLICES, _SLICE_TIMES = (0x0019, 0x100A), (0x0019, 0x1029)


def is_mosaic(found: Any) -> bool:
    """Whether the picture is made of tiles."""
    return "MOSAIC" in words(found.get("ImageType"))


def read_mosaic(name: str, found: Any) -> list[Piece]:
    """The volume in a mosaic."""
    csa = csa_header(bytes_of(private(found, _CSA)))
    n_slices = int(number((csa.get("NumberOfImagesInMosaic") or [private(found, _N_SLICES)])[0], 0))
    tiles = _tiles(name, pixels(name, found)[0], n_slices)
    spacing = number(found.get("SpacingBetweenSlices"), number(found.get("SliceThickness")))
    steps = axes(name, found.ImageOrientationPatient, found.PixelSpacing, spacing)
    corner = _corner(found, tiles.shape, steps)
    times_s = _slice_times_s(found, csa, n_slices)
    if _runs_against_normal(csa, steps):  # dcm2niix leaves the tiles' order too
        steps = steps * [1, 1, -1]
    data, affine = nifti_order(tiles, steps, corner)
    protocol = bytes_of(private(found, _CSA_SERIES))
    repetitions = _stated(protocol, b"lRepetitions")
    return [
        Piece(
            series=str(found.SeriesInstanceUID),
            description=str(found.get("SeriesDescription", "")),
            volume=_volume(name, found),
            slice=0,
            slices=1,
            data=scaled(data, *scale(found, found)),
            affine=affine,
            tr_s=number(found.get("RepetitionTime")) / 1000,
            echo=max(int(number(found.get("EchoNumbers"), 1)), 1),
            echo_s=number(found.get("EchoTime")) / 1000,
            slice_times_s=times_s,
            acquired_s=seconds_since_midnight(found.get("AcquisitionTime")),
            acquired_date=date(found.get("AcquisitionDate")),
            volumes=None if repetitions is None else repetitions + 1,
            echoes=_stated(protocol, b"lContrasts"),
            field_t=number(found.get("MagneticFieldStrength")),
        )
    ]


def _volume(name: str, found: Any) -> int:
    numbers = (number(found.get(key), 0) for key in ("AcquisitionNumber", "InstanceNumber"))
    first = next((int(n) for n in numbers if n >= 1), None)
    if first is None:
        raise Foreign(f"{name} has neither an acquisition nor an instance number")
    return first - 1


def _tiles(name: str, picture: NDArray[np.generic], n_slices: int) -> NDArray[np.generic]:
    """Slices (slices, rows, columns) of the picture; tiles fill it row by row."""
    if n_slices < 1:
        raise Unfinished(f"{name} does not say how many slices its mosaic has")
    side = ceil(sqrt(n_slices))
    if side > min(picture.shape) or picture.shape[0] % side or picture.shape[1] % side:
        raise Foreign(f"{name}: a mosaic of {picture.shape} cannot hold {n_slices} slices")
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    tiles = picture.reshape(side, rows, side, columns).swapaxes(1, 2)
    return tiles.reshape(-1, rows, columns)[:n_slices]


def _corner(found: Any, shape: tuple[int, ...], steps: Floats) -> Floats:
    """Of the first slice; the header's is that of a slice as large as the mosaic."""
    surplus = np.array([int(found.Columns) - shape[2], int(found.Rows) - shape[1]]) / 2
    return np.array(found.ImagePositionPatient, float) + steps[:, :2] @ surplus


def _runs_against_normal(csa: dict[str, list[str]], steps: Floats) -> bool:
    normal = [number(part) for part in csa.get("SliceNormalVector", [])]
    return len(normal) == 3 and float(np.dot(normal, steps[:, 2])) < 0


def _slice_times_s(found: Any, csa: dict[str, list[str]], n_slices: int) -> tuple[float, ...]:
    """Of the tiles in their order; empty where the header does not say."""
    times = csa.get("MosaicRefAcqTimes") or private(found, _SLICE_TIMES)
    times_ms = [number(time) for time in np.atleast_1d(times)] if times is not None else []
    if len(times_ms) < n_slices or not np.isfinite(times_ms).all():
        return ()
    first = min(times_ms[:n_slices])  # a few sequences count from elsewhere
    return tuple((time - first) / 1000 for time in times_ms[:n_slices])


def _stated(protocol: bytes, what: bytes) -> int | None:
    """A count in the protocol's text, which Siemens keeps among binary data."""
    match = re.search(rb"\b" + what + rb"\s*=\s*(\d{1,6})\b", protocol)
    return int(match.group(1)) if match else None


def csa_header(raw: bytes) -> dict[str, list[str]]:
    """Texts by name of Siemens's own header (0029,1010), of either of its two layouts.

    Every length is held to the bytes that are there; what is left at a wrong one is not read.
    https://nipy.org/nibabel/dicom/siemens_csa.html
    """
    second = raw[:4] == b"SV10"
    at = 8 if second else 0
    found: dict[str, list[str]] = {}
    try:
        (n_tags,) = struct.unpack_from("<I", raw, at)
        at += 8
        for _ in range(min(n_tags, _MAX_TAGS)):
            name, n_items = _tag(raw, at)
            at, items = _items(raw, at + 84, n_items, second)
            found[name] = items
    except (struct.error, IndexError):
        pass
    return found


def _tag(raw: bytes, at: int) -> tuple[str, int]:
    name, _, _, _, n_items, _ = struct.unpack_from("<64si4siii", raw, at)
    return name.split(b"\0")[0].decode("latin-1"), min(n_items, _MAX_ITEMS)


def _items(raw: bytes, at: int, n_items: int, second: bool) -> tuple[int, list[str]]:
    """Where the tag ends, and its texts that are not empty."""
    items, base = [], None
    for _ in range(n_items):
        lengths = struct.unpack_from("<4i", raw, at)
        base = lengths[0] if base is None else base
        # the first layout counts all tags' items together
        length = lengths[1] if second else lengths[0] - base
        at += 16
        if not 0 <= length <= len(raw) - at:
            raise IndexError(length)
        items.append(raw[at : at + length].split(b"\0")[0].decode("latin-1").strip())
        at += length + -length % 4
    return at, [item for item in items if item]
