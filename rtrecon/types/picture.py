"""What becomes of volumes: evidence, what is decoded of it, pictures of that."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.types.volume import Times, Trial


@dataclass(frozen=True)
class Pattern:
    """Evidence about one trial from all volumes up to `volume`. `voxels`: float32 (n_voxels,)."""

    trial: Trial
    volume: int
    age_s: float  # stimulus onset to the end of the newest volume used
    voxels: NDArray[np.float32]
    variance: float  # of each voxel's evidence, in the same units
    times: Times = field(default_factory=Times)


@dataclass(frozen=True)
class Decoded:
    """What the decoders make of a pattern.

    Attributes
    ----------
    z : float32 (channels, height, width) or None
        Predicted diffusion latent; None where the decoder was fitted on captions alone.
    c : float32 (tokens, features)
        Predicted text conditioning.
    scores : float32 (n_candidates,)
        How much c, taken for a mixture of the candidates' conditionings, is each of them alone.
    probabilities : float32 (n_candidates,)
        The scores as probabilities, by what held-out calibration trials taught (`Confidence`).
    predicted : str
        Name of the likeliest candidate.
    confidence : float
        Its probability.
    reliability : float
        How much of a response the evidence can know by now, 0 to 1: what its noise leaves of the
        variance of responses.
    pattern : Pattern or None
        What it was decoded of, where that is at hand.
    """

    trial: Trial
    volume: int
    age_s: float
    z: NDArray[np.float32] | None
    c: NDArray[np.float32]
    scores: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    predicted: str
    confidence: float
    times: Times = field(default_factory=Times)
    reliability: float = 1.0
    pattern: Pattern | None = None


@dataclass(frozen=True)
class Frame:
    """What goes on screen. `images`: uint8 (samples, height, width, 3), sRGB.

    With `aims`, `settings` and what was decoded it can be drawn again to the bit. `aims`: the
    volume it was begun with, and each that it was aimed at later with the first step that was:
    "12,13@2".
    """

    serial: int  # counts the frames of a session from 1
    images: NDArray[np.uint8]
    decoded: Decoded
    step: int  # denoising steps done, of `steps`
    steps: int
    times: Times = field(default_factory=Times)
    aims: str = ""
    settings: Settings | None = None

    @property
    def image(self) -> NDArray[np.uint8]:
        """The first sample (height, width, 3)."""
        return self.images[0]

    @property
    def final(self) -> bool:
        """Whether it is the finished image and not a preview on the way."""
        return self.step == self.steps


@dataclass(frozen=True)
class Comparison:
    """What tells brain and prior apart, beside the picture of the same decoded volume.

    Attributes
    ----------
    decoded : Decoded
        Of the reconstruction that it stands beside.
    z_only : uint8 (height, width, 3) or None
        The predicted latent decoded as it is, without diffusion.
    control : uint8 (height, width, 3) or None
        Drawn in the same way by decoders that were fitted with the pictures exchanged: what the
        method makes of a brain that tells nothing.
    """

    decoded: Decoded
    z_only: NDArray[np.uint8] | None = None
    control: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Brain:
    """Where the decoders read.

    Attributes
    ----------
    volume : int16 or float32 (i, j, k)
        What is seen behind them.
    affine : float64 (4, 4)
        Its voxel indices to scanner millimetres (RAS+).
    voxels : int64 (n_voxels,)
        Those of a pattern, in its order, counted with i fastest.
    early, ventral : bool (n_voxels,)
        Which of them z is decoded of, and which c.
    """

    volume: NDArray[np.generic]
    affine: NDArray[np.float64]
    voxels: NDArray[np.int64]
    early: NDArray[np.bool_]
    ventral: NDArray[np.bool_]
