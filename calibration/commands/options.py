"""What the options of several commands say of the data."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtrecon.bids_files import Selection
from rtrecon.errors import BadDataset

if TYPE_CHECKING:
    from calibration.data.regions import Areas
    from rtrecon.bids import Recording


def selection_of(options: argparse.Namespace) -> Selection:
    """Which runs are meant."""
    return Selection(options.runs, options.sessions, options.tasks, options.subject, options.space)


def areas_of(options: argparse.Namespace) -> "Areas":
    """The voxels that are named."""
    from calibration.data.atlas import Area
    from calibration.data.regions import Areas

    named = (options.mask, options.early, options.ventral)
    return Areas(*(None if text is None else Area.parse(text) for text in named))


def found_runs(options: argparse.Namespace) -> "Sequence[Recording]":
    """The runs of a BIDS dataset, checked and still unread.

    Raises
    ------
    BadDataset
        As `open_dataset`.
    """
    from calibration.data.dataset import open_dataset

    if options.average_repeats:
        raise BadDataset("--average-repeats is for a Natural Scenes folder: leave it out")
    return open_dataset(
        options.dataset, selection_of(options), areas_of(options), not options.no_realign
    )


def realigned(options: argparse.Namespace, found: "Sequence[Recording]") -> bool:
    """Whether volumes are realigned; preprocessed runs have the head motion taken out already."""
    return not options.no_realign and not any(run.preprocessed for run in found)


def refuse_bids_options(options: argparse.Namespace) -> None:
    """Raise `BadDataset` for what a Natural Scenes folder has no use for."""
    for option in ("runs", "tasks", "space"):
        if getattr(options, option) is not None:
            raise BadDataset(f"--{option} is for a BIDS dataset: choose with --sessions here")
    if getattr(options, "test_runs", None) is not None:
        raise BadDataset("--test-runs is for a BIDS dataset: here the shared images are the test")
