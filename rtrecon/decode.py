"""Pattern -> Decoded: one matrix product for the latent, one for the conditioning."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.artifact import Artifact, LinearMap
from rtrecon.types import Decoded, Pattern, read_only

_LARGE = 10_000_000  # weights; with fewer the way to a GPU and back takes longer than the product
_FIRM = 0.1  # of the candidates' mean variance; docs/signal.md


class Decode:
    """A person's decoders, ready for patterns. Stateless, so safe from any thread.

    Source: Takagi & Nishimoto, CVPR 2023: ridge from early visual cortex to the latent z and
    from ventral visual cortex to the text conditioning c.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact, self._prior = artifact, artifact.model.prior
        self._z = None if artifact.z is None else placed(artifact.z)
        self._c = placed(artifact.c)
        self._naming = Naming(artifact.candidate_c, artifact.c.y_mean)

    def __call__(self, pattern: Pattern) -> Decoded:
        """Decode one pattern."""
        tie = self._artifact.generator
        z = None if self._z is None else read_only(self._z(pattern.voxels).reshape(tie.latent))
        c = self._c(pattern.voxels)
        scores = self._naming(c)
        probabilities = self._artifact.confidence(scores, pattern.variance)
        best = int(np.argmax(probabilities))
        return Decoded(
            pattern.trial,
            pattern.volume,
            pattern.age_s,
            z,
            read_only(c.reshape(tie.conditioning)),
            read_only(scores),
            read_only(probabilities),
            self._artifact.candidates[best],
            float(probabilities[best]),
            replace(pattern.times, decoded=pylsl.local_clock()),
            self._prior / (self._prior + pattern.variance),
            pattern,
        )


Product = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def placed(linear: LinearMap) -> Product:
    """A map where its product is fastest: a large one on the GPU, where there is one.

    Two gigabytes of weights, as for whole hidden states of a text encoder, take a CPU a tenth of a
    second to read.
    """
    if linear.weights.size < _LARGE:
        return linear
    import torch  # here, since small decoders do without

    return OnDevice(linear, "cuda") if torch.cuda.is_available() else linear


class OnDevice:
    """A `LinearMap` whose weights lie on a device, in float32 as on the CPU."""

    def __init__(self, linear: LinearMap, device: str) -> None:
        import torch

        self._linear, self._torch, self._device = linear, torch, torch.device(device)
        self._weights, self._y_mean = (
            torch.tensor(array, device=self._device) for array in (linear.weights.T, linear.y_mean)
        )

    def __call__(self, pattern: NDArray[np.float32]) -> NDArray[np.float32]:
        """The targets (n_targets,) predicted from one pattern (n_voxels,)."""
        read = (pattern[self._linear.voxels] - self._linear.x_mean).astype(np.float32)
        x = self._torch.from_numpy(read).to(self._device)
        predicted = self._torch.addmv(self._y_mean, self._weights, x)
        values: NDArray[np.float32] = predicted.cpu().numpy()
        return values


class Naming:
    """Conditioning -> a score for each candidate, from -1 to 1. Stateless.

    The conditionings of a cat and a dog are nearly the same, those of noise quite another: by plain
    resemblance the little that tells cats from dogs would not count. So a conditioning is taken for
    a mixture of the candidates', and the score is how much it resembles one of them alone.

    Parameters
    ----------
    candidates : float32 (n_candidates, n_targets)
    mean : float32 (n_targets,)
        Of the conditionings that decoders were fitted on.
    """

    def __init__(self, candidates: NDArray[np.float32], mean: NDArray[np.float32]) -> None:
        self._mean = mean
        centred = (candidates - mean).astype(np.float64)
        kernel = centred @ centred.T
        # Shares in directions that hardly differ between candidates would be all noise.
        firm = _FIRM * np.trace(kernel) / len(kernel) * np.eye(len(kernel))
        self._shares = np.linalg.solve(kernel + firm, centred).T.astype(np.float32)
        self._alone = unit(np.eye(len(kernel), dtype=np.float32))

    def __call__(self, c: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (..., n_candidates) of conditionings (..., n_targets)."""
        shares = ((c - self._mean) @ self._shares).astype(np.float32)  # (..., n_candidates)
        return unit(shares) @ self._alone


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row (..., n), centred and scaled to length 1, so that a product is a correlation."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-12)
