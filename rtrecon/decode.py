"""Pattern -> Decoded: one matrix product for the latent, one for the conditioning."""

from dataclasses import replace

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.artifact import Artifact
from rtrecon.types import Decoded, Pattern, read_only

_FIRM = 0.1  # of the candidates' mean variance; docs/signal.md


class Decode:
    """A person's decoders, ready for patterns. Stateless, so safe from any thread.

    Source: Takagi & Nishimoto, CVPR 2023: ridge from early visual cortex to the latent z and
    from ventral visual cortex to the text conditioning c.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact, self._prior = artifact, artifact.model.prior
        self._naming = Naming(artifact.candidate_c, artifact.c.y_mean)

    def __call__(self, pattern: Pattern) -> Decoded:
        """Decode one pattern."""
        tie, to_z = self._artifact.generator, self._artifact.z
        z = None if to_z is None else read_only(to_z(pattern.voxels).reshape(tie.latent))
        c = self._artifact.c(pattern.voxels)
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
        )


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
