"""The command line: rtrecon-calibrate fit | evaluate | report."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtrecon.bids_files import Selection, entities
from rtrecon.errors import BadDataset, Error

if TYPE_CHECKING:
    from calibration.nsd import NsdData
    from calibration.regions import Areas
    from calibration.study import Study
    from rtrecon.artifact import Artifact
    from rtrecon.bids import Recording
    from rtrecon.generators import Generator

DEFAULT_GENERATOR = "miniature"
_AREA = "a mask, or areas of an atlas: FILE:NAME,NAME or FILE:1,2"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point: 0 done, 1 failed, 2 bad usage."""
    options = _parser().parse_args(argv)
    logging.basicConfig(format="rtrecon-calibrate: %(message)s", level=logging.WARNING)
    try:
        options.command(options)
    except Error as error:
        print(f"rtrecon-calibrate: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rtrecon-calibrate", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = commands.add_parser("fit", help="fit a person's decoders")
    fit.set_defaults(command=_fit)
    _add_fitting(fit, "the decoder's folder")
    report = commands.add_parser("report", help="fit, test on other runs and write a report")
    report.set_defaults(command=_report)
    _add_fitting(report, "the report's folder, with the decoder in it")
    report.add_argument(
        "--test-runs",
        nargs="+",
        metavar="LABEL",
        help="runs to test on and not to fit on (default: the last; the shared images of a Natural "
        "Scenes folder)",
    )
    report.add_argument(
        "--explained", type=Path, metavar="DIR", help="figures that explain wrote, to be shown"
    )
    evaluate = commands.add_parser("evaluate", help="score a decoder on held-out runs")
    evaluate.set_defaults(command=_evaluate)
    evaluate.add_argument("decoder", type=Path, metavar="DIR")
    evaluate.add_argument("dataset", type=Path, metavar="BIDS_DIR")
    _add_selection(evaluate)
    evaluate.add_argument("--generator", metavar="NAME_OR_DIR", help="default: the decoder's own")
    evaluate.add_argument(
        "--draw",
        action="store_true",
        help="draw the pictures, too, and compare them in pixels and in networks of the local cache",
    )
    return parser


def _add_fitting(parser: argparse.ArgumentParser, output: str) -> None:
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="a BIDS dataset, or a Natural Scenes folder"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help=output)
    _add_selection(parser)
    parser.add_argument(
        "--mask",
        metavar="NIFTI",
        help=f"voxels for both z and c: {_AREA} (default: voxels that respond alike to repeated "
        "pictures, else the posterior third of the head)",
    )
    parser.add_argument("--early", metavar="NIFTI", help=f"early visual cortex, for z: {_AREA}")
    parser.add_argument("--ventral", metavar="NIFTI", help=f"higher visual cortex, for c: {_AREA}")
    parser.add_argument("--generator", default=DEFAULT_GENERATOR, metavar="NAME_OR_DIR")
    parser.add_argument(
        "--no-realign", action="store_true", help="the scanner corrects head motion itself"
    )
    parser.add_argument(
        "--voxels",
        type=_count,
        metavar="N",
        help="that z and c are each predicted from, the best of the mask (default: 1000; all of a "
        "Natural Scenes folder)",
    )
    parser.add_argument(
        "--average-repeats",
        action="store_true",
        help="Natural Scenes: one training sample an image, not one a trial",
    )
    parser.add_argument("--name", help="the person's label in messages (default: the subject's)")


def _add_selection(parser: argparse.ArgumentParser) -> None:
    for option, what in (("runs", "runs"), ("sessions", "sessions"), ("tasks", "tasks")):
        parser.add_argument(
            f"--{option}", nargs="+", metavar="LABEL", help=f"{what} to use (default: all)"
        )
    parser.add_argument("--subject", metavar="LABEL", help="the person, where there are several")
    parser.add_argument(
        "--space", metavar="NAME", help="use preprocessed runs in this space (fMRIPrep's space-)"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of voxels: 1 or more")
    return int(text)


def _fit(options: argparse.Namespace) -> None:
    # Imported here: these load torch, and a mistake on the command line is told before that.
    from calibration.nsd_files import is_nsd
    from rtrecon.artifact import save_artifact

    artifact = (_fit_nsd if is_nsd(options.dataset) else _fit_bids)(options)
    save_artifact(artifact, options.output)
    about = artifact.about
    scores = ", ".join(f"{k} r = {r:.2f}" for k, r in sorted(about["held_out_correlation"].items()))
    tested = "".join(f", {k} {v:.2f}" for k, v in about.get("test", {}).get("two_way", {}).items())
    print(
        f"{about['trials']} trials, {len(artifact.voxels)} voxels ({about['region']}); "
        f"held-out {scores}{'; test set two-way' + tested[1:] if tested else ''}; "
        f"decoder in {options.output}"
    )


def _fit_bids(options: argparse.Namespace) -> "Artifact":
    from calibration.dataset import open_dataset
    from calibration.fit import VOXELS, fit
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
    return fit(runs, region, generator, _name(options, found), realign, options.voxels or VOXELS)


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

    for option in ("runs", "tasks", "space"):
        if getattr(options, option) is not None:
            raise BadDataset(f"--{option} is for a BIDS dataset: choose with --sessions here")
    return load_nsd(
        options.dataset, options.subject, options.sessions, _areas(options), options.average_repeats
    )


def _report(options: argparse.Namespace) -> None:
    from calibration.nsd_files import is_nsd
    from calibration.reporting import report
    from rtrecon.generators import load_generator

    generator = load_generator(options.generator)
    study = (_study_nsd if is_nsd(options.dataset) else _study_bids)(options, generator)
    page = report(study, generator, options.output, options.explained)
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


def _evaluate(options: argparse.Namespace) -> None:
    from calibration.dataset import load_runs
    from calibration.evaluate import evaluate
    from calibration.networks import local_networks
    from calibration.nsd_files import is_nsd
    from rtrecon.artifact import load_artifact
    from rtrecon.session import open_generator

    if is_nsd(options.dataset):
        raise BadDataset(
            f"{options.dataset} is a Natural Scenes folder, whose test set is scored by fit: see "
            f"about.test in {options.decoder / 'decoder.json'}"
        )
    artifact = load_artifact(options.decoder)
    runs = load_runs(options.dataset, select=_selection(options))
    generator = open_generator(options.generator or artifact.generator.name, artifact)
    features, left_out = local_networks() if options.draw else ({}, {})
    scores = evaluate(artifact, runs, generator, features, options.draw, left_out)
    print(json.dumps(scores, indent=1))


if __name__ == "__main__":
    sys.exit(main())
