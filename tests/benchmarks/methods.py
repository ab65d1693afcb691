"""Ways from a run's voxels to a pattern a volume, for the benchmark of the evidence.

Each takes the run's series, float32 (n_volumes, n_voxels), and yields one pattern or None a volume.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from calibration.data.samples import Samples
from rtrecon.bids import Run
from rtrecon.evidence import Evidence, Model
from rtrecon.free_viewing import FreeViewing
from rtrecon.preprocess import Weighs
from rtrecon.quality import START_UP, Inspect
from rtrecon.response import Response
from rtrecon.types import Trial

Series = NDArray[np.float32]
Patterns = Iterator[NDArray[np.float32] | None]
Method = Callable[[Run, Series, NDArray[np.float32], Response], Patterns]
MEMORY_S = 60.0  # of the running z-score
PRIOR_VOLUMES = 20  # what the calibration's variance is worth against the run's own
MIN_WEIGHT = 0.05  # share of a long block's response under which a volume says nothing
CUTOFF_S = 128.0  # drift slower than this is taken out by cosines


def series(run: Run, voxels: NDArray[np.int64]) -> Series:
    """The voxels of every volume: (n_volumes, n_voxels)."""
    return run.data.reshape(-1, run.n_volumes, order="F")[voxels].T.astype(np.float32)


def trials_of(run: Run) -> list[Trial]:
    """The run's trials, counted from 0."""
    return [Trial(n, m.trial_type, m.onset_s, m.duration_s) for n, m in enumerate(run.trials)]


def middles_s(run: Run) -> NDArray[np.float64]:
    """The middle of each volume's acquisition."""
    return (np.arange(run.n_volumes) + 0.5) * run.geometry.tr_s


def current(run: Run) -> list[Trial | None]:
    """The trial that each volume belongs to."""
    onsets = np.array([trial.onset_s for trial in trials_of(run)])
    of_volume = np.searchsorted(onsets, middles_s(run), side="right") - 1
    return [trials_of(run)[n] if n >= 0 else None for n in of_volume]


def sample(run: Run, patterns: Patterns) -> Samples:
    """Patterns less their mean over voxels; age: from onset to the START of the newest volume."""
    rows, ages_s, trials = [], [], []
    for n, (trial, pattern) in enumerate(zip(current(run), patterns, strict=True)):
        if trial is not None and pattern is not None:
            rows.append(pattern - pattern.mean())
            ages_s.append(n * run.geometry.tr_s - trial.onset_s)
            trials.append(trial.number)
    shown, runs = tuple(trials_of(run)), np.zeros(len(rows), np.int64)
    ages = np.array(ages_s)
    return Samples(
        np.array(rows, np.float32), ages, np.zeros_like(ages), np.array(trials), runs, shown
    )


def recursion(model: Model | None = None, watched: bool = True) -> Method:
    """What is live; `watched`: with volumes and voxels weighted by their quality."""
    return gathered(lambda sd, response: Evidence(sd, response, model), watched)


def gathered(
    evidence_of: Callable[[NDArray[np.float32], Response], Weighs], watched: bool = True
) -> Method:
    """The live path's way through a run, whatever gathers the evidence."""

    def patterns(run: Run, y: Series, sd: NDArray[np.float32], response: Response) -> Patterns:
        evidence, inspect, begun = evidence_of(sd, response), Inspect(sd), -1
        for n, (at_s, trial) in enumerate(zip(middles_s(run), current(run), strict=True)):
            if trial is not None and trial.number > begun:
                for missed in trials_of(run)[begun + 1 : trial.number + 1]:
                    evidence.begin(missed)
                begun = trial.number
            quality = inspect(y[n])
            seen = np.where(quality.usable, y[n], np.nan) if watched else y[n]
            weight = quality.weight if watched else float(n >= START_UP)
            estimate = evidence.add(seen, at_s, weight)
            yield None if estimate is None else estimate.amplitude

    return patterns


def noise_sd(
    run: Run, y: Series, sd: NDArray[np.float32], response: Response
) -> NDArray[np.float32]:
    """Each voxel's noise SD in a calibration run, by the filter's own surprises."""
    evidence = Evidence(sd, response)
    trials = trials_of(run)
    for n, at_s in enumerate(middles_s(run)):
        while trials and trials[0].onset_s <= at_s:
            evidence.begin(trials.pop(0))
        evidence.add(y[n], at_s, float(n >= START_UP))
    return evidence.noise_sd


