"""Philips PAR/REC: a text header and its voxels, one pair a volume or a run."""

import hashlib
import re
from io import StringIO
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from nibabel import parrec
from numpy.typing import NDArray

from rtrecon.bridge.piece import Foreign, Piece, Unfinished

_END = "END OF DATA DESCRIPTION FILE"
_MAX_HEADER_BYTES = 64 << 20
_MAX_REC_BYTES = 4 << 30
_MAGNITUDE = (0, 16)  # 16 and 17 are a research export's magnitude and phase
_SHORTEST_TR_MS = 50.0  # a research export leaves 1 there
_COUNTS = {
    "max_echoes": "echo number",
    "max_dynamics": "dynamic scan number",
    "max_diffusion_values": "diffusion b value number",
    "max_gradient_orient": "gradient orientation number",
}


def read_par_rec(path: Path) -> list[Piece]:
    """The magnitude volumes of a pair, handed as either of its two files.

    Voxels are in nibabel's order and scaled to what the console shows. Where every file has but
    one time point the volume's number is the last in the file's name.
    """
    par, rec = _beside(path, ".par"), _beside(path, ".rec")
    if par.stat().st_size > _MAX_HEADER_BYTES:
        raise Foreign(f"{par.name} is no PAR file: it has {par.stat().st_size >> 20} MiB")
    text = par.read_bytes().decode("latin-1")
    if _END not in text:
        raise Unfinished(f"{par.name} ends before its last line")
    try:
        info, images = parrec.parse_PAR_header(StringIO(text))
        planned, n_echoes = int(info["max_dynamics"]), int(info["max_echoes"])
        header = _header(info, images)
        shape, order = header.get_data_shape(), header.get_sorted_slice_indices()
        slopes, intercepts = header.get_data_scaling()
        affine = np.array(header.get_affine(), float)
    except Exception as error:  # nibabel raises of all trees
        told = " ".join(str(error).split())
        raise Foreign(f"{par.name} cannot be read: {type(error).__name__}: {told}") from error
    if not all(np.isfinite(part).all() for part in (affine, slopes, intercepts)):
        raise Foreign(f"{par.name} has no usable geometry or scaling")
    stored = _stored(rec, images, shape)[..., order].reshape((*shape, 1)[:4], order="F")
    slopes, intercepts = (s.reshape(1, 1, shape[2], -1) for s in (slopes, intercepts))
    heads = images[order][:: shape[2]]
    series, from_name = _name_and_number(par.stem, planned)
    kept = [at for at, head in enumerate(heads) if int(head["image_type_mr"]) in _MAGNITUDE]
    if not kept:
        raise Foreign(f"{par.name} has no magnitude images")
    pieces = [
        Piece(
            series=series,
            description=str(info.get("protocol_name") or "PAR/REC"),
            volume=int(heads[at]["dynamic scan number"]) - 1 if from_name is None else from_name,
            slice=0,
            slices=1,
            data=(stored[..., at] * slopes[..., at] + intercepts[..., at]).astype(np.float32),
            affine=affine,
            tr_s=_tr_s(info),
            echo=int(heads[at]["echo number"]),
            echo_s=_echo_s(float(heads[at]["echo_time"])),
            volumes=planned if planned > 1 else None,
            echoes=n_echoes,
        )
        for at in kept
    ]
    if min(min(piece.volume + 1, piece.echo) for piece in pieces) < 1:
        raise Foreign(f"{par.name} does not count its time points and echoes from 1")
    if len({(piece.volume, piece.echo) for piece in pieces}) < len(pieces):
        raise Foreign(f"{par.name} has several images of one time point and echo")
    return pieces


def _beside(path: Path, suffix: str) -> Path:
    """The file of the pair with `suffix`, however it is spelt; the other one may be yet to come."""
    for spelt in (path.suffix if path.suffix.lower() == suffix else suffix, suffix.upper()):
        if (found := path.with_suffix(spelt)).exists():
            return found
    raise Unfinished(f"{path.name} is there, its {suffix[1:].upper()} file is not yet")


def _header(info: dict[str, Any], images: NDArray[Any]) -> parrec.PARRECHeader:
    """nibabel's, of the images that are there: a pair a volume is no cut run, whole volumes are.

    A research export leaves the general section's geometry empty; the images then have it.
    """
    info |= {name: len(set(images[column])) for name, column in _COUNTS.items() if name in info}
    if not np.any(info["angulation"]) and not np.any(info["off_center"]):
        info["angulation"] = images["image angulation"].mean(axis=0)
        info["off_center"] = images["image offcentre"].mean(axis=0)
    return parrec.PARRECHeader(info, images, strict_sort=True)


def _stored(rec: Path, images: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Stored values (x, y, images) in the header's order of images."""
    n_images, bits = len(images), int(images["image pixel size"][0])
    n_bytes = n_images * int(shape[0]) * int(shape[1]) * bits // 8
    size = rec.stat().st_size
    if n_bytes > _MAX_REC_BYTES:
        raise Foreign(f"{rec.name} would have {n_bytes} bytes: runs have less")
    if size < n_bytes:
        raise Unfinished(f"{rec.name} has {size} of {n_bytes} bytes")
    if size > n_bytes or n_bytes == 0:
        raise Foreign(f"{rec.name} has {size} bytes, where its header says {n_bytes}")
    index = images["index in REC file"]
    if not np.array_equal(np.sort(index), np.arange(n_images)):
        raise Foreign(f"{rec.name}: its header does not say where each image is")
    stored = np.frombuffer(rec.read_bytes(), f"<u{bits // 8}", n_bytes * 8 // bits)
    return stored.reshape((shape[0], shape[1], n_images), order="F")[..., index]


def _tr_s(info: dict[str, Any]) -> float:
    tr_ms = float(np.atleast_1d(info["repetition_time"])[0])
    return tr_ms / 1000 if tr_ms >= _SHORTEST_TR_MS else nan


def _echo_s(echo_time: float) -> float:
    """From milliseconds; a research export has it in seconds."""
    if echo_time <= 0:
        return nan
    return echo_time if echo_time < 1 else echo_time / 1000


def _name_and_number(stem: str, planned: int) -> tuple[str, int | None]:
    """What tells the series apart, and the volume's number where the name has it.

    Philips names files after the person: only a digest of the name is kept.
    """
    match = re.fullmatch(r"(.*?)(\d{1,9})(\D*)", stem) if planned == 1 else None
    name, number = (match[1] + match[3], int(match[2])) if match else (stem, None)
    return f"PAR/REC {hashlib.sha256(name.encode()).hexdigest()[:12]}", number
