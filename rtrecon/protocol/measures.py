"""What is measured of a decoded volume: one number, or why there is none."""

import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from rtrecon.artifact import Artifact
from rtrecon.errors import BadConfig, BadInput
from rtrecon.protocol.blocks import Blocks
from rtrecon.protocol.settings import ProtocolSettings
from rtrecon.types import Decoded, Pattern, Trial

log = logging.getLogger(__name__)

SIMILARITY, PROBABILITY, REGION = MEASURES = ("similarity", "probability", "region")
_AFFINE_MM = 0.01  # further apart than this, a mask lies elsewhere
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class Measured(NamedTuple):
    """A raw measure. `of`: what was measured; `fault`: why `raw` is nan, empty where it is not."""

    raw: float
    of: str
    fault: str = ""


class Similarity:
    """How alike the decoded conditioning and a target's are, -1 to 1: the cosine of the two, both
    less the mean of what the decoder was fitted on.

    Parameters
    ----------
    mean : float32 (n_targets,)
    targets : mapping of str to float32 (n_targets,)
        Conditionings by name.
    """

    def __init__(
        self, mean: NDArray[np.float32], targets: Mapping[str, NDArray[np.float32]]
    ) -> None:
        self._mean = mean.astype(np.float64)
        self._targets = {name: self._direction(c) for name, c in targets.items()}

    def __call__(self, decoded: Decoded, pattern: Pattern, target: str) -> Measured:
        """Measure one decoded volume."""
        of = f"similarity to {target}"
        if target not in self._targets:
            return Measured(nan, of, f"'{target}' is no target")
        return Measured(float(self._direction(decoded.c) @ self._targets[target]), of)

    def _direction(self, c: NDArray[np.float32]) -> NDArray[np.float64]:
        centred = c.ravel().astype(np.float64) - self._mean
        return centred / max(float(np.linalg.norm(centred)), 1e-12)


class Probability:
    """The probability of a candidate."""

    def __init__(self, candidates: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(candidates)}

    def __call__(self, decoded: Decoded, pattern: Pattern, target: str) -> Measured:
        """Measure one decoded volume."""
        of = f"probability of {target}"
        if target not in self._places:
            return Measured(nan, of, f"'{target}' is no candidate")
        return Measured(float(decoded.probabilities[self._places[target]]), of)


class Region:
    """Mean evidence over some of the decoder's voxels, in units of `Pattern.voxels`.

    Parameters
    ----------
    name : str
    inside : bool (n_voxels,)
    """

    def __init__(self, name: str, inside: NDArray[np.bool_]) -> None:
        self._of, self._inside = f"activity of {name}", inside

    def __call__(self, decoded: Decoded, pattern: Pattern, target: str) -> Measured:
        """Measure one volume's pattern."""
        return Measured(float(np.mean(pattern.voxels[self._inside], dtype=np.float64)), self._of)


Measure = Similarity | Probability | Region


def targets_of(settings: ProtocolSettings, blocks: Blocks) -> list[str]:
    """All targets that are named, each once."""
    return sorted({settings.target, *blocks.targets} - {""})


def check_measure(
    settings: ProtocolSettings, blocks: Blocks, artifact: Artifact, free_viewing: bool
) -> None:
    """Refuse a measure that this decoder cannot give.

    Raises
    ------
    BadConfig
    """
    if settings.measure not in MEASURES:
        raise BadConfig(
            f"[protocol] measure = {settings.measure!r}: must be one of {', '.join(MEASURES)}"
        )
    targets = targets_of(settings, blocks)
    if settings.measure == REGION:
        _check_region(settings, targets)
    elif settings.region:
        raise BadConfig(f"[protocol] region is for measure = {REGION!r}: leave it out")
    elif free_viewing and not settings.target and "" in blocks.targets:
        raise BadConfig("[protocol] target: free viewing has no trial types: name a target")
    unknown = [target for target in targets if target not in artifact.candidates]
    if settings.measure == PROBABILITY and unknown:
        raise BadConfig(
            f"[protocol] target = {unknown[0]!r}: must be one of the decoder's candidates, "
            f"{', '.join(artifact.candidates)}"
        )


