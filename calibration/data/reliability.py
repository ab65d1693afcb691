"""Which voxels answer the same picture alike each time: test-retest over repeated stimuli.

Which picture was shown when is used, but not what it shows. Since a voxel that passes by chance
makes held-out repeats look alike, voxels are kept by their false discovery rate: of noise alone
next to none.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm
from tqdm import tqdm

from calibration.data.realigned import reference_of
from rtrecon.bids import Run
from rtrecon.motion import Realign
from rtrecon.quality import START_UP
from rtrecon.response import Response

FDR = 0.05
PERMUTATIONS = 200
FEWEST_STIMULI = 10  # repeated ones; over fewer a correlation says little
_CUTOFF_S = 128.0  # slower than this is drift
_EXPECTED = 0.1  # of a full response: trials with less, at a run's end, have no estimate


class Reliable(NamedTuple):
    """`mask`: bool (n_voxels,), those that are reliable over as many `stimuli` as repeat."""

    mask: NDArray[np.bool_]
    stimuli: int


def reliable_in_runs(
    runs: Sequence[Run], voxels: NDArray[np.int64], realign: bool
) -> Reliable | None:
    """The reliable ones of some voxels (n_voxels,); None where hardly any picture is repeated."""
    shown = [np.array([trial.stim_file for trial in run.trials]) for run in runs]
    counts = Counter(name for names in shown for name in names.tolist() if name)
    if sum(count > 1 for count in counts.values()) < FEWEST_STIMULI:
        return None
    courses = _realigned(runs, voxels) if realign else _as_they_lie(runs, voxels)
    responses, names = [], []
    for run, stimuli, course in zip(runs, shown, courses, strict=True):
        found, known = trial_responses(run, course)
        responses.append(_scaled(found))
        names.append(stimuli[known])
    return reliable(np.concatenate(responses), np.concatenate(names))


def reliable(responses: NDArray[np.floating], stimuli: NDArray[np.str_]) -> Reliable | None:
    """Voxels whose pattern over stimuli repeats; None with fewer than `FEWEST_STIMULI` repeated.

    Each voxel's responses to the odd showings of each stimulus are correlated with those to the
    even ones, and compared with the voxel's own correlations after shuffling the stimuli of one
    half; among all voxels the false discovery rate is held at `FDR` (Benjamini and Hochberg).

    Parameters
    ----------
    responses : float (n_trials, n_voxels)
        One a trial, each run's mean taken out.
    stimuli : str (n_trials,)
        What was shown; "" is no stimulus.
    """
    names, counts = np.unique(stimuli[stimuli != ""], return_counts=True)
    repeated = names[counts > 1]
    if len(repeated) < FEWEST_STIMULI:
        return None
    showings = [np.flatnonzero(stimuli == name) for name in repeated]
    halves = [
        _unit(np.stack([responses[of_one[start::2]].mean(axis=0) for of_one in showings]))
        for start in (0, 1)
    ]
    rng = np.random.default_rng(0)
    chance = [
        np.arctanh((halves[0] * halves[1][rng.permutation(len(repeated))]).sum(axis=0) * 0.999999)
        for _ in range(PERMUTATIONS)
    ]
    seen = np.arctanh((halves[0] * halves[1]).sum(axis=0) * 0.999999)
    spread = np.maximum(np.std(chance, axis=0, ddof=1), 1e-12)
    p = norm.sf((seen - np.mean(chance, axis=0)) / spread)
    return Reliable(false_discovery_control(p) < FDR, len(repeated))


def trial_responses(
    run: Run, course: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Each trial's response by one regression over the whole run, with drift.

    Parameters
    ----------
    course : float32 (n_volumes, n_voxels)

    Returns
    -------
    responses : float32 (n_known, n_voxels)
    known : bool (n_trials,)
        Trials that end early enough in the run to be known.
    """
    tr_s, response = run.geometry.tr_s, Response()
    middle_s = (np.arange(run.n_volumes) + 0.5) * tr_s
    expected = np.array(
        [
            [response.at(at_s - trial.onset_s, trial.duration_s) for trial in run.trials]
            for at_s in middle_s
        ]
    )
    largest = float(np.median(expected.max(axis=0)))
    known = expected[START_UP:].max(axis=0) > max(_EXPECTED * largest, 1e-6)
    waves = np.arange(1 + int(2 * run.n_volumes * tr_s / _CUTOFF_S))
    drift = np.cos(np.pi * np.outer(np.arange(run.n_volumes) + 0.5, waves) / run.n_volumes)
    design = np.hstack([expected[:, known], drift])[START_UP:]
    found = np.linalg.pinv(design)[: known.sum()] @ course[START_UP:].astype(np.float64)
    return found.astype(np.float32), known


def _as_they_lie(runs: Sequence[Run], voxels: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    flat = (run.data.reshape(-1, run.n_volumes, order="F") for run in runs)
    return [data[voxels].T.astype(np.float32) for data in flat]


def _realigned(runs: Sequence[Run], voxels: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    reference, affine = reference_of(runs[0]), runs[0].geometry.affine
    courses = []
    for run in tqdm(runs, desc="reliable voxels", unit="run", disable=None):
        realign = Realign(reference, affine, voxels, moving=run.geometry.affine, fast=True)
        volumes = np.stack([realign(run.data[..., n])[0] for n in range(run.n_volumes)])
        # A voxel that left the field of view for a while says nothing.
        courses.append(np.where(np.isfinite(volumes).all(axis=0), volumes, 0))
    return courses


def _scaled(responses: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = responses - responses.mean(axis=0)
    return centred / np.maximum(centred.std(axis=0), 1e-12)


def _unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Each column centred and scaled to length 1."""
    centred = rows - rows.mean(axis=0)
    return centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-12)
