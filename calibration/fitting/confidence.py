"""The confidence that left-out trials speak for, and whether it keeps its word."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from rtrecon.confidence import Confidence

TEMPERATURES = np.geomspace(0.02, 10, 40)
NEARLY = 0.5  # nats, of all trials together
GROWTHS = (0.0, *np.geomspace(0.01, 100, 17))
BINS = 10
_DRAWS = 2000


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


@dataclass(frozen=True)
class Reliability:
    """What was claimed and what was right: a reliability diagram.

    Attributes
    ----------
    claimed, right : float64 (n_bins,)
        Means of each bin; nan where it is empty.
    counts : int64 (n_bins,)
        Bins are of equal width from 0 to 1.
    interval : float64 (n_bins, 2)
        95 % of `right` if the claims were true.
    ece : float
        Expected calibration error: mean of |claimed - right|, weighted by counts.
    ece_interval : (float, float)
        95 % of it if the claims were true: so much comes of the number of trials alone.
    excess : float
        `ece` less what is to be expected if the claims were true, not less than 0.
    """

    claimed: NDArray[np.float64]
    right: NDArray[np.float64]
    counts: NDArray[np.int64]
    interval: NDArray[np.float64]
    ece: float
    ece_interval: tuple[float, float]
    excess: float

    def as_json(self) -> dict[str, object]:
        """As plain JSON, a row a bin and empty bins left out."""
        columns = zip(self.claimed, self.right, self.counts, self.interval, strict=True)
        return {
            "bins": [
                {"said": float(c), "right": float(r), "n": int(n), "interval": within.tolist()}
                for c, r, n, within in columns
                if n
            ],
            "ece": self.ece,
            "ece_interval": list(self.ece_interval),
            "excess": self.excess,
        }


def reliability(
    confidence: NDArray[np.floating],
    right: NDArray[np.bool_],
    bins: int = BINS,
    rng: np.random.Generator | None = None,
) -> Reliability:
    """Hold confidences (n,) against whether the guesses were right (n,), one a trial.

    Volumes of one trial are right or wrong together: give one of each, or the intervals are too
    narrow.

    Raises
    ------
    ValueError
        Nothing to judge, or confidences outside 0 to 1.
    """
    if not len(confidence) or confidence.min() < 0 or confidence.max() > 1:
        raise ValueError("confidences are missing or outside 0 to 1")
    rng = rng or np.random.default_rng(0)
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    member = (bin_of[:, None] == np.arange(bins)).astype(np.float64)  # (n, bins)
    counts = member.sum(axis=0)
    with np.errstate(invalid="ignore"):
        claimed, seen = confidence @ member / counts, right @ member / counts
        true = (rng.random((_DRAWS, len(confidence))) < confidence) @ member / counts

    def error(shares: NDArray[np.float64]) -> NDArray[np.float64]:
        apart: NDArray[np.float64] = np.nansum(np.abs(shares - claimed) * counts, axis=-1)
        return apart / len(confidence)

    expected, ece = error(true), float(error(seen))
    low, high = np.quantile(expected, [0.025, 0.975])
    return Reliability(
        claimed, seen, counts.astype(np.int64), np.quantile(true, [0.025, 0.975], axis=0).T,
        ece, (float(low), float(high)), max(0.0, ece - float(expected.mean())),
    )  # fmt: skip
