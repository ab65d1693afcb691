"""The command line: rtrecon-calibrate fit | evaluate."""

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
    from calibration.regions import Areas
    from rtrecon.artifact import Artifact

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
    fit.add_argument(
        "dataset", type=Path, metavar="DATASET", help="a BIDS dataset, or a Natural Scenes folder"
    )
    fit.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the decoder's folder"
    )
    _add_selection(fit)
    fit.add_argument(
        "--mask",
        metavar="NIFTI",
        help=f"voxels for both z and c: {_AREA} (default: voxels that respond alike to repeated "
        "pictures, else the posterior third of the head)",
    )
    fit.add_argument("--early", metavar="NIFTI", help=f"early visual cortex, for z: {_AREA}")
    fit.add_argument("--ventral", metavar="NIFTI", help=f"higher visual cortex, for c: {_AREA}")
    fit.add_argument("--generator", default=DEFAULT_GENERATOR, metavar="NAME_OR_DIR")
    fit.add_argument(
        "--no-realign", action="store_true", help="the scanner corrects head motion itself"
    )
    fit.add_argument(
        "--voxels",
        type=_count,
        metavar="N",
        help="that z and c are each predicted from, the best of the mask (default: 1000; all of a "
        "Natural Scenes folder)",
    )
    fit.add_argument(
        "--average-repeats",
        action="store_true",
        help="Natural Scenes: one training sample an image, not one a trial",
    )
    fit.add_argument("--name", help="the person's label in messages (default: the subject's)")
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
    # Preprocessed runs have the head motion taken out already.
    realign = not options.no_realign and not any(run.preprocessed for run in found)
    runs = [run.load() for run in found]
    region = load_region(runs, areas.mask, areas.early, areas.ventral, realign)
    generator = load_generator(options.generator)
    name = options.name or f"sub-{entities(found[0].bold)['sub']}"
    return fit(runs, region, generator, name, realign, options.voxels or VOXELS)


def _fit_nsd(options: argparse.Namespace) -> "Artifact":
    from calibration.nsd import load_nsd
    from calibration.nsd_fit import fit_nsd
    from rtrecon.generators import load_generator

    for option in ("runs", "tasks", "space"):
        if getattr(options, option) is not None:
            raise BadDataset(f"--{option} is for a BIDS dataset: choose with --sessions here")
    data = load_nsd(
        options.dataset, options.subject, options.sessions, _areas(options), options.average_repeats
    )
    return fit_nsd(data, load_generator(options.generator), options.name, options.voxels)


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
