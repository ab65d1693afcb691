"""What of a diffusion model explains which part of a person's visual cortex.

The encoding analysis of Takagi & Nishimoto (CVPR 2023): voxels are predicted from what the model
makes of each picture, where decoders predict the model's spaces from voxels.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.cluster import Where
from calibration.explaining import figures
from calibration.explaining.by_region import LATENTS, SPACES, Q, best_of, models_of, numbers
from calibration.explaining.encoding_scores import Models, Scores, score_all
from calibration.explaining.evoked import Evoked
from calibration.explaining.feature_files import FeatureSet
from calibration.explaining.features import STAGES, diffusion_preset, features_of
from calibration.explaining.figures import COLOURS, SPOKEN, block_colours
from calibration.explaining.maps import Map, Space, draw_cortex, draw_slices, map_of_labels

RESULTS = "explain.json"
CAPTIONS = {  # of the figures, in the order of a report
    "spaces": "How well z, c and z_c predict the voxels of each region",
    "map_spaces": "Where z, c and z_c predict voxels, and which of them does best",
    "map_spaces_cortex": "The same on the cortical surface",
    "noise": "z_c by how much noise was added before denoising, alone and beyond z",
    "steps": "The latent on its way through the denoising steps, alone and beyond z",
    "map_noise": "Where z_c explains what z does not, after little, more and most noise",
    "map_noise_cortex": "The same on the cortical surface, by noise",
    "map_steps": "Where the latent on its way explains what z does not, at first, midway and at last",
    "map_steps_cortex": "The same on the cortical surface, by step",
    "blocks": "Blocks of the U-Net by region",
    "map_blocks": "Which block of the U-Net predicts a voxel best",
    "map_blocks_cortex": "The same on the cortical surface, by block",
}
_DPI = 150
_TOP_PERCENTILE = 99.5  # of values, where the colours of maps end
_LEAST_TOP, _LEAST_SHARE = 0.05, 0.01  # of r and of R2, below which they do not end


def explain(
    evoked: Evoked, output: Path, generator: str, where: Where | None = None
) -> dict[str, Any]:
    """Write maps, figures and `explain.json` into `output`; returns what the last holds.

    While it runs, features of the stimuli lie in a folder below `output`.

    Parameters
    ----------
    generator : str
        A diffusion model's name or folder.
    where : Where, optional
        Encoding models are fitted here, or on a cluster that can read `output`.

    Raises
    ------
    BadDataset
        Stimuli that cannot be used.
    BadGenerator
        No diffusion model.
    """
    preset, responses = diffusion_preset(generator), evoked.responses
    output.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="features-", dir=output) as name:
        folder = Path(name).resolve()
        count = len(responses.repeats)
        features = features_of(preset, generator, evoked.encode, count, folder)
        evoked_by, latents = folder / "responses.npz", folder / "latents.npz"
        responses.save(evoked_by)
        replace(responses, patterns=features[0].values).save(latents)
        models = score_all(models_of(features), evoked_by, evoked.regions, where)
        # How well captions foretell z: where that is much, c explains what z does.
        (foretold,) = score_all([(features[1].file,)], latents, {}, where).values()
        results = {
            **evoked.about,
            "generator": generator,
            "template_space": evoked.space.template,
            **numbers(features, models, responses, evoked.regions),
            "z_from_c": float(foretold.r.mean()),
        }
        write(output, results, features, models, evoked.space)
    return results


def write(
    output: Path,
    results: Mapping[str, Any],
    features: Sequence[FeatureSet],
    models: Models,
    space: Space,
) -> None:
    """Numbers, maps and figures into a folder."""
    (output / "maps").mkdir(parents=True, exist_ok=True)
    spaces = {one.label: models[one.file,] for one in features[: len(SPACES)]}
    blocks = {
        stage: {one.label: models[one.file,] for one in features if one.stage == stage}
        for stage in STAGES
    }
    best = best_of(list(spaces.values()))
    best_blocks = {stage: best_of(list(of.values())) for stage, of in blocks.items()}
    beyond = {family: _beyond_z(features, models, family) for family in LATENTS}
    values = {f"{name}_{v}": getattr(one, v) for name, one in spaces.items() for v in "rq"}
    values |= {f"best_block_{stage}": labels for stage, labels in best_blocks.items()}
    values |= {f"beyond_z_{f}_{label}": r2 for f, of in beyond.items() for label, r2 in of.items()}
    for name, value in (values | {"best_space": best}).items():
        space.save(output / "maps" / f"{name.replace(' ', '_')}.nii.gz", value)
    colours = block_colours(list(blocks[STAGES[0]]))
    written = {name.replace("z_c", "$z_c$"): colour for name, colour in COLOURS.items()}
    rows = {
        "map_spaces": [*_maps_of_r(spaces), map_of_labels("the best of the three", best, written)],
        "map_noise": _maps_beyond_z(beyond["noise"], "$z_c$ at strength {} beyond z"),
        "map_steps": _maps_beyond_z(beyond["step"], "the latent after {} steps beyond z"),
        "map_blocks": [
            map_of_labels(f"the best block of the U-Net, {stage}", labels, colours)
            for stage, labels in best_blocks.items()
        ],
    }
    drawn = {
        "spaces": figures.draw_spaces(results),
        "noise": figures.draw_noise(results),
        "steps": figures.draw_steps(results),
        "blocks": figures.draw_blocks(results),
    }
    for name, maps in rows.items():
        drawn[name] = draw_slices(space, maps)
        if space.template:
            drawn[f"{name}_cortex"] = draw_cortex(space, maps)
    for name, figure in drawn.items():
        figure.savefig(output / f"{name}.png", dpi=_DPI)
    shown = [{"file": f"{n}.png", "caption": c} for n, c in CAPTIONS.items() if n in drawn]
    content = json.dumps({**results, "figures": shown}, indent=1)
    (output / RESULTS).write_text(content + "\n", encoding="utf-8")


def _beyond_z(
    features: Sequence[FeatureSet], models: Models, family: str
) -> dict[str, NDArray[np.float64]]:
    """What the least, the middle and the last of the latents explain beyond z, of each voxel (R2).

    0 where both together predict it no better than chance does.
    """
    z = features[0].file
    of = [one for one in features if one.family == family]
    found = {}
    for one in (of[0], of[len(of) // 2], of[-1]):
        both = models[z, one.file]
        found[one.label] = np.where(both.q < Q, both.r2 - models[z,].r2, 0)
    return found


def _maps_beyond_z(beyond: Mapping[str, NDArray[np.float64]], title: str) -> list[Map]:
    top = max(_top(list(beyond.values())), _LEAST_SHARE)
    return [
        Map(f"{title.format(label)} (q < {Q:g})", np.maximum(r2, 0), top, unit="$R^2$")
        for label, r2 in beyond.items()
    ]


def _maps_of_r(spaces: Mapping[str, Scores]) -> list[Map]:
    top = max(_top([one.r for one in spaces.values()]), _LEAST_TOP)
    return [
        Map(f"{SPOKEN[name]} (q < {Q:g})", np.where(one.q < Q, one.r, 0), top)
        for name, one in spaces.items()
    ]


def _top(values: Sequence[NDArray[np.float64]]) -> float:
    return float(np.percentile(np.concatenate(values), _TOP_PERCENTILE))
