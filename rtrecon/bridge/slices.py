"""Classic DICOM with one slice a file, as GE, Philips and others export it."""

from math import nan
from typing import Any

import numpy as np

from rtrecon.bridge.dicom import (
    axes,
    date,
    nifti_order,
    number,
    pixels,
    private,
    scale,
    scaled,
    seconds_since_midnight,
)
from rtrecon.bridge.piece import Foreign, Piece

_GE_LOCATIONS, _GE_ECHOES, _GE_TIMER = (0x0021, 0x104F), (0x0019, 0x107E), (0x0021, 0x105E)
_PHILIPS_SLICES, _PHILIPS_SLICE = (0x2001, 0x1018), (0x2001, 0x100A)


def read_slice(name: str, found: Any) -> list[Piece]:
    """The slice in a file.

    Its number is its place in the volume by the header's count, along or against the normal: from
    one file alone that is not to be seen. `stack.volume_of` puts slices by position.
    """
    n_slices, n_volumes = _n_slices(name, found), _count(found.get("NumberOfTemporalPositions"))
    if n_volumes == 1:
        raise Foreign(f"{name} is of a series of one volume")
    volume, place = _volume_and_place(name, found, n_slices, n_volumes)
    spacing = number(found.get("SpacingBetweenSlices"), number(found.get("SliceThickness")))
    steps = axes(name, found.ImageOrientationPatient, found.PixelSpacing, spacing)
    corner = np.array(found.ImagePositionPatient, float)
    data, affine = nifti_order(pixels(name, found)[:1], steps, corner)
    tr_s = number(found.get("RepetitionTime")) / 1000
    return [
        Piece(
            series=str(found.SeriesInstanceUID),
            description=str(found.get("SeriesDescription", "")),
            volume=volume,
            slice=place,
            slices=n_slices,
            data=scaled(data, *scale(found, found)),
            affine=affine,
            tr_s=tr_s,
            echo=max(_count(found.get("EchoNumbers")), 1),
            echo_s=number(found.get("EchoTime")) / 1000,
            slice_times_s=_slice_time_s(found, volume, tr_s),
            acquired_s=_acquired_s(found),
            acquired_date=date(found.get("AcquisitionDate")),
            volumes=n_volumes or None,
            echoes=_count(private(found, _GE_ECHOES)) or None,
            field_t=number(found.get("MagneticFieldStrength")),
        )
    ]


def _count(value: Any) -> int:
    return max(int(number(value, 0)), 0)


def _n_slices(name: str, found: Any) -> int:
    """Slices of a volume, by the vendor's element or by the images and volumes of the whole."""
    of_vendor = _count(private(found, _GE_LOCATIONS)) or _count(private(found, _PHILIPS_SLICES))
    images = _count(found.get("ImagesInAcquisition"))
    volumes = max(_count(found.get("NumberOfTemporalPositions")), 1)
    n_slices = of_vendor or (images // volumes if images % volumes == 0 else images)
    if n_slices < 2:
        raise Foreign(f"{name} does not say how many slices make a volume")
    return n_slices


def _volume_and_place(name: str, found: Any, n_slices: int, n_volumes: int) -> tuple[int, int]:
    """Numbers of volume and slice, from 0, by the elements made for them or by the image's number.

    A GE image's number counts slices, then volumes; where it counts volumes first, as some of
    GE's sequences do, volumes would be mixed up, and the slice's own number tells.
    """
    instance = _count(found.get("InstanceNumber")) - 1
    n_echoes = max(_count(private(found, _GE_ECHOES)), 1)
    stated = _count(found.get("InStackPositionNumber")) or _count(private(found, _PHILIPS_SLICE))
    temporal = _count(found.get("TemporalPositionIdentifier"))
    if instance < 0 and not (stated and temporal):
        raise Foreign(f"{name} has no image number")
    place = stated - 1 if 1 <= stated <= n_slices else instance % n_slices
    if temporal:
        return temporal - 1, place
    by_volume = {instance % n_slices, n_slices - 1 - instance % n_slices}
    if n_echoes == 1 and n_volumes and place not in by_volume and place == instance // n_volumes:
        raise Foreign(f"{name} is numbered slice by slice: have the scanner export by volume")
    return instance // (n_slices * n_echoes), place


def _slice_time_s(found: Any, volume: int, tr_s: float) -> tuple[float, ...]:
    """When the slice is acquired after its volume's start; GE alone tells, and not always."""
    time_s = number(private(found, _GE_TIMER)) - volume * tr_s
    return (time_s,) if 0 < time_s < tr_s else ()


def _acquired_s(found: Any) -> float:
    """Start of the volume's acquisition; GE and Philips write that of the whole run there."""
    maker = str(found.get("Manufacturer", "")).upper()
    if maker.startswith(("GE", "PHILIPS")):
        return nan
    return seconds_since_midnight(found.get("AcquisitionTime"))
