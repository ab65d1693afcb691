"""How sure to be of the named candidate: scores -> probabilities that keep their word."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Confidence:
    """Fitted on calibration trials left out, at all their ages.

    Attributes
    ----------
    temperature : float
        Of scores whose evidence has no error.
    growth : float
        By which the squared temperature grows with the evidence's variance: a young trial's scores
        are as large as an old one's, and mean less.
    doubt : float
        Probability that is shared out evenly whatever the scores say: who has tested n trials
        cannot be surer than about 1 - 1/n.
    """

    temperature: float
    growth: float
    doubt: float

    def __call__(
        self, scores: NDArray[np.float32], variance: NDArray[np.float64] | float
    ) -> NDArray[np.float32]:
        """Probabilities (..., n_candidates) of scores of that shape.

        `variance`: of the evidence's amplitudes (...), as `Estimate` has it.
        """
        growth = np.sqrt(1 + self.growth * np.asarray(variance))
        warm = np.asarray(self.temperature * growth, np.float32)
        shares = softmax(scores / warm[..., None])
        return np.float32(1 - self.doubt) * shares + np.float32(self.doubt / scores.shape[-1])


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores (..., n) as probabilities that sum to 1."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
