"""The command line: rtrecon-calibrate fit | evaluate | report | explain."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibration import commands
from calibration.cluster import add_options
from rtrecon.errors import Error

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
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = verbs.add_parser("fit", help="fit a person's decoders")
    fit.set_defaults(command=commands.fit)
    _add_fitting(fit, "the decoder's folder")
    report = verbs.add_parser("report", help="fit, test on other runs and write a report")
    report.set_defaults(command=commands.report)
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
    add_options(report)
    evaluate = verbs.add_parser("evaluate", help="score a decoder on held-out runs or images")
    evaluate.set_defaults(command=commands.evaluate)
    evaluate.add_argument("decoder", type=Path, metavar="DIR")
    evaluate.add_argument(
        "dataset",
        type=Path,
        metavar="DATASET",
        help="a BIDS dataset, or the Natural Scenes folder that was fitted on: its shared images",
    )
    _add_selection(evaluate)
    evaluate.add_argument("--generator", metavar="NAME_OR_DIR", help="default: the decoder's own")
    evaluate.add_argument(
        "--draw",
        action="store_true",
        help="draw the pictures, too, and compare them in pixels and in networks of the local cache",
    )
    _add_explain(verbs)
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


def _add_explain(verbs: Any) -> None:
    explain = verbs.add_parser(
        "explain", help="maps and figures of what in the model explains which part of the brain"
    )
    explain.set_defaults(command=commands.explain)
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
    add_options(explain)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of voxels: 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
