"""What of a diffusion model explains which part of a person's visual cortex.

The encoding analysis of Takagi & Nishimoto (CVPR 2023): voxels are predicted from what the model
makes of each picture, where decoders predict the model's spaces from voxels.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration import figures
from calibration.dataset import (
    Region,
    caption_of,
    load_region,
    load_runs,
    load_stimuli,
    reference_of,
)
from calibration.encoding import (
    DRAWS,
    FOLDS,
    NULLS,
    Encoded,
    Responses,
    centred,
    encode,
    interval,
    interval_over_voxels,
    means_drawn,
    responses_of,
    shares_drawn,
)
from calibration.features import STAGES, FeatureSet, diffusion_preset, features_of
from calibration.figures import COLOURS, SPOKEN, block_colours
from calibration.fit import _samples
from calibration.maps import Map, Space, draw_cortex, draw_slices, in_template_space, map_of_labels
from rtrecon.bids import Run, find_runs
from rtrecon.errors import BadDataset

Q = 0.05
SPACES = ("z", "c", "z_c")
_DPI = 150
_TOP_PERCENTILE, _LEAST_TOP = 99.5, 0.05  # of r, where the colours of maps end

Regions = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Masks:
    """The files that say which voxels are looked at: one of the first two, the last two, or none."""

    mask: Path | None = None
    atlas: Path | None = None
    early: Path | None = None
    ventral: Path | None = None


def explain(
    dataset: Path,
    output: Path,
    labels: Sequence[str] | None,
    masks: Masks,
    generator: str,
    realign: bool = True,
) -> dict[str, Any]:
    """Write maps, figures and `explain.json` into `output`; returns what the last holds.

    Raises
    ------
    BadDataset
        Runs, masks or stimuli that cannot be used.
    BadGenerator
        No diffusion model.
    """
    preset = diffusion_preset(generator)  # before anything long begins
    runs = load_runs(dataset, labels)
    region, regions = find_regions(runs, masks)
    samples, basis = _samples(runs, region, realign)
    responses = responses_of(samples)
    pictures = load_stimuli(runs, responses.shown)
    if pictures is None:
        raise BadDataset(f"{dataset}: no trial names a stim_file: z is the latent of the picture")
    captions = [caption_of(trial) for trial in responses.shown]
    features = features_of(preset, generator, pictures, captions)
    encoded = encode_all(features, responses)
    about = {"dataset": dataset.name, "runs": [run.name for run in runs], "generator": generator}
    template = all(in_template_space(bold) for bold in find_runs(dataset, labels))
    results = about | {"template_space": template}
    results |= numbers(features, encoded, responses, regions)
    mean = reference_of(runs[0]) if basis.reference is None else basis.reference
    space = Space(runs[0].geometry, region.voxels, mean, template)
    write(output, results, features, encoded, space)
    return results


def find_regions(runs: Sequence[Run], masks: Masks) -> tuple[Region, Regions]:
    """The voxels to explain and which of them belong to which region.

    The regions are early and ventral, or the labels of an atlas, or everything. Labels are named
    as in the table of the atlas' name (`.tsv` for `.nii.gz`, columns `index` and `name`, as in BIDS).

    Raises
    ------
    BadDataset
        Masks that cannot be used, or too many of them.
    """
    if masks.atlas is None:
        region = load_region(runs, masks.mask, masks.early, masks.ventral)
        if masks.early is not None:
            return region, {"early": region.early, "ventral": region.ventral}
        name = "posterior third" if masks.mask is None else "mask"
        return region, {name: np.ones(len(region.voxels), bool)}
    if masks.mask or masks.early or masks.ventral:
        raise BadDataset("an --atlas has its own regions: leave out --mask, --early and --ventral")
    region = load_region(runs, masks.atlas, None, None)
    labels = np.asarray(nib.load(masks.atlas).dataobj).ravel(order="F")[region.voxels].round()
    names = _names(masks.atlas)
    return region, {names.get(n, f"{n:g}"): labels == n for n in np.unique(labels).tolist()}


def encode_all(features: Sequence[FeatureSet], responses: Responses) -> list[Encoded]:
    """Each feature set's encoding of every voxel; the last one is of z and c together."""
    values = {id(one.values): [one.values] for one in features}
    values[-1] = [one.values for one in features[:2]]
    done = {
        key: encode(sets, responses)
        for key, sets in tqdm(values.items(), desc="encoding", unit="feature set", disable=None)
    }
    return [*(done[id(one.values)] for one in features), done[-1]]


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


