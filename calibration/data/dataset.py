"""A BIDS dataset's runs and pictures; all that is wrong with it is told at once, before work begins."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.data.regions import NOTHING_NAMED, Areas
from rtrecon.bids import Recording, Run, open_run
from rtrecon.bids_files import Selection, entities, find_runs
from rtrecon.errors import BadDataset
from rtrecon.stimuli import unpack_picture
from rtrecon.types import Marker, Trial

_AFFINE_MM = 0.01
_APART_MM = 40.0  # a head further off than this is not found by realignment


def load_runs(
    dataset: Path, labels: Sequence[str] | None = None, select: Selection | None = None
) -> list[Run]:
    """The runs of a dataset that have trials, all with their slices in one place.

    Raises
    ------
    BadDataset
        As `open_dataset`.
    """
    return [run.load() for run in open_dataset(dataset, select or Selection(labels))]


def open_dataset(
    dataset: Path,
    select: Selection,
    areas: Areas = NOTHING_NAMED,
    realign: bool = False,
) -> list[Recording]:
    """The runs to use, checked together with the areas named, but not read yet.

    Runs of a task that nobody was shown anything in (rest) are left out.

    Parameters
    ----------
    realign : bool
        Runs whose slices lie elsewhere will be realigned: other sessions are welcome.

    Raises
    ------
    BadDataset
        All problems, one a line: runs that cannot be read, have no events or differ in shape,
        position or TR; pictures that are missing; areas that do not fit the runs.
    """
    recordings, problems = [], []
    for path in find_runs(dataset, select=select):
        try:
            recordings.append(open_run(path))
        except BadDataset as error:
            problems.append(str(error))
    with_trials = [run for run in recordings if run.trials]
    if recordings and not with_trials:
        problems.append(
            f"{dataset}: no run has an _events.tsv with trials: fitting needs to know what was shown"
        )
    tasks = {entities(run.bold).get("task") for run in with_trials}
    problems += [
        f"{run.name} has {'an empty' if run.trials is not None else 'no'} _events.tsv: "
        "add one, or leave the run out with --runs or --tasks"
        for run in recordings
        if not run.trials and entities(run.bold).get("task") in tasks
    ]
    if with_trials:
        problems += _unlike(with_trials, realign) + _bad_trials(with_trials)
        problems += areas.problems(with_trials[0].geometry)
    if problems:
        raise BadDataset.listing(dataset, problems)
    return with_trials


def load_stimuli(runs: Sequence[Run], trials: Sequence[Trial]) -> list[NDArray[np.uint8]] | None:
    """The presented pictures in the order of `trials`; None where the events name none.

    Raises
    ------
    BadDataset
        Pictures are named that are not there; all of them are told.
    """
    if not any(trial.stim_file for trial in trials):
        return None
    folder = runs[0].stimuli
    if problem := _missing(folder, trials):
        raise BadDataset(problem)
    return [_load_picture(folder / trial.stim_file) for trial in trials]


def caption_of(trial: Trial) -> str:
    """What the conditioning is made from: the caption, else the condition's name."""
    return trial.caption or trial.trial_type.replace("_", " ")


def _unlike(runs: Sequence[Recording], realign: bool) -> list[str]:
    """How runs differ from the first one."""
    first, problems = runs[0], []
    one = first.geometry
    for run in runs[1:]:
        other = run.geometry
        way = f"than {first.name}: choose runs of one protocol with --runs or --sessions"
        if other.shape != one.shape:
            problems.append(f"{run.name} has other voxels ({other.shape}, not {one.shape}) {way}")
        if abs(other.tr_s - one.tr_s) >= 1e-3:
            problems.append(f"{run.name} has another TR ({other.tr_s:g}, not {one.tr_s:g} s) {way}")
        apart_mm = float(np.abs(other.affine - one.affine).max())
        if apart_mm > (_APART_MM if realign else _AFFINE_MM):
            problems.append(f"{run.name} has another position (by {apart_mm:.3g} mm) {way}")
    return problems


def _bad_trials(runs: Sequence[Recording]) -> list[str]:
    problems = []
    for run in runs:
        trials, end_s = run.trials or (), run.volumes * run.geometry.tr_s
        late = sum(trial.onset_s >= end_s for trial in trials)
        if late > len(trials) / 2:
            problems.append(
                f"{run.name}: {late} of {len(trials)} onsets lie after its end ({end_s:g} s): "
                "write onsets in seconds from its first volume"
            )
        unnamed = sum(not (trial.trial_type or trial.caption) for trial in trials)
        if unnamed:
            problems.append(
                f"{run.name}: {unnamed} trials have neither trial_type nor caption: add one of them"
            )
    every = [trial for run in runs for trial in run.trials or ()]
    if any(trial.stim_file for trial in every):
        problem = _missing(runs[0].stimuli, every)
        problems += [problem] if problem else []
    return problems


def _missing(folder: Path, trials: Iterable[Trial | Marker]) -> str:
    named = {trial.stim_file for trial in trials}
    missing = sorted(name or "(none named)" for name in named if not (folder / name).is_file())
    if not missing:
        return ""
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return f"{len(missing)} stimuli are not in {folder}: {', '.join(missing[:5])}{more}"


def _load_picture(file: Path) -> NDArray[np.uint8]:
    try:
        return unpack_picture(file)
    except OSError as error:
        raise BadDataset(f"stimulus {file} cannot be read: {error}") from error
