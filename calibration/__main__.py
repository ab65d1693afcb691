"""The command line: rtrecon-calibrate fit | evaluate | explain."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rtrecon.errors import Error

DEFAULT_GENERATOR = "miniature"


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
    fit.add_argument("dataset", type=Path, metavar="BIDS_DIR")
    fit.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the decoder's folder"
    )
    fit.add_argument(
        "--runs", nargs="+", metavar="N", help="labels of the runs to use (default: all)"
    )
    fit.add_argument(
        "--mask",
        type=Path,
        metavar="NIFTI",
        help="voxels for both z and c (default: the posterior third of the head)",
    )
    fit.add_argument("--early", type=Path, metavar="NIFTI", help="early visual cortex, for z")
    fit.add_argument("--ventral", type=Path, metavar="NIFTI", help="higher visual cortex, for c")
    fit.add_argument("--generator", default=DEFAULT_GENERATOR, metavar="NAME_OR_DIR")
    fit.add_argument(
        "--no-realign", action="store_true", help="the scanner corrects head motion itself"
    )
    fit.add_argument(
        "--voxels",
        type=_count,
        default=1000,
        metavar="N",
        help="that z and c are each predicted from, the best of the mask (default: 1000)",
    )
    fit.add_argument("--name", default="sub-01", help="the person's label in messages")
    evaluate = commands.add_parser("evaluate", help="score a decoder on held-out runs")
    evaluate.set_defaults(command=_evaluate)
    evaluate.add_argument("decoder", type=Path, metavar="DIR")
    evaluate.add_argument("dataset", type=Path, metavar="BIDS_DIR")
    evaluate.add_argument(
        "--runs", nargs="+", metavar="N", help="labels of the runs to use (default: all)"
    )
    evaluate.add_argument("--generator", metavar="NAME_OR_DIR", help="default: the decoder's own")
    _add_explain(commands)
    return parser


def _add_explain(commands: Any) -> None:
    explain = commands.add_parser(
        "explain", help="maps and figures of what in the model explains which part of the brain"
    )
    explain.set_defaults(command=_explain)
    explain.add_argument("dataset", type=Path, metavar="BIDS_DIR")
    explain.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="for figures and explain.json"
    )
    explain.add_argument(
        "--runs", nargs="+", metavar="N", help="labels of the runs to use (default: all)"
    )
    explain.add_argument(
        "--mask",
        type=Path,
        metavar="NIFTI",
        help="voxels to explain (default: the posterior third of the head)",
    )
    explain.add_argument("--early", type=Path, metavar="NIFTI", help="early visual cortex")
    explain.add_argument("--ventral", type=Path, metavar="NIFTI", help="higher visual cortex")
    explain.add_argument(
        "--atlas",
        type=Path,
        metavar="NIFTI",
        help="labelled voxels: each label is a region, named in a table (.tsv) beside it",
    )
    explain.add_argument(
        "--conditions",
        action="store_true",
        help="make c of the conditions' names and not of captions, which may tell the layout, too",
    )
    explain.add_argument("--generator", default=DEFAULT_GENERATOR, metavar="NAME_OR_DIR")
    explain.add_argument(
        "--no-realign", action="store_true", help="head motion is corrected already"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of voxels: 1 or more")
    return int(text)


def _fit(options: argparse.Namespace) -> None:
    # Imported here: these load torch, and a mistake on the command line is told before that.
    from calibration.dataset import load_region, load_runs
    from calibration.fit import fit
    from rtrecon.artifact import save_artifact
    from rtrecon.generators import load_generator

    runs = load_runs(options.dataset, options.runs)
    region = load_region(runs, options.mask, options.early, options.ventral)
    generator = load_generator(options.generator)
    artifact = fit(runs, region, generator, options.name, not options.no_realign, options.voxels)
    save_artifact(artifact, options.output)
    scores = artifact.about["held_out_correlation"]
    said = ", ".join(f"{name} r = {r:.2f}" for name, r in sorted(scores.items()))
    print(
        f"{artifact.about['trials']} trials, {len(region.voxels)} voxels; held-out {said}; decoder in {options.output}"
    )


def _evaluate(options: argparse.Namespace) -> None:
    from calibration.dataset import load_runs
    from calibration.evaluate import evaluate
    from rtrecon.artifact import load_artifact
    from rtrecon.session import open_generator

    artifact = load_artifact(options.decoder)
    runs = load_runs(options.dataset, options.runs)
    generator = open_generator(options.generator or artifact.generator.name, artifact)
    print(json.dumps(evaluate(artifact, runs, generator), indent=1))


def _explain(options: argparse.Namespace) -> None:
    from calibration.explain import Masks, explain

    masks = Masks(options.mask, options.atlas, options.early, options.ventral)
    results = explain(
        options.dataset,
        options.output,
        options.runs,
        masks,
        options.generator,
        not options.no_realign,
        options.conditions,
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


if __name__ == "__main__":
    sys.exit(main())