class RunningZ:
    """Each voxel against its own recent past, with exponential forgetting.

    Parameters
    ----------
    sd : float32 (n_voxels,)
        Each voxel's standard deviation in the calibration, worth `PRIOR_VOLUMES`.
    memory : float
        Volumes after which a weight has fallen to 1/e: long against a trial, short against drift.
    """

    def __init__(self, sd: NDArray[np.float32], memory: float) -> None:
        self._memory = memory
        self._sd = sd.astype(np.float64)
        self.restart()

    def restart(self) -> None:
        """Forget the run."""
        self._weight = 0.0
        self._mean = np.zeros_like(self._sd)
        self._variance = self._sd**2

    def add(self, voxels: NDArray[np.float64]) -> NDArray[np.float32]:
        """The z-scores (n_voxels,) of one volume's voxels, which then count as past themselves."""
        self._weight = self._weight * np.exp(-1 / self._memory) + 1
        change = voxels - self._mean
        self._mean += change / self._weight
        rest = voxels - self._mean
        self._variance += (change * rest - self._variance) / (PRIOR_VOLUMES + self._weight)
        return (rest / np.sqrt(np.maximum(self._variance, 1e-12))).astype(np.float32)


def running_z(run: Run, y: Series, sd: NDArray[np.float32], response: Response) -> Patterns:
    """The running z-score, averaged with the response's weights."""
    z = RunningZ(sd, MEMORY_S / run.geometry.tr_s)
    scores = (
        np.zeros_like(row) if n < START_UP else z.add(row.astype(float)) for n, row in enumerate(y)
    )
    return _averaged(run, scores, response)


def whole_run_z(run: Run, y: Series, sd: NDArray[np.float32], response: Response) -> Patterns:
    """Looks ahead: detrended and z-scored over the whole run, then averaged the same way."""
    steady = y[START_UP:].astype(float)
    drift = np.column_stack([np.ones(len(steady)), np.linspace(-1, 1, len(steady))])
    rest = steady - drift @ np.linalg.lstsq(drift, steady, rcond=None)[0]
    z = (rest / np.maximum(rest.std(axis=0), 1e-6)).astype(np.float32)
    return _averaged(
        run, iter(np.vstack([np.zeros((START_UP, z.shape[1]), np.float32), z])), response
    )


def _averaged(run: Run, scores: Patterns, response: Response) -> Patterns:
    total, weights, of = 0.0, 0.0, None
    for n, (z, at_s, trial) in enumerate(zip(scores, middles_s(run), current(run), strict=True)):
        if trial != of:
            total, weights, of = 0.0, 0.0, trial
        weight = 0.0 if trial is None else response.at(at_s - trial.onset_s, trial.duration_s)
        if n >= START_UP and weight >= MIN_WEIGHT:
            total, weights = total + np.float32(weight) * z, weights + weight
        yield total / np.float32(weights) if weights else None


def batch_glm(run: Run, y: Series, sd: NDArray[np.float32], response: Response) -> Patterns:
    """With each volume a least-squares fit to all so far: this trial, those before, cosine drift."""
    trials = trials_of(run)
    for n, trial in enumerate(current(run)):
        at_s = middles_s(run)[START_UP : n + 1]
        courses = [[response.at(t - o.onset_s, o.duration_s) for t in at_s] for o in trials]
        if trial is None or not len(at_s) or max(courses[trial.number]) < MIN_WEIGHT:
            yield None
            continue
        columns = [np.array(courses[trial.number]), np.ones(len(at_s))]
        if trial.number:
            columns.append(np.sum(courses[: trial.number], axis=0))
        phase = (np.arange(len(at_s)) + 0.5) / len(at_s)
        cosines = int(2 * len(at_s) * run.geometry.tr_s / CUTOFF_S)
        columns += [np.cos(np.pi * k * phase) for k in range(1, cosines + 1)]
        design = np.column_stack(columns)
        solve, seen = np.linalg.pinv(design), y[START_UP : n + 1].astype(float)
        squares = ((seen - design @ (solve @ seen)) ** 2).sum(axis=0)
        noise = (40 * sd.astype(float) ** 2 + squares) / (40 + len(seen))
        yield (solve[0] @ seen / np.sqrt(noise)).astype(np.float32)


def free_viewing(run: Run, y: Series, sd: NDArray[np.float32], response: Response) -> Patterns:
    """Markers unknown: what was seen about 5 s before each volume."""
    viewing, inspect = FreeViewing(sd, response), Inspect(sd)
    for row, at_s in zip(y, middles_s(run), strict=True):
        quality = inspect(row)
        estimate = viewing.add(np.where(quality.usable, row, np.nan), at_s, quality.weight)
        yield None if estimate is None else estimate.amplitude
