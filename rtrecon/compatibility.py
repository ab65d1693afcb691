"""Whether a decoder fits a stream and a generative model; refused before anything starts."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rtrecon.artifact import Artifact
from rtrecon.errors import Mismatch
from rtrecon.types import Geometry

_AFFINE_MM = 0.01  # further apart than this, two affines are two positions of the slices
_APART_MM = 40.0  # slices further apart than this show different parts of the head


def check_stream(artifact: Artifact, geometry: Geometry, stream: str) -> None:
    """Refuse a stream that the decoder was not fitted for.

    Raises
    ------
    Mismatch
        Other shape, affine or TR.
    """
    for check in (check_shape, check_position, check_tr):
        check(artifact, geometry, stream)


def check_shape(artifact: Artifact, geometry: Geometry, stream: str) -> str:
    """Refuse volumes of another size; returns what fits, in words.

    Raises
    ------
    Mismatch
    """
    if geometry.shape != artifact.shape:
        raise Mismatch(
            f"decoder '{artifact.name}' expects volumes of {_by(artifact.shape)} voxels, "
            f"stream '{stream}' sends {_by(geometry.shape)}: "
            "scan with the calibration's protocol or refit"
        )
    return f"{_by(geometry.shape)} voxels, as in the calibration"


def check_position(artifact: Artifact, geometry: Geometry, stream: str) -> str:
    """Refuse slices that lie elsewhere in the head; returns what fits, in words.

    Raises
    ------
    Mismatch
    """
    apart_mm = _apart_mm(artifact.shape, artifact.affine, geometry.affine)
    if apart_mm > (_AFFINE_MM if artifact.reference is None else _APART_MM):
        raise Mismatch(
            f"decoder '{artifact.name}' was fitted with another slice position, "
            f"stream '{stream}' is up to {apart_mm:.3g} mm away: "
            "position the slices as in the calibration or refit"
        )
    realigned = "" if artifact.reference is None else ", realigned to it"
    return f"slices within {apart_mm:.2g} mm of the calibration's{realigned}"


def check_tr(artifact: Artifact, geometry: Geometry, stream: str) -> str:
    """Refuse another repetition time; returns what fits, in words.

    Raises
    ------
    Mismatch
    """
    if abs(geometry.tr_s - artifact.tr_s) > 0.005 * artifact.tr_s:
        raise Mismatch(
            f"decoder '{artifact.name}' was fitted at a TR of {artifact.tr_s:g} s, "
            f"stream '{stream}' has {geometry.tr_s:g} s: "
            "scan with the calibration's protocol or refit"
        )
    return f"{geometry.tr_s:g} s, as in the calibration"


def _apart_mm(
    shape: tuple[int, int, int], one: NDArray[np.float64], other: NDArray[np.float64]
) -> float:
    """How far apart the same corner of two head boxes lies at most."""
    corners = np.array([[i, j, k, 1] for i, j, k in product(*((0, n - 1) for n in shape))])
    return float(np.linalg.norm((corners @ (one - other).T)[:, :3], axis=1).max())


def check_generator(artifact: Artifact, name: str, identity: str) -> None:
    """Refuse a generative model whose spaces are not the ones the decoders predict.

    Raises
    ------
    Mismatch
    """
    if identity != artifact.generator.identity:
        raise Mismatch(
            f"decoder '{artifact.name}' was fitted for generator '{artifact.generator.name}' "
            f"({artifact.generator.identity[:12]}), '{name}' is another ({identity[:12]}): "
            "refit with --generator, or load the one it was fitted for"
        )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
