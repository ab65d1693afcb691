"""Made-up runs for the evidence: noise, drift and responses to known trials."""

from dataclasses import dataclass, field

import numpy as np

from rtrecon.evidence import Estimate, Evidence, Model
from rtrecon.response import Response
from rtrecon.types import Trial

WHITE = Model(coloured=0.0)
N_VOXELS = 7
SD = np.linspace(4, 12, N_VOXELS).astype(np.float32)
RESPONSE = Response(delay_s=0.4, duration_s=6.0)


@dataclass(frozen=True)
class Series:
    """A made-up run. A trial is begun before the first volume whose middle its onset precedes."""

    middle_s: np.ndarray
    voxels: np.ndarray  # (n_volumes, n_voxels)
    weights: np.ndarray
    trials: list[Trial] = field(default_factory=list)

    def begun_before(self, n: int) -> list[Trial]:
        return [trial for trial in self.trials if trial.onset_s <= self.middle_s[n]]


def series(
    tr_s: float = 2.0,
    count: int = 40,
    onsets: tuple[float, ...] = (9.3, 21.0, 27.5, 30.2, 55.0),
    seed: int = 0,
    duration_s: float = 6.0,
) -> Series:
    """Noise, drift and responses of which the odd volumes count half; some are lost or skipped."""
    rng = np.random.default_rng(seed)
    middle_s = (np.arange(count) + 0.5) * tr_s
    trials = [Trial(n, "dog", onset_s, duration_s) for n, onset_s in enumerate(onsets, 1)]
    voxels = rng.normal(500, 300, N_VOXELS) + SD * rng.normal(size=(count, N_VOXELS))
    voxels += SD * np.cumsum(rng.normal(0, 0.1, (count, N_VOXELS)), axis=0)
    for trial in trials:
        course = [RESPONSE.at(t - trial.onset_s, duration_s) for t in middle_s]
        voxels += np.outer(course, SD * rng.normal(0, 2, N_VOXELS))
    weights = np.where(np.arange(count) % 2, 0.5, 1.0)
    weights[7::11] = 0
    kept = np.arange(count) % 9 != 5  # the others are lost
    return Series(middle_s[kept], voxels[kept], weights[kept], trials)


def walk(evidence: Evidence, run: Series) -> list[Estimate | None]:
    estimates, begun = [], 0
    for n, at_s in enumerate(run.middle_s):
        coming = run.begun_before(n)
        for trial in coming[begun:]:
            evidence.begin(trial)
        begun = len(coming)
        estimates.append(evidence.add(run.voxels[n], at_s, run.weights[n]))
    return estimates
