"""What of a diffusion model explains which part of a person's visual cortex.

The encoding analysis of Takagi & Nishimoto (CVPR 2023): voxels are predicted from what the model
makes of each picture, where decoders predict the model's spaces from voxels.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from calibration import figures
from calibration.by_region import SPACES, Q, Regions, best_of, numbers
from calibration.cluster import Where, fan_out
from calibration.dataset import caption_of, load_runs, load_stimuli
from calibration.encoding import Encoded, Responses, encode, responses_of
from calibration.features import STAGES, FeatureSet, diffusion_preset, features_of
from calibration.figures import COLOURS, SPOKEN, block_colours
from calibration.maps import Map, Space, draw_cortex, draw_slices, in_template_space, map_of_labels
from calibration.regions import Region, load_region
from calibration.samples import samples_of
from rtrecon.bids import Run
from rtrecon.bids_files import find_runs
from rtrecon.errors import BadDataset

RESULTS = "explain.json"
CAPTIONS = {  # of the figures, in the order of a report
    "spaces": "How well z, c and z_c predict the voxels of each region",
    "map_spaces": "Where z, c and z_c predict voxels, and which of them does best",
    "map_spaces_cortex": "The same on the cortical surface",
    "noise": "z_c by how much noise was added before denoising",
    "steps": "The latent on its way through the denoising steps",
    "blocks": "Blocks of the U-Net by region",
    "map_blocks": "Which block of the U-Net predicts a voxel best",
    "map_blocks_cortex": "The same on the cortical surface, by block",
}
_DPI = 150
_TOP_PERCENTILE, _LEAST_TOP = 99.5, 0.05  # of r, where the colours of maps end


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
    conditions: bool = False,
    where: Where | None = None,
) -> dict[str, Any]:
    """Write maps, figures and `explain.json` into `output`; returns what the last holds.

    Parameters
    ----------
    conditions : bool
        Whether c is that of the condition's name and not of the caption. Captions that describe a
        picture in full let c explain what z does, too: where things are, and their colours.
    where : Where, optional
        Feature sets are encoded here, or on a cluster.

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
    samples, basis = samples_of(runs, region.voxels, realign)
    responses = responses_of(samples)
    pictures = load_stimuli(runs, responses.shown)
    if pictures is None:
        raise BadDataset(f"{dataset}: no trial names a stim_file: z is the latent of the picture")
    named = [replace(trial, caption="") if conditions else trial for trial in responses.shown]
    captions = [caption_of(trial) for trial in named]
    features = features_of(preset, generator, pictures, captions)
    encoded = encode_all(features, responses, where)
    about = {
        "dataset": dataset.name,
        "runs": [run.name for run in runs],
        "generator": generator,
        "c_of": "conditions" if conditions else "captions",
    }
    template = all(in_template_space(bold) for bold in find_runs(dataset, labels))
    results: dict[str, Any] = about | {"template_space": template}
    results |= numbers(features, encoded, responses, regions)
    results["z_from_c"] = z_from_c(features, responses)
    mean = runs[0].data.mean(axis=3) if basis.reference is None else basis.reference
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


def encode_all(
    features: Sequence[FeatureSet], responses: Responses, where: Where | None = None
) -> list[Encoded]:
    """Each feature set's encoding of every voxel; the last one is of z and c together."""
    values = {id(one.values): [one.values] for one in features}
    values[-1] = [one.values for one in features[:2]]
    tasks = [(sets, responses) for sets in values.values()]
    done = dict(zip(values, fan_out(_encoded, tasks, where), strict=True))
    return [*(done[id(one.values)] for one in features), done[-1]]


def _encoded(task: tuple[Sequence[NDArray[np.float32]], Responses]) -> Encoded:
    return encode(*task)


def z_from_c(features: Sequence[FeatureSet], responses: Responses) -> float:
    """How well captions foretell the latents, mean held-out r over z's values.

    Where that is much, c explains what z does: neither can then be said to be the reason.
    """
    z, c = features[0].values, features[1].values
    return float(encode([c], replace(responses, patterns=z)).r.mean())


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
            map_of_labels(f"the best block of the U-Net, {stage}", labels, block_colours(blocks))
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
    shown = [{"file": f"{n}.png", "caption": c} for n, c in CAPTIONS.items() if n in drawn]
    content = json.dumps({**results, "figures": shown}, indent=1)
    (output / RESULTS).write_text(content + "\n", encoding="utf-8")


def _maps_of_r(spaces: Mapping[str, Encoded]) -> list[Map]:
    every = np.concatenate([one.r for one in spaces.values()])
    top = max(float(np.percentile(every, _TOP_PERCENTILE)), _LEAST_TOP)
    return [
        Map(f"{SPOKEN[name]} (q < {Q:g})", np.where(one.q < Q, one.r, 0), top)
        for name, one in spaces.items()
    ]


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
