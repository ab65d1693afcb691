"""The command line: rtrecon-calibrate fit | evaluate."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

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
    evaluate.add_argument(
        "--draw",
        action="store_true",
        help="draw the pictures, too, and compare them in pixels and in networks of the local cache",
    )
    return parser


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
    from calibration.networks import local_networks
    from rtrecon.artifact import load_artifact
    from rtrecon.session import open_generator

    artifact = load_artifact(options.decoder)
    runs = load_runs(options.dataset, options.runs)
    generator = open_generator(options.generator or artifact.generator.name, artifact)
    features, left_out = local_networks() if options.draw else ({}, {})
    scores = evaluate(artifact, runs, generator, features, options.draw, left_out)
    print(json.dumps(scores, indent=1))


if __name__ == "__main__":
    sys.exit(main())
