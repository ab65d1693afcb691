"""Valid things to change: small, and without torch, which would make every process slow and large."""

import numpy as np

from rtrecon.artifact import Artifact, GeneratorTie, LinearMap, Null
from rtrecon.confidence import Confidence
from rtrecon.evidence import Model
from rtrecon.response import Response
from rtrecon.types import Geometry, read_only

GEOMETRY = Geometry(
    (6, 5, 4),
    read_only(np.array([[-3.0, 0, 0, 9], [0, 3, 0, -8], [0, 0, 3.5, -7], [0, 0, 0, 1]])),
    2.0,
    "int16",
    1.0,
    (0.0, 0.5, 1.0, 1.5),
    (0.03,),
)
NAMES = ("cat", "dog", "noise")


def volumes(count: int, seed: int = 0) -> np.ndarray:
    """Made-up volumes (i, j, k, count), int16."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(200, 900, GEOMETRY.shape)[..., None]
    return (base + rng.normal(scale=8, size=(*GEOMETRY.shape, count))).astype(np.int16)


def artifact(shape: tuple[int, int, int] = GEOMETRY.shape, realigns: bool = False) -> Artifact:
    """A decoder of random weights; one that realigns has a blob as its reference."""
    rng = np.random.default_rng(0)
    voxels = np.sort(rng.choice(int(np.prod(shape)), 40, replace=False))
    away = sum(
        x**2 for x in np.meshgrid(*(np.linspace(-1.5, 1.5, n) for n in shape), indexing="ij")
    )
    early = np.arange(40) < 25
    latent, conditioning = (1, 2, 2), (2, 3)

    def linear(chosen: np.ndarray, targets: int) -> LinearMap:
        n = int(chosen.sum())
        arrays = rng.normal(size=n), rng.normal(size=(n, targets)), rng.normal(size=targets)
        return LinearMap(chosen, *(a.astype(np.float32) for a in arrays))

    return Artifact(
        name="sub-toy", shape=shape, affine=GEOMETRY.affine, tr_s=2.0,
        reference=(900 * np.exp(-away) + 20).astype(np.float32) if realigns else None,
        voxels=voxels, sd=rng.uniform(1, 3, 40).astype(np.float32),
        response=Response(duration_s=6.0), model=Model(),
        generator=GeneratorTie("toy", "identity", latent, conditioning),
        z=linear(early, 4), c=linear(~early, 6),
        null=Null(linear(early, 4), linear(~early, 6)),
        candidates=NAMES, candidate_c=rng.normal(size=(3, 6)).astype(np.float32),
        confidence=Confidence(0.2, 0.0, 0.0), about={},
    )  # fmt: skip
