"""Enhanced multi-frame DICOM (Siemens XA, Philips): a volume or a whole run a file."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtrecon.bridge.dicom import (
    Floats,
    axes,
    date,
    nifti_order,
    number,
    odd_type,
    pixels,
    scale,
    scaled,
    seconds_since_midnight,
)
from rtrecon.bridge.piece import Foreign, Piece, Unfinished

_EMPTY: dict[str, Any] = {}
_SAME_PLACE_MM = 0.01


@dataclass(frozen=True)
class _Frame:
    """One frame's place in the file, in time and in space."""

    index: int
    number: int  # of its acquisition or its time point, from 1; 0 where it has none
    echo_ms: float
    order: tuple[int, ...]  # in time, among the frames of one place
    corner: Floats
    scale: tuple[float, float]
    acquired: str  # DICOM date and time


def is_enhanced(found: Any) -> bool:
    """Whether the file has a header for each of its frames."""
    return "PerFrameFunctionalGroupsSequence" in found


def read_enhanced(name: str, found: Any) -> list[Piece]:
    """Volumes of the magnitude frames, by echo, then by time.

    A file of one volume bears its number as that of an acquisition, of a time point or, with
    neither counted, of the file; a run in one file is counted as its frames are in time.
    """
    stored = pixels(name, found)  # holds the number of frames to the file's length
    headers = list(found.PerFrameFunctionalGroupsSequence)
    if len(headers) != len(stored):
        raise Unfinished(f"{name} describes {len(headers)} of {len(stored)} frames")
    shared = (found.get("SharedFunctionalGroupsSequence") or [_EMPTY])[0]
    kept = [index for index, header in enumerate(headers) if _is_magnitude(header, shared)]
    if not kept:
        raise Foreign(f"{name} has no magnitude frames")
    steps = _steps(name, [headers[index] for index in kept], shared)
    echoes = defaultdict(list)
    for index in kept:
        frame = _frame(index, found, headers[index], shared)
        echoes[frame.echo_ms].append(frame)
    only_echo = max(int(number(found.get("EchoNumbers"), 1)), 1) if len(echoes) == 1 else None
    tr_ms = _item(headers[0], shared, "MRTimingAndRelatedParametersSequence").get("RepetitionTime")
    return [
        _piece(name, found, stored, frames, steps, volume, n_volumes, echo_tr)
        for echo, echo_ms in enumerate(sorted(echoes), 1)
        for volume, n_volumes, frames in _volumes(name, found, echoes[echo_ms], steps)
        for echo_tr in [(only_echo or echo, number(tr_ms) / 1000)]
    ]


def _item(header: Any, shared: Any, sequence: str) -> Any:
    """A frame's item of a functional group, or the one that all frames share."""
    return (header.get(sequence) or shared.get(sequence) or [_EMPTY])[0]


def _is_magnitude(header: Any, shared: Any) -> bool:
    kind = _item(header, shared, "MRImageFrameTypeSequence")
    component = str(kind.get("ComplexImageComponent", "MAGNITUDE")).upper()
    return component in ("MAGNITUDE", "MIXED") and not odd_type(kind.get("FrameType"))


def _steps(name: str, headers: Sequence[Any], shared: Any) -> Floats:
    """Of the grid that all frames have in common."""
    measures = _item(headers[0], shared, "PixelMeasuresSequence")
    orientations = np.array(
        [_item(h, shared, "PlaneOrientationSequence").ImageOrientationPatient for h in headers],
        float,
    )
    if np.ptp(orientations, axis=0).max() > 1e-3:
        raise Foreign(f"{name} has frames of several orientations, as localizers do")
    spacing = number(measures.get("SpacingBetweenSlices"), number(measures.get("SliceThickness")))
    return axes(name, orientations[0], measures.PixelSpacing, spacing)


