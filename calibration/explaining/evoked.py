"""What people were shown, what it evoked and where: all that features are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.data.atlas import Area
from calibration.data.regions import Areas, Region, load_region
from calibration.data.samples import samples_of
from calibration.explaining.encoding_scores import Regions
from calibration.explaining.features import Encode
from calibration.explaining.maps import Space, in_template_space
from calibration.explaining.responses import Responses, responses_of
from calibration.fitting.fit import Targets, targets_of
from calibration.nsd.files import Folder, parse_subject
from calibration.nsd.person import NsdData
from calibration.nsd.samples import averaged
from calibration.nsd.targets import encode
from rtrecon.bids import Recording, Run
from rtrecon.errors import BadDataset
from rtrecon.generators import Generator
from rtrecon.types import Geometry

_REGIONS = {  # by how their voxels were chosen
    "mask": "mask",
    "reliable": "reliable voxels",
    "posterior": "posterior third",
    "early": "early and ventral",
}


@dataclass(frozen=True)
class Evoked:
    """What features are compared with.

    Attributes
    ----------
    responses : Responses
    regions : mapping of name to bool (n_voxels,)
    space : Space
    encode : callable
        Makes z and c of some of the stimuli.
    about : mapping
        What the results say of the data.
    """

    responses: Responses
    regions: Regions
    space: Space
    encode: Encode
    about: Mapping[str, Any]


def evoked_in_runs(
    found: Sequence[Recording],
    areas: Areas,
    atlas: Area | None = None,
    realign: bool = True,
    conditions: bool = False,
) -> Evoked:
    """What runs of a BIDS dataset evoked at the end of their trials.

    Parameters
    ----------
    conditions : bool
        Whether c is that of the condition's name and not of the caption. Captions that describe a
        picture in full let c explain what z does, too: where things are, and their colours.

    Raises
    ------
    BadDataset
        No pictures, too few of them, or areas that cannot be used.
    """
    trials = [trial for run in found for trial in run.trials or ()]
    if not any(trial.stim_file for trial in trials):
        raise BadDataset(
            f"{found[0].name}: no trial names a stim_file, and z is the latent of the picture: name "
            "the pictures in the events files"
        )
    runs = [run.load() for run in found]
    region = load_region(runs, areas.mask, areas.early, areas.ventral, realign)
    samples, basis = samples_of(runs, region.voxels, realign)
    responses = responses_of(samples)
    shown = [replace(one, caption="") if conditions else one for one in responses.shown]

    def encoded(generator: Generator, part: slice) -> Targets:
        return targets_of(runs, shown[part], generator)

    mean = _mean(runs[0]) if basis.reference is None else basis.reference
    template = all(in_template_space(run.bold) for run in found)
    space = Space(runs[0].geometry, region.voxels, mean, template)
    about = {
        "dataset": found[0].stimuli.parent.name,
        "runs": [run.name for run in runs],
        "chosen_by": region.chosen_by,
        "c_of": "conditions" if conditions else "captions",
    }
    return Evoked(responses, regions_of(region, atlas, space.geometry), space, encoded, about)


def evoked_in_betas(data: NsdData, root: Path, atlas: Area | None = None) -> Evoked:
    """What images of the Natural Scenes Dataset that one person alone saw evoked, repeats averaged.

    Raises
    ------
    BadDataset
        An atlas that cannot be used.
    """
    samples = averaged(data.train)
    repeats = np.round(1 / samples.variances).astype(np.int64)
    responses = Responses(samples.patterns, samples.trials, samples.shown, repeats)

    def encoded(generator: Generator, part: slice) -> Targets:
        return encode(data, replace(samples, shown=samples.shown[part]), generator)

    head = _head(Folder(root, parse_subject(data.name)), data)
    about = {
        "dataset": "Natural Scenes Dataset",
        "runs": [f"{data.name}, session {session}" for session in data.sessions],
        "chosen_by": data.region.chosen_by,
        "c_of": "captions",
    }
    space = Space(data.geometry, data.region.voxels, head, template=False)
    regions = regions_of(data.region, atlas, data.geometry)
    return Evoked(responses, regions, space, encoded, about)


def regions_of(region: Region, atlas: Area | None, geometry: Geometry) -> Regions:
    """Which of the voxels belong to which region: labels of an atlas, early and ventral, or all to one."""
    if atlas is not None:
        parts = {name: part[region.voxels] for name, part in atlas.parts(geometry).items()}
        return {name: part for name, part in parts.items() if part.any()}
    if (region.early != region.ventral).any():
        return {"early": region.early, "ventral": region.ventral}
    found = (name for start, name in _REGIONS.items() if region.chosen_by.startswith(start))
    return {next(found, "voxels"): np.ones(len(region.voxels), bool)}


def _head(folder: Folder, data: NsdData) -> NDArray[np.float32]:
    """What is drawn beneath maps of betas: the brain's mask, where it is there."""
    mask = folder.brain_mask
    if mask.is_file():
        inside = Area(mask).within(data.geometry)
    else:
        inside = np.isin(np.arange(data.geometry.n_voxels), data.region.voxels)
    return inside.astype(np.float32).reshape(data.geometry.shape, order="F")


def _mean(run: Run) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = run.data.mean(axis=3, dtype=np.float32)
    return mean
