"""A person's fitted decoders on disk: `decoder.safetensors` for arrays, `decoder.json` for the rest.

Nothing read here is executed, and nothing is believed before the file's hash fits.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from rtrecon.bounded import bounded_text
from rtrecon.confidence import Confidence
from rtrecon.errors import BadArtifact
from rtrecon.evidence import Evidence, Model
from rtrecon.free_viewing import FreeViewing
from rtrecon.motion import Realign
from rtrecon.preprocess import Preprocess
from rtrecon.response import Response

T = TypeVar("T")

FORMAT = 3
ARRAYS, ABOUT = "decoder.safetensors", "decoder.json"
_LARGEST = 1e12  # of a number in the description, or in an array
_MOST_TRIALS = 100
_MAPS = ("z", "c", "null.z", "null.c")


@dataclass(frozen=True)
class GeneratorTie:
    """The generative model whose latent and conditioning spaces the decoders predict."""

    name: str
    identity: str  # hash of what defines its two spaces
    latent: tuple[int, int, int]  # (channels, height, width)
    conditioning: tuple[int, int]  # (tokens, features)


@dataclass(frozen=True)
class LinearMap:
    """Ridge weights: prediction = (pattern[:, voxels] - x_mean) @ weights + y_mean.

    Attributes
    ----------
    voxels : bool (n_voxels,)
        Which of the decoder's voxels it reads.
    x_mean : float32 (n_read,)
    weights : float32 (n_read, n_targets)
    y_mean : float32 (n_targets,)
    """

    voxels: NDArray[np.bool_]
    x_mean: NDArray[np.float32]
    weights: NDArray[np.float32]
    y_mean: NDArray[np.float32]

    def __call__(self, pattern: NDArray[np.float32]) -> NDArray[np.float32]:
        """The targets (n_targets,) predicted from one pattern (n_voxels,)."""
        predicted = (pattern[self.voxels] - self.x_mean) @ self.weights + self.y_mean
        return predicted.astype(np.float32, copy=False)


@dataclass(frozen=True)
class Null:
    """Decoders fitted the same way on the same patterns, with the trials' pictures exchanged.

    What they draw is what the method makes of a brain that tells nothing: the control for every
    reconstruction.
    """

    z: LinearMap | None
    c: LinearMap


@dataclass(frozen=True)
class Artifact:
    """Everything a live run needs to know of a person.

    Attributes
    ----------
    name : str
        The person's label.
    shape, affine, tr_s
        Of the calibration's volumes.
    reference : float32 (i, j, k) or None
        What volumes are realigned to; None: they are taken as they lie.
    voxels : int64 (n_voxels,)
        Which voxels of a volume, counted with i fastest.
    sd : float32 (n_voxels,)
        Their noise SD in the calibration.
    response : Response
    model : Model
        What the evidence assumes of every voxel.
    generator : GeneratorTie
    z : LinearMap or None
        To the latent; None where the calibration had captions alone.
    c : LinearMap
        To the conditioning.
    candidates : tuple of str
    candidate_c : float32 (n_candidates, tokens * features)
    confidence : Confidence
        By which scores become probabilities.
    about : mapping
        Versions, data and scores, for people; no code depends on it.
    """

    name: str
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    tr_s: float
    reference: NDArray[np.float32] | None
    voxels: NDArray[np.int64]
    sd: NDArray[np.float32]
    response: Response
    model: Model
    generator: GeneratorTie
    z: LinearMap | None
    c: LinearMap
    null: Null
    candidates: tuple[str, ...]
    candidate_c: NDArray[np.float32]
    confidence: Confidence
    about: Mapping[str, Any]

    def control(self) -> "Artifact":
        """The decoder with its null's maps in place of its own."""
        return replace(self, z=self.null.z, c=self.null.c)

    def preprocess(self, affine: NDArray[np.float64], free_viewing: bool = False) -> Preprocess:
        """What makes this person's patterns of volumes that lie as `affine` (4, 4) says.

        `free_viewing`: of what was seen about 5 s before each volume, without markers.

        Raises
        ------
        BadInput
            Nothing in the reference to realign to.
        """
        realign = (
            None
            if self.reference is None
            else Realign(self.reference, self.affine, self.voxels, moving=affine)
        )
        gather = FreeViewing if free_viewing else Evidence
        evidence = gather(self.sd, self.response, self.model)
        return Preprocess(self.voxels, self.sd, evidence, self.tr_s, realign)


