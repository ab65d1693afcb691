"""An encoding analysis in numbers, region by region: everything that figures show and JSON holds."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.encoding import (
    DRAWS,
    FOLDS,
    NULLS,
    Encoded,
    Responses,
    centred,
    interval,
    interval_over_voxels,
    means_drawn,
    shares_drawn,
)
from calibration.features import FeatureSet

Q = 0.05
SPACES = ("z", "c", "z_c")  # the first features, in this order

Regions = Mapping[str, NDArray[np.bool_]]

_METHOD = {
    "responses": "evidence at the end of each trial, averaged over a stimulus' trials",
    "model": f"ridge, {FOLDS} parts left out in turn, strength of each voxel chosen in the others",
    "r": "Pearson correlation, held-out, less the mean of each left-out part",
    "p": f"against {NULLS} voxels shuffled within runs and fitted anew; q: Benjamini-Hochberg",
    "interval_stimuli": f"95 % of {DRAWS} bootstraps over stimuli: would other pictures say the same? "
    "Voxels share the pictures and their noise, so this is the one that is drawn",
    "interval_voxels": f"95 % of {DRAWS} bootstraps over the region's voxels, as if independent",
    "unique": "R2 of z and c together less R2 of the other alone; below 0 where both together are "
    "fitted worse than the other alone",
}


def numbers(
    features: Sequence[FeatureSet],
    encoded: Sequence[Encoded],
    responses: Responses,
    regions: Regions,
) -> dict[str, Any]:
    """Everything that is drawn, as JSON has it.

    Parameters
    ----------
    encoded : sequence of Encoded
        As `encode_all` gives them.
    """
    measured = centred(responses)
    drawn = [means_drawn(one, measured, regions) for one in encoded[:-1]]
    spaces = dict(zip(SPACES, encoded, strict=False))
    return {
        "stimuli": len(responses.shown),
        "trials": int(responses.repeats.sum()),
        "left_out": "runs" if responses.by_run else "stimuli",
        "folds": len(responses.splits()),
        "q": Q,
        "method": _METHOD,
        "regions": {name: int(voxels.sum()) for name, voxels in regions.items()},
        "features": [
            {
                "family": one.family,
                "label": one.label,
                "stage": one.stage,
                "n_features": one.values.shape[1],
                "regions": {
                    name: _score(result.r[voxels], result.q[voxels], draws[name])
                    for name, voxels in regions.items()
                },
            }
            for one, result, draws in zip(features, encoded, drawn, strict=False)
        ],
        "differences": {
            name: {
                f"{one} - {other}": {
                    "r": float((spaces[one].r - spaces[other].r)[voxels].mean()),
                    "interval_stimuli": interval(
                        drawn[SPACES.index(one)][name] - drawn[SPACES.index(other)][name]
                    ),
                }
                for one, other in combinations(SPACES, 2)
            }
            for name, voxels in regions.items()
        },
        "unique": _unique(spaces["z"], spaces["c"], encoded[-1], measured, regions),
        "best": _shares(best_of([spaces[name] for name in SPACES]), SPACES, regions),
        "versions": {p: version(p) for p in ("rtrecon", "numpy", "scipy", "torch", "diffusers")},
    }


def best_of(candidates: Sequence[Encoded]) -> NDArray[np.int64]:
    """Which of several predicts each voxel best (n_voxels,), from 1; 0 where none does (q >= Q)."""
    r = np.stack([np.where(one.q < Q, one.r, -np.inf) for one in candidates])
    return np.where(np.isfinite(r).any(axis=0), r.argmax(axis=0) + 1, 0)


def _score(
    r: NDArray[np.float64], q: NDArray[np.float64], drawn: NDArray[np.float64]
) -> dict[str, Any]:
    return {
        "r": float(r.mean()),
        "interval_stimuli": interval(drawn),
        "interval_voxels": interval_over_voxels(r),
        "significant": float((q < Q).mean()),
    }


def _unique(
    z: Encoded,
    c: Encoded,
    both: Encoded,
    measured: NDArray[np.float32],
    regions: Regions,
) -> dict[str, Any]:
    """What z explains beyond c and c beyond z, of the variance (R2)."""
    of_z, of_c, of_both = (shares_drawn(one, measured, regions) for one in (z, c, both))
    beyond = {
        name: {"z": of_both[name] - of_c[name], "c": of_both[name] - of_z[name]} for name in regions
    }
    return {
        name: {
            space: {"r": float(r2[0]), "interval_stimuli": interval(r2[1:])}
            for space, r2 in of.items()
        }
        for name, of in beyond.items()
    }


def _shares(
    best: NDArray[np.int64], names: Sequence[str], regions: Regions
) -> dict[str, dict[str, float]]:
    return {
        region: {name: float((best[voxels] == n).mean()) for n, name in enumerate(names, 1)}
        for region, voxels in regions.items()
    }