def _frame(index: int, found: Any, header: Any, shared: Any) -> _Frame:
    content = _item(header, shared, "FrameContentSequence")
    acquisition, temporal = (
        int(number(content.get(key), 0))
        for key in ("FrameAcquisitionNumber", "TemporalPositionIndex")
    )
    dimensions = content.get("DimensionIndexValues") or ()
    return _Frame(
        index=index,
        number=max(acquisition, temporal),
        echo_ms=number(_item(header, shared, "MREchoSequence").get("EffectiveEchoTime"), 0.0),
        order=(temporal, acquisition, *(int(n) for n in np.atleast_1d(dimensions)), index),
        corner=np.array(_item(header, shared, "PlanePositionSequence").ImagePositionPatient, float),
        scale=scale(header, _item(header, shared, "PixelValueTransformationSequence")),
        acquired=str(content.get("FrameAcquisitionDateTime") or ""),
    )


def _volumes(
    name: str, found: Any, frames: Sequence[_Frame], steps: Floats
) -> list[tuple[int, int | None, list[_Frame]]]:
    """Number, planned count and frames (by place along the normal) of each volume of one echo."""
    normal = steps[:, 2] / np.linalg.norm(steps[:, 2])
    places = defaultdict(list)
    for frame in frames:
        places[round(float(frame.corner @ normal) / _SAME_PLACE_MM)].append(frame)
    in_time = [sorted(places[place], key=lambda frame: frame.order) for place in sorted(places)]
    if len({len(of_place) for of_place in in_time}) != 1:
        raise Unfinished(f"{name}: its {len(frames)} frames do not make whole volumes")
    volumes = [list(volume) for volume in zip(*in_time, strict=True)]
    if len(volumes) > 1:
        return [(at, len(volumes), volume) for at, volume in enumerate(volumes)]
    planned = int(number(found.get("NumberOfTemporalPositions"), 0))
    return [(_number(found, volumes[0][0]) - 1, planned or None, volumes[0])]


def _number(found: Any, frame: _Frame) -> int:
    """Of a file's only volume, from 1: what counts volumes exceeds 1 before long."""
    counted = max(frame.number, int(number(found.get("AcquisitionNumber"), 0)))
    return counted if counted > 1 else max(int(number(found.get("InstanceNumber"), 1)), 1)


def _piece(
    name: str,
    found: Any,
    stored: NDArray[np.generic],
    frames: Sequence[_Frame],
    steps: Floats,
    volume: int,
    volumes: int | None,
    echo_tr: tuple[int, float],
) -> Piece:
    chosen = stored[[frame.index for frame in frames]]
    data, affine = nifti_order(
        _scaled(chosen, frames), _spanning(name, frames, steps), frames[0].corner
    )
    times = [seconds_since_midnight(frame.acquired) for frame in frames]
    return Piece(
        series=str(found.SeriesInstanceUID),
        description=str(found.get("SeriesDescription", "")),
        volume=volume,
        slice=0,
        slices=1,
        data=data,
        affine=affine,
        tr_s=echo_tr[1],
        echo=echo_tr[0],
        echo_s=frames[0].echo_ms / 1000 or nan,
        slice_times_s=_slice_times_s(times),
        acquired_s=min(times),
        acquired_date=date(min(frame.acquired for frame in frames)),
        volumes=volumes,
        field_t=number(found.get("MagneticFieldStrength")),
    )


def _scaled(chosen: NDArray[np.generic], frames: Sequence[_Frame]) -> NDArray[np.generic]:
    if len({frame.scale for frame in frames}) == 1:
        return scaled(chosen, *frames[0].scale)
    slopes, intercepts = np.array([frame.scale for frame in frames]).T[:, :, None, None]
    return (chosen * slopes + intercepts).astype(np.float32)


def _spanning(name: str, frames: Sequence[_Frame], steps: Floats) -> Floats:
    """Steps with the third from slice to slice, as the frames' own places have it."""
    if len(frames) == 1:
        raise Foreign(f"{name} has one slice a volume, as localizers do")
    corners = np.array([frame.corner for frame in frames])
    between = np.diff(corners, axis=0)
    if np.abs(between - between.mean(axis=0)).max() > 0.05 * np.linalg.norm(between[0]):
        raise Foreign(f"{name}: its slices are not evenly apart")
    return np.column_stack([steps[:, :2], between.mean(axis=0)])


def _slice_times_s(times: Sequence[float]) -> tuple[float, ...]:
    """After the volume's start; empty where frames do not have times of their own."""
    if not np.isfinite(times).all() or np.ptp(times) == 0:
        return ()
    return tuple(float(time - min(times)) for time in times)
