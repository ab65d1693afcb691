"""Calibration runs -> the patterns that decoders are fitted on, by the live path's own code."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.data.haemodynamics import fit_response
from calibration.data.realigned import RealignedOnce, reference_of
from calibration.data.tape import Tape
from rtrecon.bids import Run
from rtrecon.errors import BadDataset
from rtrecon.evidence import Evidence, Model
from rtrecon.preprocess import Preprocess
from rtrecon.quality import START_UP
from rtrecon.response import Response
from rtrecon.types import Geometry, Pattern, Trial, Volume

MIN_AGE_S = 5.0  # younger evidence is mostly noise and would pull the weights to nothing


@dataclass(frozen=True)
class Samples:
    """Patterns of several runs. `trials[n]` and `runs[n]` belong to row n of `patterns`.

    Attributes
    ----------
    patterns : float32 (n_samples, n_voxels)
    ages_s, variances : float64 (n_samples,)
    trials : int64 (n_samples,)
        Index into `shown`.
    runs : int64 (n_samples,)
    shown : tuple of Trial
    """

    patterns: NDArray[np.float32]
    ages_s: NDArray[np.float64]
    variances: NDArray[np.float64]
    trials: NDArray[np.int64]
    runs: NDArray[np.int64]
    shown: tuple[Trial, ...]

    def of(self, rows: NDArray[np.bool_]) -> "Samples":
        """Some of the samples (n_samples,)."""
        return Samples(
            self.patterns[rows], self.ages_s[rows], self.variances[rows],
            self.trials[rows], self.runs[rows], self.shown,
        )  # fmt: skip


@dataclass(frozen=True)
class Basis:
    """What patterns are made with; a live session needs the same.

    Attributes
    ----------
    geometry : Geometry
    reference : float32 (i, j, k) or None
        What volumes are realigned to.
    response : Response
    sd : float32 (n_voxels,)
        The voxels' noise.
    """

    geometry: Geometry
    reference: NDArray[np.float32] | None
    response: Response
    sd: NDArray[np.float32]


def samples_of(
    runs: Sequence[Run], voxels: NDArray[np.int64], realign: bool
) -> tuple[Samples, Basis]:
    """The patterns that a live session would have seen from `MIN_AGE_S` on, and their basis.

    The noise shows once the response is known, and the response once the noise is.

    Raises
    ------
    BadDataset
        Hardly any trials with evidence that old.
    """
    geometry, model = runs[0].geometry, Model()
    reference, aligned = None, None
    if realign:
        reference = reference_of(runs[0])
        aligned = RealignedOnce(reference, runs, voxels)
    canonical, sd, tape = default_response(runs), voxel_sd(runs, voxels), Tape()
    first = Preprocess(voxels, sd, tape, geometry.tr_s, aligned)
    for run in runs:
        patterns_of(run, first)
    sd = tape.noise_sd(Evidence(sd, canonical, model))
    response = fit_response(canonical, tape, sd, model)
    sd = tape.noise_sd(Evidence(sd, response, model))
    if aligned is not None:
        aligned.rewind()
    live = Preprocess(voxels, sd, Evidence(sd, response, model), geometry.tr_s, aligned)
    return _mature(collect(runs, live)), Basis(geometry, reference, response, sd)


def collect(runs: Sequence[Run], preprocess: Preprocess) -> Samples:
    """Every pattern that a live session would have seen in these runs."""
    patterns: list[Pattern] = []
    of_run: list[int] = []
    for number, run in enumerate(runs):
        found = patterns_of(run, preprocess)
        patterns += found
        of_run += [number] * len(found)
    if not patterns:
        raise BadDataset("no volume follows a stimulus: check the onsets in the events files")
    shown = {pattern.trial.number: pattern.trial for pattern in patterns}
    index = {number: n for n, number in enumerate(shown)}
    return Samples(
        np.stack([pattern.voxels for pattern in patterns]),
        np.array([pattern.age_s for pattern in patterns]),
        np.array([pattern.variance for pattern in patterns]),
        np.array([index[pattern.trial.number] for pattern in patterns]),
        np.array(of_run),
        tuple(shown.values()),
    )


def patterns_of(run: Run, preprocess: Preprocess) -> list[Pattern]:
    """The patterns of one run, volume by volume."""
    patterns = []
    for item in run.walk():
        if not isinstance(item, Volume):
            preprocess.mark(item)
        elif (pattern := preprocess.add(item)) is not None:
            patterns.append(pattern)
    return patterns


def voxel_sd(runs: Sequence[Run], voxels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Each voxel's standard deviation (n_voxels,): the runs' median, start-up left out."""
    flat = (run.data.reshape(-1, run.n_volumes, order="F") for run in runs)
    sds = [data[voxels, START_UP:].astype(np.float32).std(axis=1) for data in flat]
    return np.median(sds, axis=0).astype(np.float32)


def default_response(runs: Sequence[Run]) -> Response:
    """The canonical response to a stimulus of the usual duration."""
    durations = [trial.duration_s for run in runs for trial in run.trials]
    known = [duration for duration in durations if duration > 0]
    return Response(duration_s=float(np.median(known)) if known else 1.0)


def _mature(samples: Samples) -> Samples:
    kept = samples.ages_s >= MIN_AGE_S
    if len(np.unique(samples.trials[kept])) < 4:
        raise BadDataset(
            f"fewer than 4 trials have evidence older than {MIN_AGE_S:g} s: nothing can be fitted"
        )
    return samples.of(kept)
