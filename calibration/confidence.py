"""The confidence under which what left-out trials showed was the likeliest."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rtrecon.confidence import Confidence

TEMPERATURES = np.geomspace(0.02, 10, 40)
GROWTHS = (0.0, *np.geomspace(0.01, 100, 17))


def fit_confidence(
    scores: NDArray[np.float32],
    variances: NDArray[np.float64],
    truth: NDArray[np.int64],
    trials: int,
) -> Confidence:
    """Temperature and growth of a grid, by the log loss.

    Parameters
    ----------
    scores : float32 (n_samples, n_candidates)
    variances : float64 (n_samples,)
    truth : int64 (n_samples,)
        Which candidate was shown.
    trials : int
        How many the samples come from; samples of one trial are no independent tests.
    """
    rows, doubt = np.arange(len(truth)), 1 / (trials + 1)

    def loss(one: Confidence) -> float:
        return -float(np.log(one(scores, variances)[rows, truth]).mean())

    grid = (Confidence(float(t), float(g), doubt) for t, g in product(TEMPERATURES, GROWTHS))
    return min(grid, key=loss)
