"""Reconstructions of held-out trials, and how much they are like what was shown."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.scoring.metrics import (
    Features,
    Pictures,
    blocks_of,
    correlations,
    mean_of,
    pixel_correlations,
    resized,
    structural_similarities,
    two_way,
)
from calibration.scoring.networks import DISTANCES
from calibration.scoring.statistics import Table
from rtrecon.generators import Generator
from rtrecon.reconstruct import Reconstruct
from rtrecon.types import Decoded


def drawn(decoded: Sequence[Decoded], generator: Generator) -> list[Pictures]:
    """What a session would have shown last of each: a trial's samples (samples, height, width, 3)."""
    reconstruct = Reconstruct(generator)
    return [list(reconstruct(one, generator.defaults))[-1].images for one in decoded]


def picture_tables(
    samples: Sequence[Pictures],
    originals: Sequence[Pictures],
    features: Mapping[str, Features],
    units: NDArray[np.int64],
) -> dict[str, Table]:
    """Tables by metric; several samples of a trial are compared one by one and then averaged.

    Pixels are compared at 425 px, features at whatever size their network takes. Of many pictures
    structural similarity is computed in blocks: its value is that of all, its null exchanges
    pictures within blocks. Features named in
    `networks.DISTANCES` give a mean correlation distance, all others two-way identification in
    both directions.

    Parameters
    ----------
    samples : sequence of uint8 (samples, height, width, 3), as many of each trial
    originals : sequence of uint8 (height, width, 3)
    features : mapping of name to Features
    units : int64 (n,)
        Trials of one picture have one number.
    """
    true, blocks = resized(originals), blocks_of(len(originals))
    series = [resized(one) for one in zip(*samples, strict=True)]  # a list entry a sample
    pixels = _mean([pixel_correlations(one, true) for one in series])
    alike = _mean([structural_similarities(one, true, blocks) for one in series])
    tables = {"pixcorr": mean_of(pixels, units), "ssim": mean_of(alike, units, blocks=blocks)}
    tables |= _both_ways("pixels", pixels, units)
    for name, network in features.items():
        wanted = network(true)
        similarity = _mean([correlations(network(one), wanted) for one in series])
        if name in DISTANCES:
            tables[name] = mean_of(1 - similarity, units, lower_is_better=True)
        else:
            tables |= _both_ways(name, similarity, units)
    return tables


def _both_ways(
    name: str, similarity: NDArray[np.float64], units: NDArray[np.int64]
) -> dict[str, Table]:
    return {
        f"{name}_two_way": two_way(similarity, "original", units),
        f"{name}_two_way_of_originals": two_way(similarity, "reconstruction", units),
    }


def _mean(tables: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean(tables, axis=0)
    return mean
