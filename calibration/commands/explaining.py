"""`explain`: what of the model explains which part of the brain."""

import argparse
from typing import TYPE_CHECKING

from calibration.commands.options import areas_of, realigned, refuse_bids_options, selection_of
from rtrecon.errors import BadDataset

if TYPE_CHECKING:
    from calibration.data.atlas import Area
    from calibration.data.regions import Areas
    from calibration.explaining.evoked import Evoked


def explain(options: argparse.Namespace) -> None:
    """Write figures and maps, and print what they say."""
    from calibration.cluster import where
    from calibration.explaining.explain import explain as explained
    from calibration.explaining.features import diffusion_preset
    from calibration.nsd.files import is_nsd

    diffusion_preset(options.generator)  # before anything long begins
    evoked = (_evoked_nsd if is_nsd(options.dataset) else _evoked_bids)(options)
    results = explained(evoked, options.output, options.generator, where(options))
    for name, voxels in results["regions"].items():
        scores = ((f["label"], f["regions"][name]) for f in results["features"][:3])
        said = ", ".join(
            "{} {:.3f} ({:.3f} to {:.3f})".format(label, score["r"], *score["interval_stimuli"])
            for label, score in scores
        )
        print(f"{name}, {voxels} voxels: mean r of {said}")
    print(f"{results['stimuli']} stimuli; figures, maps and numbers in {options.output}")
    print(f"{results['c_of']} foretell z with r = {results['z_from_c']:.2f}: so much c knows of z")
    if not results["template_space"]:
        print("maps are on slices alone: these voxels are not said to lie in MNI space")


def _evoked_bids(options: argparse.Namespace) -> "Evoked":
    from calibration.data.dataset import open_dataset
    from calibration.explaining.evoked import evoked_in_runs

    areas, atlas = _areas_explained(options)
    found = open_dataset(options.dataset, selection_of(options), areas, not options.no_realign)
    return evoked_in_runs(found, areas, atlas, realigned(options, found), options.conditions)


def _evoked_nsd(options: argparse.Namespace) -> "Evoked":
    from calibration.explaining.evoked import evoked_in_betas
    from calibration.nsd.person import load_nsd

    refuse_bids_options(options)
    if options.conditions:
        raise BadDataset("--conditions is for a BIDS dataset: Natural Scenes have captions alone")
    areas, atlas = _areas_explained(options)
    data = load_nsd(options.dataset, options.subject, options.sessions, areas)
    return evoked_in_betas(data, options.dataset, atlas)


def _areas_explained(options: argparse.Namespace) -> "tuple[Areas, Area | None]":
    """The voxels to look at, and the atlas whose labels are regions."""
    from calibration.data.atlas import Area
    from calibration.data.regions import Areas

    if options.atlas is None:
        return areas_of(options), None
    if options.mask or options.early or options.ventral:
        raise BadDataset("an --atlas has its own regions: leave out --mask, --early and --ventral")
    atlas = Area.parse(options.atlas)
    return Areas(mask=atlas), atlas