def save_artifact(artifact: Artifact, folder: Path) -> None:
    """Write the decoder folder."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "affine": artifact.affine,
        "voxels": artifact.voxels,
        "sd": artifact.sd,
        "candidate_c": artifact.candidate_c,
    }
    if artifact.reference is not None:
        arrays["reference"] = artifact.reference
    for name, linear in zip(_MAPS, _maps(artifact), strict=True):
        if linear is not None:
            arrays |= {f"{name}.{key}": value for key, value in vars(linear).items()}
    content = save({key: np.ascontiguousarray(value) for key, value in arrays.items()})
    (folder / ARRAYS).write_bytes(content)
    about = {
        "format": FORMAT,
        "sha256": hashlib.sha256(content).hexdigest(),
        "name": artifact.name,
        "shape": artifact.shape,
        "tr_s": artifact.tr_s,
        "response": vars(artifact.response),
        "model": vars(artifact.model),
        "generator": vars(artifact.generator),
        "candidates": artifact.candidates,
        "confidence": vars(artifact.confidence),
        "about": dict(artifact.about),
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def load_artifact(folder: Path) -> Artifact:
    """Read a decoder folder.

    Raises
    ------
    BadArtifact
        Missing, damaged, of a newer format, or at odds with itself.
    """
    try:
        about = json.loads(bounded_text(folder / ABOUT))
        content = (folder / ARRAYS).read_bytes()
    except OSError as error:
        raise BadArtifact(
            f"decoder '{folder}': {error.strerror} ({Path(error.filename).name}): "
            "name a folder that rtrecon-calibrate fit wrote"
        ) from error
    except ValueError as error:
        raise BadArtifact(
            f"decoder '{folder}': {ABOUT} is not JSON ({error}): fit it anew"
        ) from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        version = about.get("format") if isinstance(about, dict) else about
        raise BadArtifact(
            f"decoder '{folder}' is of format {version!r}, this program reads {FORMAT}: fit it anew"
        )
    if hashlib.sha256(content).hexdigest() != about.get("sha256"):
        raise BadArtifact(
            f"decoder '{folder}': {ARRAYS} is damaged (its hash differs): fit it anew"
        )
    try:
        artifact = _build(about, load(content))
        _check(artifact)
    except (
        KeyError, TypeError, ValueError, IndexError, OverflowError, SafetensorError,
    ) as error:  # fmt: skip
        raise BadArtifact(
            f"decoder '{folder}' is at odds with itself ({error!r}): fit it anew"
        ) from error
    return artifact


def _build(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Artifact:
    def linear(name: str) -> LinearMap:
        return LinearMap(*(arrays[f"{name}.{key}"] for key in LinearMap.__annotations__))

    has_z = "z.weights" in arrays
    tie = about["generator"]
    return Artifact(
        name=str(about["name"]),
        shape=tuple(int(n) for n in about["shape"]),  # type: ignore[arg-type]
        affine=arrays["affine"],
        tr_s=float(about["tr_s"]),
        reference=arrays.get("reference"),
        voxels=arrays["voxels"],
        sd=arrays["sd"],
        response=_of_numbers(Response, about["response"]),
        model=_of_numbers(Model, about["model"]),
        generator=GeneratorTie(
            str(tie["name"]),
            str(tie["identity"]),
            _sizes(tie["latent"], 3),
            _sizes(tie["conditioning"], 2),
        ),
        z=linear("z") if has_z else None,
        c=linear("c"),
        null=Null(linear("null.z") if has_z else None, linear("null.c")),
        candidates=tuple(str(name) for name in about["candidates"]),
        candidate_c=arrays["candidate_c"],
        confidence=_of_numbers(Confidence, about["confidence"]),
        about=about.get("about", {}),
    )


def _sizes(told: Any, count: int) -> Any:
    """So many whole numbers above 0."""
    if len(told) != count or not all(type(n) is int and n > 0 for n in told):
        raise ValueError(f"{told!r} are not {count} sizes")
    return tuple(told)


def _of_numbers(kind: type[T], told: Any) -> T:
    """A dataclass of numbers alone."""
    if not all(type(n) in (int, float) and abs(n) < _LARGEST for n in dict(told).values()):
        raise ValueError(f"{kind.__name__} is of numbers, not of {told}")
    return kind(**told)


def _check(artifact: Artifact) -> None:
    """Every array is what the others call for, and every number is one."""
    n, targets = len(artifact.voxels), int(np.prod(artifact.generator.conditioning))
    _is("voxels", artifact.voxels, np.int64, (n,))
    _is("sd", artifact.sd, np.float32, (n,))
    _is("affine", artifact.affine, np.float64, (4, 4))
    if artifact.reference is not None:
        _is("reference", artifact.reference, np.float32, artifact.shape)
    _is("candidates", artifact.candidate_c, np.float32, (len(artifact.candidates), targets))
    if n == 0 or artifact.voxels.min() < 0 or artifact.voxels.max() >= np.prod(artifact.shape):
        raise ValueError("voxels outside the volume")
    if not (artifact.sd > 0).all():
        raise ValueError("sd must be above 0")
    if abs(np.linalg.det(artifact.affine)) < 1e-9:
        raise ValueError("the affine has no inverse")
    if not 0 < artifact.tr_s < np.inf:
        raise ValueError("TR must be above 0")
    sure = artifact.confidence
    warm = 1e-6 <= sure.temperature <= 1e6 and 0 <= sure.growth <= 1e6  # float32 divides by it
    if not (warm and 0 <= sure.doubt <= 1):
        raise ValueError(f"{sure} gives no probabilities")
    model = artifact.model
    if not (isinstance(model.trials, int) and 1 <= model.trials <= _MOST_TRIALS):
        raise ValueError(f"{model} keeps other than 1 to {_MOST_TRIALS} trials")
    if not (min(model.drift_per_s, model.coloured) >= 0 and model.prior > 0 and model.coloured < 1):
        raise ValueError(f"{model} has no such variances")
    if not model.memory_s > 0:
        raise ValueError(f"{model} has no such memory")
    if not (artifact.response.stretch > 0 and artifact.response.duration_s >= 0):
        raise ValueError(f"{artifact.response} is no response")
    numbers = {"z": int(np.prod(artifact.generator.latent)), "c": targets}
    for name, linear in zip(_MAPS, _maps(artifact), strict=True):
        if linear is not None:
            _check_map(name, linear, n, numbers[name[-1]])


def _check_map(name: str, linear: LinearMap, n_voxels: int, targets: int) -> None:
    _is(f"{name}.voxels", linear.voxels, np.bool_, (n_voxels,))
    read = int(linear.voxels.sum())
    _is(f"{name}.x_mean", linear.x_mean, np.float32, (read,))
    _is(f"{name}.weights", linear.weights, np.float32, (read, targets))
    _is(f"{name}.y_mean", linear.y_mean, np.float32, (targets,))


def _is(name: str, array: NDArray[Any], kind: type, shape: tuple[int, ...]) -> None:
    if array.dtype != kind or array.shape != shape:
        wanted = f"{np.dtype(kind)} {shape}"
        raise ValueError(f"{name} is {array.dtype} {array.shape}, not {wanted}")
    if not (np.abs(array) < _LARGEST).all():  # products of larger ones would be no numbers
        raise ValueError(f"{name} has values that are no numbers, or none of a decoder")


def _maps(artifact: Artifact) -> tuple[LinearMap | None, ...]:
    """In the order of `_MAPS`."""
    return artifact.z, artifact.c, artifact.null.z, artifact.null.c
