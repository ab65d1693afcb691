"""The command line: rtrecon-calibrate fit | report | evaluate | explain."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibration.cluster import add_options, count
from calibration.commands import explaining, fitting, testing
from rtrecon.errors import Error
from rtrecon.network import keep_offline
from rtrecon.printable import printable_lines

DEFAULT_GENERATOR = "miniature"
_AREAS = "Each NIFTI is a mask, or areas of an atlas by name or number: FILE:V1,V2 or FILE:1,2."
_OF_EACH = " {subject} in its name stands for each person's label."
_DATASET = "a BIDS dataset, or a Natural Scenes folder"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point: 0 done, 1 failed, 2 bad usage."""
    options = _parser().parse_args(argv)
    keep_offline()
    logging.basicConfig(format="rtrecon-calibrate: %(message)s", level=logging.WARNING)
    try:
        options.command(options)
    except Error as error:
        print(f"rtrecon-calibrate: {printable_lines(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    """Tells bad usage in one line."""

    def error(self, message: str) -> Any:
        self.exit(2, f"{self.prog}: {message} (usage: {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rtrecon-calibrate",
        description="Fit a person's decoders, test them, and see what explains their brain.",
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fit(verbs)
    _add_report(verbs)
    _add_evaluate(verbs)
    _add_explain(verbs)
    return parser


def _add_fit(verbs: Any) -> None:
    fit = _add(verbs, "fit", fitting.fit, "fit the decoders of a person, or of several")
    _add_dataset(fit, _DATASET)
    _add_output(fit, "the decoder's folder; of several people, with a folder sub-LABEL for each")
    _add_selection(fit, several=True)
    _add_fitting(fit)
    add_options(fit)


def _add_report(verbs: Any) -> None:
    report = _add(verbs, "report", fitting.report, "fit, test on other runs and write a report")
    _add_dataset(report, _DATASET)
    _add_output(
        report,
        "the report's folder, with the decoder in it; of several people, with a folder sub-LABEL "
        "for each",
    )
    _add_selection(report, several=True).add_argument(
        "--test-runs",
        nargs="+",
        metavar="LABEL",
        help="runs to test on and not to fit on (default: the last; the shared images of a Natural "
        "Scenes folder)",
    )
    _add_fitting(report)
    report.add_argument(
        "--explained", metavar="DIR", help="show figures that explain wrote (also {subject})"
    )
    add_options(report)


def _add_evaluate(verbs: Any) -> None:
    evaluate = _add(
        verbs, "evaluate", testing.evaluate, "score a decoder on held-out runs or images"
    )
    evaluate.add_argument("decoder", type=Path, metavar="DIR", help="that fit wrote")
    _add_dataset(
        evaluate,
        "a BIDS dataset, or the Natural Scenes folder that was fitted on: its shared images",
    )
    _add_selection(evaluate)
    evaluate.add_argument("--generator", metavar="NAME_OR_DIR", help="default: the decoder's own")
    evaluate.add_argument(
        "--draw",
        action="store_true",
        help="draw the pictures, too, and compare them in pixels and in networks of the local cache",
    )


def _add_explain(verbs: Any) -> None:
    explain = _add(
        verbs, "explain", explaining.explain,
        "maps and figures of what in the model explains which part of the brain",
    )  # fmt: skip
    _add_dataset(explain, _DATASET)
    _add_output(explain, "for figures, maps and explain.json")
    _add_selection(explain)
    _add_areas(explain, _AREAS, "to explain", "one region", "the other").add_argument(
        "--atlas", metavar="NIFTI", help="each of its labels is a region, or each that is named"
    )
    explain.add_argument(
        "--conditions",
        action="store_true",
        help="make c of the conditions' names and not of captions, which may tell the layout, too",
    )
    _add_generator(explain)
    _add_no_realign(explain)
    add_options(explain)


def _add(verbs: Any, name: str, command: Any, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}."
    )
    parser.set_defaults(command=command)
    return parser


def _add_dataset(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help=what)


def _add_output(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help=what)


def _add_selection(parser: argparse.ArgumentParser, several: bool = False) -> Any:
    group = parser.add_argument_group("which data")
    if several:
        group.add_argument(
            "--subject",
            nargs="+",
            metavar="LABEL",
            help="the person, or several, or 'all' (default: the only one)",
        )
    else:
        group.add_argument("--subject", metavar="LABEL", help="the person (default: the only one)")
    for option in ("sessions", "tasks", "runs"):
        ranges = "; of a Natural Scenes folder also ranges: 1-37" if option == "sessions" else ""
        group.add_argument(
            f"--{option}",
            nargs="+",
            metavar="LABEL",
            help=f"{option} to use (default: all){ranges}",
        )
    group.add_argument(
        "--space", metavar="NAME", help="use preprocessed runs in this space (fMRIPrep's space-)"
    )
    return group


def _add_areas(
    parser: argparse.ArgumentParser, about: str, mask: str, early: str, ventral: str
) -> Any:
    group = parser.add_argument_group("which voxels", about)
    group.add_argument(
        "--mask",
        metavar="NIFTI",
        help=f"voxels {mask} (default: voxels that respond alike to repeated pictures, else the "
        "posterior third of the head; early and ventral of a Natural Scenes folder)",
    )
    group.add_argument("--early", metavar="NIFTI", help=f"early visual cortex, {early}")
    group.add_argument("--ventral", metavar="NIFTI", help=f"higher visual cortex, {ventral}")
    return group


def _add_fitting(parser: argparse.ArgumentParser) -> None:
    group = _add_areas(parser, _AREAS + _OF_EACH, "for both z and c", "for z", "for c")
    group.add_argument(
        "--voxels",
        type=count,
        metavar="N",
        help="that z and c are each predicted from, the best of the mask (default: 1000; all of a "
        "Natural Scenes folder)",
    )
    group.add_argument(
        "--banded",
        action="store_true",
        help="predict z and c from early and ventral voxels both, and find how much each of the two "
        "counts (banded ridge; twelve times the work)",
    )
    parser.add_argument(
        "--average-repeats",
        action="store_true",
        help="Natural Scenes: one training sample an image, not one a trial",
    )
    _add_generator(parser)
    _add_no_realign(parser)
    parser.add_argument("--name", help="the person's label in messages (default: the subject's)")


def _add_generator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--generator",
        default=DEFAULT_GENERATOR,
        metavar="NAME_OR_DIR",
        help="the generative model (default: %(default)s)",
    )


def _add_no_realign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-realign", action="store_true", help="head motion is corrected already"
    )


if __name__ == "__main__":
    sys.exit(main())