def _check_region(settings: ProtocolSettings, targets: Sequence[str]) -> None:
    if not settings.region:
        raise BadConfig('[protocol] region is missing: "early", "ventral" or a NIfTI mask')
    if targets:
        raise BadConfig(f"[protocol] target = {targets[0]!r}: a region has none: leave it out")


def captions_of(settings: ProtocolSettings, blocks: Blocks, candidates: Sequence[str]) -> list[str]:
    """Targets that the generator has to encode: those that are no candidates."""
    if settings.measure != SIMILARITY:
        return []
    return [target for target in targets_of(settings, blocks) if target not in candidates]


def measure_of(
    settings: ProtocolSettings, artifact: Artifact, captions: Mapping[str, NDArray[np.float32]]
) -> Measure:
    """The measure that a protocol asks for.

    Parameters
    ----------
    settings : ProtocolSettings
    artifact : Artifact
    captions : mapping of str to float32 (*conditioning)
        What `captions_of` names, encoded.

    Raises
    ------
    BadConfig, BadInput
        There is no such region, or no mask of the calibration's space.
    """
    if settings.measure == PROBABILITY:
        return Probability(artifact.candidates)
    if settings.measure == REGION:
        name, inside = Path(settings.region).name, region_of(settings.region, artifact)
        log.info("region %s: %d of the decoder's %d voxels", name, inside.sum(), len(inside))
        return Region(name, inside)
    known = dict(zip(artifact.candidates, artifact.candidate_c, strict=True))
    return Similarity(artifact.c.y_mean, known | dict(captions))


def region_of(region: str, artifact: Artifact) -> NDArray[np.bool_]:
    """Which of the decoder's voxels (n_voxels,) lie in a region.

    Raises
    ------
    BadConfig, BadInput
    """
    if region == "ventral":
        return artifact.c.voxels
    if region == "early":
        if artifact.z is None:
            raise BadConfig(
                f"[protocol] region = \"early\": decoder '{artifact.name}' has no latent decoder and "
                'so no early region: name "ventral" or a mask'
            )
        return artifact.z.voxels
    inside = _mask(Path(region), artifact).ravel(order="F")[artifact.voxels]
    if not inside.any():
        raise BadInput(f"mask {region} holds none of the decoder's voxels: name another")
    return inside


def _mask(file: Path, artifact: Artifact) -> NDArray[np.bool_]:
    """A NIfTI mask (i, j, k) of the calibration's space."""
    try:
        image = nib.load(file)
        _check_space(file, image, artifact)
        inside: NDArray[np.bool_] = np.asarray(image.dataobj) > 0
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
        raise BadInput(
            f'[protocol] region = "{file}" is neither "early" nor "ventral", and cannot be read as a '
            f"NIfTI mask: {error}"
        ) from error
    return inside


def _check_space(file: Path, image: Any, artifact: Artifact) -> None:
    """Before its voxels are read: a header may promise any number of them."""
    if image.shape != artifact.shape:
        raise BadInput(
            f"mask {file} has {image.shape} voxels, the calibration {artifact.shape}: "
            "resample it to the calibration's reference"
        )
    apart_mm = float(np.abs(image.affine - artifact.affine).max())
    if not apart_mm <= _AFFINE_MM:
        raise BadInput(
            f"mask {file} has another affine than the calibration (up to {apart_mm:.3g} apart): "
            "resample it to the calibration's reference"
        )


def target_at(target: str, settings: ProtocolSettings, trial: Trial) -> str:
    """What is aimed at: the block's target, else the protocol's, else the trial's type."""
    return target or settings.target or trial.trial_type
