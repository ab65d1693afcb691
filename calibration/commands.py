"""What each command does with its options; the command line itself is in __main__.py.

Modules are imported where they are needed: they load torch, and a mistake on the command line is told
before that.
"""

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtrecon.bids_files import Selection, entities
from rtrecon.errors import BadDataset

if TYPE_CHECKING:
    from calibration.held_out import HeldOut
    from calibration.nsd import NsdData
    from calibration.regions import Areas
    from calibration.study import Study
    from rtrecon.artifact import Artifact
    from rtrecon.bids import Recording
    from rtrecon.generators import Generator


def fit(options: argparse.Namespace) -> None:
    """Fit a decoder and write its folder."""
    from calibration.nsd_files import is_nsd
    from rtrecon.artifact import save_artifact

    artifact = (_fit_nsd if is_nsd(options.dataset) else _fit_bids)(options)
    save_artifact(artifact, options.output)
    about = artifact.about
    scores = ", ".join(f"{k} r = {r:.2f}" for k, r in sorted(about["held_out_correlation"].items()))
    print(
        f"{about['trials']} trials, {len(artifact.voxels)} voxels ({about['region']}); "
        f"held-out {scores}; decoder in {options.output}"
    )


def _fit_bids(options: argparse.Namespace) -> "Artifact":
    from calibration.dataset import open_dataset
    from calibration.fit import VOXELS
    from calibration.fit import fit as fitted
    from calibration.regions import load_region
    from rtrecon.generators import load_generator

    if options.average_repeats:
        raise BadDataset("--average-repeats is for a Natural Scenes folder: leave it out")
    areas = _areas(options)
    found = open_dataset(options.dataset, _selection(options), areas, not options.no_realign)
    realign = _realign(options, found)
    runs = [run.load() for run in found]
    region = load_region(runs, areas.mask, areas.early, areas.ventral, realign)
    generator = load_generator(options.generator)
    return fitted(runs, region, generator, _name(options, found), realign, options.voxels or VOXELS)


def _realign(options: argparse.Namespace, found: "Sequence[Recording]") -> bool:
    # Preprocessed runs have the head motion taken out already.
    return not options.no_realign and not any(run.preprocessed for run in found)


def _name(options: argparse.Namespace, found: "Sequence[Recording]") -> str:
    return options.name or f"sub-{entities(found[0].bold)['sub']}"


def _fit_nsd(options: argparse.Namespace) -> "Artifact":
    from calibration.nsd_fit import fit_nsd
    from rtrecon.generators import load_generator

    data = _nsd(options)
    return fit_nsd(data, load_generator(options.generator), options.name, options.voxels)


def _nsd(options: argparse.Namespace) -> "NsdData":
    from calibration.nsd import load_nsd

    _refuse_bids_options(options)
    return load_nsd(
        options.dataset, options.subject, options.sessions, _areas(options), options.average_repeats
    )


def _refuse_bids_options(options: argparse.Namespace) -> None:
    for option in ("runs", "tasks", "space"):
        if getattr(options, option) is not None:
            raise BadDataset(f"--{option} is for a BIDS dataset: choose with --sessions here")


def report(options: argparse.Namespace) -> None:
    """Fit, test and write a report."""
    from calibration.cluster import where
    from calibration.nsd_files import is_nsd
    from calibration.reporting import report as written
    from rtrecon.generators import load_generator

    generator = load_generator(options.generator)
    study = (_study_nsd if is_nsd(options.dataset) else _study_bids)(options, generator)
    page = written(study, generator, options.output, options.explained, where(options))
    print(f"report in {page}")


def _study_bids(options: argparse.Namespace, generator: "Generator") -> "Study":
    from calibration.dataset import open_dataset
    from calibration.fit import VOXELS
    from calibration.regions import load_region
    from calibration.study import study_runs

    areas = _areas(options)
    found = open_dataset(options.dataset, _selection(options), areas, not options.no_realign)
    fitted, tested = _split(found, options.test_runs)
    realign = _realign(options, found)
    runs = [run.load() for run in fitted]
    region = load_region(runs, areas.mask, areas.early, areas.ventral, realign)
    return study_runs(
        runs, [run.load() for run in tested], region, generator, _name(options, found), realign,
        options.voxels or VOXELS,
    )  # fmt: skip


def _split(
    found: "Sequence[Recording]", labels: Sequence[str] | None
) -> "tuple[list[Recording], list[Recording]]":
    """Runs to fit on and runs to test on."""
    own = [entities(one.bold).get("run", "1").lstrip("0") for one in found]
    wanted = own[-1:] if labels is None else [label.lstrip("0") for label in labels]
    if missing := sorted(set(wanted) - set(own)):
        raise BadDataset(f"--test-runs {' '.join(missing)}: the runs are {', '.join(own)}")
    fitted = [one for one, label in zip(found, own, strict=True) if label not in wanted]
    if not fitted:
        raise BadDataset("no run is left to fit on: a report takes two runs or more")
    return fitted, [one for one in found if one not in fitted]


def _study_nsd(options: argparse.Namespace, generator: "Generator") -> "Study":
    from calibration.study import study_nsd

    if options.test_runs is not None:
        raise BadDataset("--test-runs is for a BIDS dataset: here the shared images are the test")
    return study_nsd(_nsd(options), generator, options.name, options.voxels)


def _areas(options: argparse.Namespace) -> "Areas":
    from calibration.atlas import Area
    from calibration.regions import Areas

    named = (options.mask, options.early, options.ventral)
    return Areas(*(None if text is None else Area.parse(text) for text in named))


def _selection(options: argparse.Namespace) -> Selection:
    return Selection(options.runs, options.sessions, options.tasks, options.subject, options.space)


def evaluate(options: argparse.Namespace) -> None:
    """Print the scores of a decoder."""
    from calibration.evaluate import evaluate as scored
    from calibration.networks import local_networks
    from calibration.nsd_files import is_nsd
    from rtrecon.artifact import load_artifact
    from rtrecon.session import open_generator

    artifact = load_artifact(options.decoder)
    generator = open_generator(options.generator or artifact.generator.name, artifact)
    test = _test_nsd if is_nsd(options.dataset) else _test_bids
    held_out = test(options, artifact, generator)
    features, left_out = local_networks() if options.draw else ({}, {})
    scores = scored(artifact, held_out, generator, features, options.draw, left_out)
    print(json.dumps(scores, indent=1))


def _test_bids(
    options: argparse.Namespace, artifact: "Artifact", generator: "Generator"
) -> "HeldOut":
    from calibration.dataset import load_runs
    from calibration.held_out import held_out_runs

    runs = load_runs(options.dataset, select=_selection(options))
    return held_out_runs(artifact, runs, generator)


def _test_nsd(
    options: argparse.Namespace, artifact: "Artifact", generator: "Generator"
) -> "HeldOut":
    from calibration.held_out import held_out_images
    from calibration.nsd import load_nsd

    _refuse_bids_options(options)
    data = load_nsd(options.dataset, options.subject, options.sessions, decoder=artifact)
    return held_out_images(data, generator)


def explain(options: argparse.Namespace) -> None:
    """Write figures and maps, and print what they say."""
    from calibration.cluster import where
    from calibration.explain import Masks
    from calibration.explain import explain as explained

    masks = Masks(options.mask, options.atlas, options.early, options.ventral)
    results = explained(
        options.dataset,
        options.output,
        options.runs,
        masks,
        options.generator,
        not options.no_realign,
        options.conditions,
        where(options),
    )
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
        print("maps are on slices alone: these runs do not say that they lie in MNI space")