def write(
    output: Path,
    results: Mapping[str, Any],
    features: Sequence[FeatureSet],
    encoded: Sequence[Encoded],
    space: Space,
) -> None:
    """Numbers, maps and figures into a folder."""
    (output / "maps").mkdir(parents=True, exist_ok=True)
    spaces = dict(zip(SPACES, encoded, strict=False))
    stages = {
        stage: {f.label: e for f, e in zip(features, encoded, strict=False) if f.stage == stage}
        for stage in STAGES
    }
    best = best_of(list(spaces.values()))
    best_blocks = {stage: best_of(list(of.values())) for stage, of in stages.items()}
    values = {f"{name}_{v}": getattr(one, v) for name, one in spaces.items() for v in "rq"}
    values |= {f"best_block_{stage}": labels for stage, labels in best_blocks.items()}
    for name, value in (values | {"best_space": best}).items():
        space.save(output / "maps" / f"{name}.nii.gz", value)
    blocks = list(stages[STAGES[0]])
    rows = [
        ("map_spaces", [*_maps_of_r(spaces), map_of_labels("the best of the three", best, COLOURS)]),
        ("map_blocks", [
            map_of_labels(f"the best block, {stage} in denoising", labels, block_colours(blocks))
            for stage, labels in best_blocks.items()
        ]),
    ]  # fmt: skip
    drawn = {
        "spaces": figures.draw_spaces(results),
        "noise": figures.draw_noise(results),
        "steps": figures.draw_steps(results),
        "blocks": figures.draw_blocks(results),
    }
    for name, maps in rows:
        drawn[name] = draw_slices(space, maps)
        if space.template:
            drawn[f"{name}_cortex"] = draw_cortex(space, maps)
    for name, figure in drawn.items():
        figure.savefig(output / f"{name}.png", dpi=_DPI)
    (output / "explain.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _maps_of_r(spaces: Mapping[str, Encoded]) -> list[Map]:
    every = np.concatenate([one.r for one in spaces.values()])
    top = max(float(np.percentile(every, _TOP_PERCENTILE)), _LEAST_TOP)
    return [
        Map(f"{SPOKEN[name]} (q < {Q:g})", np.where(one.q < Q, one.r, 0), top)
        for name, one in spaces.items()
    ]


_METHOD = {
    "responses": "evidence at the end of each trial, averaged over a stimulus' trials",
    "model": f"ridge, {FOLDS} parts left out in turn, strength of each voxel chosen in the others",
    "r": "Pearson correlation, held-out, less the mean of each left-out part",
    "p": f"against {NULLS} voxels shuffled within runs and fitted anew; q: Benjamini-Hochberg",
    "interval_stimuli": f"95 % of {DRAWS} bootstraps over stimuli: would other pictures say the same? "
    "Voxels share the pictures and their noise, so this is the one that is drawn",
    "interval_voxels": f"95 % of {DRAWS} bootstraps over the region's voxels, as if independent",
    "unique": "R2 of z and c together less R2 of the other alone",
}


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


def _names(atlas: Path) -> dict[float, str]:
    """Names of an atlas' labels, where a table beside it has them."""
    table = atlas.with_name(atlas.name.split(".nii")[0] + ".tsv")
    if not table.is_file():
        return {}
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        return {float(row["index"]): row["name"] for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise BadDataset(
            f"{table} cannot be read ({error!r}): columns index and name are needed"
        ) from error
