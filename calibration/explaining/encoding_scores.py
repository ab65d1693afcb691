"""Encoding models in what is kept of them: scores of voxels, and of regions with what chance does to them.

Predictions of all voxels by all features would not fit into memory: each model is reduced where it
was fitted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.cluster import Where, fan_out
from calibration.explaining.encoding import Encoded, centred, columns, encode
from calibration.explaining.responses import Responses

DRAWS = 1000  # of the bootstrap
_INTERVAL = (2.5, 97.5)

Regions = Mapping[str, NDArray[np.bool_]]
Models = Mapping[tuple[Path, ...], "Scores"]


@dataclass(frozen=True)
class Scores:
    """What an encoding model reached.

    Attributes
    ----------
    r, q : float64 (n_voxels,)
        As of `Encoded`.
    r2 : float64 (n_voxels,)
        Share of the variance of held-out responses that is explained, none below 0.
    means : mapping of region to float64 (DRAWS,)
        The region's mean r, of stimuli drawn with replacement. The draws are the same for all
        models, so that differences are paired.
    shares : mapping of region to float64 (DRAWS,)
        The same of its mean r2.
    """

    r: NDArray[np.float64]
    q: NDArray[np.float64]
    r2: NDArray[np.float64]
    means: Mapping[str, NDArray[np.float64]]
    shares: Mapping[str, NDArray[np.float64]]


def score_all(
    features: Sequence[tuple[Path, ...]],
    responses: Path,
    regions: Regions,
    where: Where | None = None,
) -> dict[tuple[Path, ...], Scores]:
    """Encoding models of all voxels, one for each of the sets of features.

    Parameters
    ----------
    features : sequence of tuple of Path
        The files (npy) that a model predicts from, jointly where there are several.
    responses : Path
        As `Responses.save` writes them.
    where : Where, optional
        Here, or on a cluster that reads the same files.
    """
    models = list(dict.fromkeys(features))
    tasks = [(model, responses, regions) for model in models]
    return dict(zip(models, fan_out(_scored, tasks, where), strict=True))


def _scored(task: tuple[tuple[Path, ...], Path, Regions]) -> Scores:
    files, of, regions = task
    responses = Responses.load(of)
    encoded = encode([np.load(file, mmap_mode="r") for file in files], responses)
    return scores_of(encoded, responses, regions)


def scores_of(encoded: Encoded, responses: Responses, regions: Regions, seed: int = 0) -> Scores:
    """What is kept of an encoding model."""
    measured, predicted = centred(responses), encoded.predicted
    n, n_voxels = measured.shape
    draws = drawn(n, seed)
    r2 = np.empty(n_voxels)
    means, shares = ({name: np.zeros(DRAWS) for name in regions} for _ in range(2))
    for of in columns(n_voxels):
        P, Y = (values[:, of].astype(np.float64) for values in (predicted, measured))
        r2[of] = _share(np.full((1, n), 1 / n), P, Y)[0]
        both = (means, _r(draws, P, Y)), (shares, _share(draws, P, Y))
        for kept, found in both:
            for name, voxels in regions.items():
                kept[name] += found[:, voxels[of]].sum(axis=1) / voxels.sum()
    return Scores(encoded.r, encoded.q, r2, means, shares)


def drawn(n: int, seed: int) -> NDArray[np.float64]:
    """How often each of n stimuli is drawn, as a share: (DRAWS, n)."""
    rng = np.random.default_rng([seed, 2])
    return rng.multinomial(n, np.full(n, 1 / n), size=DRAWS) / n


def interval(found: NDArray[np.float64]) -> list[float]:
    """The middle 95 % of what was drawn."""
    return [float(bound) for bound in np.percentile(found, _INTERVAL)]


def interval_over_voxels(r: NDArray[np.float64], seed: int = 0) -> list[float]:
    """The middle 95 % of a region's mean r over voxels (n_voxels,) drawn with replacement."""
    rng = np.random.default_rng([seed, 3])
    return interval(np.array([rng.choice(r, len(r)).mean() for _ in range(DRAWS)]))


def _r(
    draws: NDArray[np.float64], P: NDArray[np.float64], Y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pearson r (n_draws, n_voxels) of predictions and responses (n_stimuli, n_voxels)."""
    p, y, pp, yy, py = (draws @ values for values in (P, Y, P**2, Y**2, P * Y))
    length = np.sqrt(np.maximum(pp - p**2, 0) * np.maximum(yy - y**2, 0))
    found: NDArray[np.float64] = (py - p * y) / np.maximum(length, 1e-12)
    return found


def _share(
    draws: NDArray[np.float64], P: NDArray[np.float64], Y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Explained share of variance (n_draws, n_voxels), 0 where the mean would have done better.

    Else what a model that is fitted to noise adds to another one would be how much less it misses.
    """
    found: NDArray[np.float64] = 1 - draws @ (Y - P) ** 2 / np.maximum(draws @ Y**2, 1e-12)
    return np.maximum(found, 0)
