"""An encoding analysis in numbers, region by region: everything that figures show and JSON holds."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.explaining.encoding import NULLS
from calibration.explaining.encoding_scores import (
    DRAWS,
    Models,
    Regions,
    Scores,
    interval,
    interval_over_voxels,
)
from calibration.explaining.feature_files import FeatureSet
from calibration.explaining.responses import FOLDS, Responses

Q = 0.05
SPACES = ("z", "c", "z_c")  # the first features, in this order
LATENTS = ("noise", "step")  # families of z_c, of which the paper shows what they explain beyond z

_METHOD = {
    "responses": "evidence at the end of each trial, averaged over a stimulus' trials",
    "model": f"ridge, {FOLDS} parts left out in turn, strength of each voxel chosen in the others",
    "r": "Pearson correlation, held-out, less the mean of each left-out part",
    "p": f"against {NULLS} voxels shuffled within runs and fitted anew; q: Benjamini-Hochberg",
    "interval_stimuli": f"95 % of {DRAWS} bootstraps over stimuli: would other pictures say the same? "
    "Voxels share the pictures and their noise, so this is the one that is drawn",
    "interval_voxels": f"95 % of {DRAWS} bootstraps over the region's voxels, as if independent",
    "unique": "R2 of z and c together less R2 of the other alone, of each voxel; R2 is 0 where the mean "
    "would have predicted better; below 0 where both together are fitted worse than the other alone",
    "beyond_z": "R2 of z and this latent together less R2 of z alone",
}


def models_of(features: Sequence[FeatureSet]) -> list[tuple[Path, ...]]:
    """Which features encoding models are made of: each alone, z with c, and z with every latent."""
    z, c = (one.file for one in features[:2])
    alone = [(one.file,) for one in features]
    return [*alone, (z, c), *((z, one.file) for one in features if one.family in LATENTS)]


def numbers(
    features: Sequence[FeatureSet], models: Models, responses: Responses, regions: Regions
) -> dict[str, Any]:
    """Everything that is drawn, as JSON has it.

    Parameters
    ----------
    features : sequence of FeatureSet
        z, c and z_c first.
    models : mapping
        Scores of all `models_of` the features.
    """
    z, c = (one.file for one in features[:2])
    spaces = {one.label: models[one.file,] for one in features[:3]}
    return {
        "stimuli": len(responses.repeats),
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
                    name: _score(models[one.file,], name, voxels)
                    for name, voxels in regions.items()
                },
            }
            | (
                {"beyond_z": _beyond(models[z, one.file], models[z,], regions)}
                if one.family in LATENTS
                else {}
            )
            for one in features
        ],
        "differences": {
            name: {
                f"{one} - {other}": {
                    "r": float((spaces[one].r - spaces[other].r)[voxels].mean()),
                    "interval_stimuli": interval(
                        spaces[one].means[name] - spaces[other].means[name]
                    ),
                }
                for one, other in combinations(SPACES, 2)
            }
            for name, voxels in regions.items()
        },
        "unique": {
            "z": _beyond(models[z, c], models[c,], regions),
            "c": _beyond(models[z, c], models[z,], regions),
        },
        "best": _shares(best_of([spaces[name] for name in SPACES]), SPACES, regions),
        "versions": {p: version(p) for p in ("rtrecon", "numpy", "scipy", "torch", "diffusers")},
    }


def best_of(candidates: Sequence[Scores]) -> NDArray[np.int64]:
    """Which of several predicts each voxel best (n_voxels,), from 1; 0 where none does (q >= Q)."""
    r = np.stack([np.where(one.q < Q, one.r, -np.inf) for one in candidates])
    return np.where(np.isfinite(r).any(axis=0), r.argmax(axis=0) + 1, 0)


def _score(scores: Scores, name: str, voxels: NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "r": float(scores.r[voxels].mean()),
        "interval_stimuli": interval(scores.means[name]),
        "interval_voxels": interval_over_voxels(scores.r[voxels]),
        "significant": float((scores.q[voxels] < Q).mean()),
    }


def _beyond(both: Scores, other: Scores, regions: Regions) -> dict[str, dict[str, Any]]:
    """What one explains of the variance beyond the other, by region."""
    return {
        name: {
            "r2": float((both.r2 - other.r2)[voxels].mean()),
            "interval_stimuli": interval(both.shares[name] - other.shares[name]),
        }
        for name, voxels in regions.items()
    }


def _shares(
    best: NDArray[np.int64], names: Sequence[str], regions: Regions
) -> dict[str, dict[str, float]]:
    return {
        region: {name: float((best[voxels] == n).mean()) for n, name in enumerate(names, 1)}
        for region, voxels in regions.items()
    }
