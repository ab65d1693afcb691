"""What decoders make of kinds of things that they have never met.

With a strong generative model decoding can collapse into "which training category", and plausible
pictures come out of noise (Shirakawa et al., 2024).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.ridge import fit_ridge, leave_out
from calibration.fitting.scratch import Floats
from calibration.scoring.metrics import correlations
from calibration.scoring.statistics import Score, Table, mean_interval, score

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class HeldOutKinds:
    """What becomes of kinds of things that the decoders have never met.

    Attributes
    ----------
    identification, known : Score
        Two-way among the kinds that were left out together: by decoders without and with them in
        their fitting, on the same trials of left-out runs.
    drop : float
        The second less the first.
    drop_interval : (float, float)
        95 %, over trials.
    nearest_training : float
        Share of the trials whose decoded conditioning comes nearest to a kind of the fitting,
        though none of these was shown.
    nearest_training_known : float
        The same of the decoders that have met all kinds.
    nearest_training_chance : float
        Share of the kinds that are of the fitting.
    """

    identification: Score
    known: Score
    drop: float
    drop_interval: tuple[float, float]
    nearest_training: float
    nearest_training_known: float
    nearest_training_chance: float

    def as_json(self) -> dict[str, object]:
        """As plain JSON."""
        scores = {"identification": self.identification, "known": self.known}
        rest = {key: value for key, value in vars(self).items() if key not in scores}
        rest["drop_interval"] = list(self.drop_interval)
        return {key: one.as_json() for key, one in scores.items()} | rest


def held_out_kinds(
    X: Floats,
    C: Floats,
    trials: Numbers,
    runs: Numbers,
    kinds: NDArray[np.str_],
    rng: np.random.Generator,
    folds: int = 4,
    run_folds: int = 3,
) -> HeldOutKinds:
    """Fit without whole kinds, test on these: does decoding fall into the kinds of its fitting?

    Parameters
    ----------
    X : float32 (n_samples, n_voxels)
    C : float32 (n_samples, n_targets)
        Conditioning of each sample's picture.
    trials, runs : int64 (n_samples,)
    kinds : str (n_samples,)
        `trial_type`s.
    folds : int
        Kinds are left out by a `folds`-th, two at least, and runs with them by a `run_folds`-th.

    Raises
    ------
    ValueError
        Fewer than four kinds, or a single run.
    """
    names, of = np.unique(kinds, return_inverse=True)
    if len(names) < 4 or len(np.unique(runs)) < 2:
        raise ValueError(
            f"{len(names)} kinds in {len(np.unique(runs))} runs: leaving out kinds takes 4 and 2"
        )
    parts = np.array_split(rng.permutation(len(names)), min(folds, len(names) // 2))
    part_of = np.empty(len(names), np.int64)
    for number, part in enumerate(parts):
        part_of[part] = number
    prototypes = np.stack([C[of == k].mean(axis=0) for k in range(len(names))])
    newest = np.array([np.flatnonzero(trials == trial)[-1] for trial in np.unique(trials)])
    unknown, known = np.empty((2, len(newest), len(names)))
    for fit, test in leave_out(runs, run_folds):
        rows = np.isin(newest, test)
        known[rows] = _resemblance(X, C, (runs, trials), fit, newest[rows], prototypes)
        for number in range(len(parts)):
            mine = rows & (part_of[of[newest]] == number)
            rest = fit[part_of[of[fit]] != number]
            if mine.any():
                unknown[mine] = _resemblance(X, C, (runs, trials), rest, newest[mine], prototypes)
    return _compared(unknown, known, of[newest], part_of, rng)


def _resemblance(
    X: Floats,
    C: Floats,
    groups: tuple[Numbers, Numbers],
    fit: Numbers,
    test: Numbers,
    prototypes: Floats,
) -> NDArray[np.float64]:
    """How much what is decoded resembles each kind (n_test, n_kinds), after fitting on `fit`.

    The ridge's strength is chosen on runs left out; where a single run is left, on trials.
    """
    runs, trials = (numbers[fit] for numbers in groups)
    splits = leave_out(runs if len(np.unique(runs)) > 1 else trials, 4)
    fitted = fit_ridge(X[fit], C[fit], splits)
    decoded = (X[test][:, fitted.inputs] - fitted.x_mean) @ fitted.weights
    return correlations(decoded, prototypes - fitted.y_mean)


def _compared(
    unknown: NDArray[np.float64],
    known: NDArray[np.float64],
    truth: Numbers,
    part_of: Numbers,
    rng: np.random.Generator,
) -> HeldOutKinds:
    part = part_of[truth]
    left_out = part_of[None, :] == part[:, None]  # (n_trials, n_kinds): with the trial's own
    tables = [_among(likeness, truth, left_out, part) for likeness in (unknown, known)]
    before, after = (score(table, rng) for table in tables)
    lost = np.diag(tables[1].pairs) - np.diag(tables[0].pairs)
    rows = np.arange(len(truth))
    fallen = [float((~left_out[rows, one.argmax(axis=1)]).mean()) for one in (unknown, known)]
    return HeldOutKinds(
        identification=before,
        known=after,
        drop=float(lost.mean()),
        drop_interval=mean_interval(lost, rng),
        nearest_training=fallen[0],
        nearest_training_known=fallen[1],
        nearest_training_chance=float((~left_out).mean()),
    )


def _among(
    likeness: NDArray[np.float64], truth: Numbers, left_out: NDArray[np.bool_], part: Numbers
) -> Table:
    """Two-way among the kinds that are left out with a trial's own; others earn nothing."""
    inside = np.where(left_out, likeness, np.nan)
    below = (inside[:, None, :] < likeness[:, :, None]).sum(axis=2)
    share = below / (left_out.sum(axis=1) - 1)[:, None]  # (n_trials, n_kinds)
    return Table(share[:, truth], None, np.arange(len(truth)), blocks=part)
