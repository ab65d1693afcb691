"""The confidence under which what left-out trials showed was the likeliest."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rtrecon.confidence import Confidence

TEMPERATURES = np.geomspace(0.02, 10, 40)
NEARLY = 0.5  # nats, of all trials together
GROWTHS = (0.0, *np.geomspace(0.01, 100, 17))


def fit_confidence(
    scores: NDArray[np.float32],
    variances: NDArray[np.float64],
    truth: NDArray[np.int64],
    trials: int,
) -> Confidence:
    """Temperature and growth of a grid: the most cautious of those that the trials bear out.

    Those are the ones under which the trials are nearly as likely as under the best. Where all
    trials were named rightly, any sureness fits, and the best would be the greatest.

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

    def judged(one: Confidence) -> tuple[float, float]:
        probabilities = one(scores, variances)
        loss = -float(np.log(probabilities[rows, truth]).mean())
        return loss, float(probabilities.max(axis=1).mean())

    grid = [Confidence(float(t), float(g), doubt) for t, g in product(TEMPERATURES, GROWTHS)]
    losses, sureness = np.transpose([judged(one) for one in grid])
    borne_out = losses <= losses.min() + NEARLY / trials
    return grid[int(np.where(borne_out, sureness, np.inf).argmin())]
