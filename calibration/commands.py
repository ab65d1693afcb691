"""What each command does with its options; the command line itself is in __main__.py.

Modules are imported where they are needed: they load torch, and a mistake on the command line is told
before that.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtrecon.bids_files import Selection, entities
from rtrecon.errors import BadDataset

if TYPE_CHECKING:
    from calibration.atlas import Area
    from calibration.evoked import Evoked
    from calibration.fit import Method
    from calibration.held_out import HeldOut
    from calibration.nsd import NsdData
    from calibration.regions import Areas
    from calibration.study import Study
    from rtrecon.artifact import Artifact
    from rtrecon.bids import Recording
    from rtrecon.generators import Generator


def fit(options: argparse.Namespace) -> None:
    """Fit decoders and write their folders, one a person."""
    from calibration.people import for_each
    from rtrecon.generators import find_generator

    find_generator(options.generator)
    for_each(options, fit_one, check)


def fit_one(options: argparse.Namespace) -> str:
    """Fit one person's decoder and write its folder; returns how well it does."""
    from calibration.nsd_files import is_nsd
    from rtrecon.artifact import save_artifact

    artifact = (_fit_nsd if is_nsd(options.dataset) else _fit_bids)(options)
    save_artifact(artifact, options.output)
    about = artifact.about
    scores = ", ".join(f"{k} r = {r:.2f}" for k, r in sorted(about["held_out_correlation"].items()))
    return (
        f"{about['trials']} trials, {len(artifact.voxels)} voxels ({about['region']}); "
        f"held-out {scores}; decoder in {options.output}"
    )


def check(options: argparse.Namespace) -> None:
    """Raise what can be found wrong with one person before anything slow begins."""
    from calibration.nsd import check_nsd
    from calibration.nsd_files import is_nsd

    if is_nsd(options.dataset):
        _refuse_bids_options(options)
        check_nsd(options.dataset, options.subject, options.sessions, _areas(options))
    else:
        _found(options)


def _fit_bids(options: argparse.Namespace) -> "Artifact":
    from calibration.cluster import where_asked
    from calibration.fit import PLAIN
    from calibration.fit import fit as fitted
    from calibration.regions import load_region
    from rtrecon.generators import load_generator

    found, areas = _found(options), _areas(options)
    realign = _realign(options, found)
    runs = [run.load() for run in found]
    region = load_region(runs, areas.mask, areas.early, areas.ventral, realign)
    return fitted(
        runs, region, load_generator(options.generator), _name(options, found), realign,
        _method(options, PLAIN), where_asked(options),
    )  # fmt: skip


def _found(options: argparse.Namespace) -> "Sequence[Recording]":
    from calibration.dataset import open_dataset

    if options.average_repeats:
        raise BadDataset("--average-repeats is for a Natural Scenes folder: leave it out")
    return open_dataset(
        options.dataset, _selection(options), _areas(options), not options.no_realign
    )


def _realign(options: argparse.Namespace, found: "Sequence[Recording]") -> bool:
    # Preprocessed runs have the head motion taken out already.
    return not options.no_realign and not any(run.preprocessed for run in found)


def _name(options: argparse.Namespace, found: "Sequence[Recording]") -> str:
    return options.name or f"sub-{entities(found[0].bold)['sub']}"


def _fit_nsd(options: argparse.Namespace) -> "Artifact":
    from calibration.cluster import where_asked
    from calibration.nsd_fit import EVERY, fit_nsd
    from rtrecon.generators import load_generator

    data, generator = _nsd(options), load_generator(options.generator)
    return fit_nsd(data, generator, options.name, _method(options, EVERY), where_asked(options))


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
    if getattr(options, "test_runs", None) is not None:
        raise BadDataset("--test-runs is for a BIDS dataset: here the shared images are the test")


def report(options: argparse.Namespace) -> None:
    """Fit, test and write reports, one a person."""
    from calibration.people import for_each
    from rtrecon.generators import find_generator

    find_generator(options.generator)
    for_each(options, report_one, check_report)


def check_report(options: argparse.Namespace) -> None:
    """As `check`, for a report."""
    from calibration.nsd_files import is_nsd
    from calibration.reporting import figures_of

    check(options)
    if not is_nsd(options.dataset):
        _split(_found(options), options.test_runs)
    figures_of(_folder(options.explained))


def report_one(options: argparse.Namespace) -> str:
    """Fit, test and write one person's report; returns where it is."""
    from calibration.cluster import where
    from calibration.nsd_files import is_nsd
    from calibration.reporting import figures_of
    from calibration.reporting import report as written
    from rtrecon.generators import load_generator

    figures = figures_of(_folder(options.explained))
    generator = load_generator(options.generator)
    study = (_study_nsd if is_nsd(options.dataset) else _study_bids)(options, generator)
    page = written(study, generator, options.output, figures, where(options))
    return f"report in {page}"


def _folder(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _study_bids(options: argparse.Namespace, generator: "Generator") -> "Study":
    from calibration.fit import PLAIN
    from calibration.regions import load_region
    from calibration.study import study_runs

    found, areas = _found(options), _areas(options)
    fitted, tested = _split(found, options.test_runs)
    realign = _realign(options, found)
    runs = [run.load() for run in fitted]
    region = load_region(runs, areas.mask, areas.early, areas.ventral, realign)
    return study_runs(
        runs, [run.load() for run in tested], region, generator, _name(options, found), realign,
        _method(options, PLAIN),
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
    from calibration.nsd_fit import EVERY
    from calibration.study import study_nsd

    return study_nsd(_nsd(options), generator, options.name, _method(options, EVERY))


def _method(options: argparse.Namespace, default: "Method") -> "Method":
    return replace(default, voxels=options.voxels or default.voxels, banded=options.banded)


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
    from calibration.explain import explain as explained
    from calibration.features import diffusion_preset
    from calibration.nsd_files import is_nsd

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
    from calibration.dataset import open_dataset
    from calibration.evoked import evoked_in_runs

    areas, atlas = _areas_explained(options)
    found = open_dataset(options.dataset, _selection(options), areas, not options.no_realign)
    return evoked_in_runs(found, areas, atlas, _realign(options, found), options.conditions)


def _evoked_nsd(options: argparse.Namespace) -> "Evoked":
    from calibration.evoked import evoked_in_betas
    from calibration.nsd import load_nsd

    _refuse_bids_options(options)
    if options.conditions:
        raise BadDataset("--conditions is for a BIDS dataset: Natural Scenes have captions alone")
    areas, atlas = _areas_explained(options)
    data = load_nsd(options.dataset, options.subject, options.sessions, areas)
    return evoked_in_betas(data, options.dataset, atlas)


def _areas_explained(options: argparse.Namespace) -> "tuple[Areas, Area | None]":
    """The voxels to look at, and the atlas whose labels are regions."""
    from calibration.atlas import Area
    from calibration.regions import Areas

    if options.atlas is None:
        return _areas(options), None
    if options.mask or options.early or options.ventral:
        raise BadDataset("an --atlas has its own regions: leave out --mask, --early and --ventral")
    atlas = Area.parse(options.atlas)
    return Areas(mask=atlas), atlas
