"""Pattern -> Decoded: one matrix product for the latent, one for the conditioning."""

from dataclasses import replace

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.artifact import Artifact
from rtrecon.types import Decoded, Pattern, read_only


class Decode:
    """A person's decoders, ready for patterns. Stateless, so safe from any thread.

    Source: Takagi & Nishimoto, CVPR 2023: ridge from early visual cortex to the latent z and
    from ventral visual cortex to the text conditioning c.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._candidates = unit(artifact.candidate_c - artifact.c.y_mean)

    def __call__(self, pattern: Pattern) -> Decoded:
        """Decode one pattern."""
        tie, to_z = self._artifact.generator, self._artifact.z
        z = None if to_z is None else read_only(to_z(pattern.voxels).reshape(tie.latent))
        c = self._artifact.c(pattern.voxels)
        scores = self._candidates @ unit(c - self._artifact.c.y_mean)
        probabilities = softmax(scores / np.float32(self._artifact.temperature))
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
        )


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row (..., n), centred and scaled to length 1, so that a product is a correlation."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-12)


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores (..., n) as probabilities that sum to 1."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
