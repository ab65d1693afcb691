"""`fit` and `report`: a person's decoders, or several people's, and what they are worth."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibration.commands.options import (
    areas_of,
    found_runs,
    realigned,
    refuse_bids_options,
)
from rtrecon.bids_files import entities
from rtrecon.errors import BadDataset

if TYPE_CHECKING:
    from calibration.fitting.fit import Method
    from calibration.nsd.person import NsdData
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
    from calibration.nsd.files import is_nsd
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
    from calibration.nsd.files import is_nsd
    from calibration.nsd.person import check_nsd

    if is_nsd(options.dataset):
        refuse_bids_options(options)
        check_nsd(options.dataset, options.subject, options.sessions, areas_of(options))
    else:
        found_runs(options)


def _fit_bids(options: argparse.Namespace) -> "Artifact":
    from calibration.cluster import where_asked
    from calibration.data.regions import load_region
    from calibration.fitting.fit import PLAIN
    from calibration.fitting.fit import fit as fitted
    from rtrecon.generators import load_generator

    found, areas = found_runs(options), areas_of(options)
    realign = realigned(options, found)
    runs = [run.load() for run in found]
    region = load_region(runs, areas.mask, areas.early, areas.ventral, realign)
    return fitted(
        runs, region, load_generator(options.generator), _name(options, found), realign,
        _method(options, PLAIN), where_asked(options),
    )  # fmt: skip


def _fit_nsd(options: argparse.Namespace) -> "Artifact":
    from calibration.cluster import where_asked
    from calibration.nsd.fit import EVERY, fit_nsd
    from rtrecon.generators import load_generator

    data, generator = _nsd(options), load_generator(options.generator)
    return fit_nsd(data, generator, options.name, _method(options, EVERY), where_asked(options))


def report(options: argparse.Namespace) -> None:
    """Fit, test and write reports, one a person."""
    from calibration.people import for_each
    from rtrecon.generators import find_generator

    find_generator(options.generator)
    for_each(options, report_one, check_report)


def check_report(options: argparse.Namespace) -> None:
    """As `check`, for a report."""
    from calibration.nsd.files import is_nsd
    from calibration.reporting.make import figures_of

    check(options)
    if not is_nsd(options.dataset):
        _split(found_runs(options), options.test_runs)
    figures_of(_folder(options.explained))


def report_one(options: argparse.Namespace) -> str:
    """Fit, test and write one person's report; returns where it is."""
    from calibration.cluster import where
    from calibration.nsd.files import is_nsd
    from calibration.reporting.make import figures_of
    from calibration.reporting.make import report as written
    from rtrecon.generators import load_generator

    figures = figures_of(_folder(options.explained))
    generator = load_generator(options.generator)
    study = (_study_nsd if is_nsd(options.dataset) else _study_bids)(options, generator)
    page = written(study, generator, options.output, figures, where(options))
    return f"report in {page}"


def _folder(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _study_bids(options: argparse.Namespace, generator: "Generator") -> "Study":
    from calibration.data.regions import load_region
    from calibration.fitting.fit import PLAIN
    from calibration.study import study_runs

    found, areas = found_runs(options), areas_of(options)
    fitted, tested = _split(found, options.test_runs)
    realign = realigned(options, found)
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
    from calibration.nsd.fit import EVERY
    from calibration.study import study_nsd

    return study_nsd(_nsd(options), generator, options.name, _method(options, EVERY))


def _nsd(options: argparse.Namespace) -> "NsdData":
    from calibration.nsd.person import load_nsd

    refuse_bids_options(options)
    return load_nsd(
        options.dataset,
        options.subject,
        options.sessions,
        areas_of(options),
        options.average_repeats,
    )


def _method(options: argparse.Namespace, default: "Method") -> "Method":
    return replace(default, voxels=options.voxels or default.voxels, banded=options.banded)


def _name(options: argparse.Namespace, found: "Sequence[Recording]") -> str:
    return options.name or f"sub-{entities(found[0].bold)['sub']}"
