"""What speaks against a picture: decoders of shuffled trials, and kinds never seen in fitting.

With a strong generative model decoding can collapse into "which training category", and plausible
pictures come out of noise (Shirakawa et al., 2024).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.banded import Strength
from calibration.metrics import correlations
from calibration.ridge import fit_ridge, leave_out
from calibration.ridge_solver import Solver
from calibration.statistics import Score, Table, mean_interval, score
from rtrecon.artifact import LinearMap

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
_COLUMNS = 512  # of the targets at once


def null_maps(
    linear: LinearMap,
    X: Floats,
    Y: Floats,
    trials: Numbers,
    strength: Strength,
    rng: np.random.Generator,
    count: int = 1,
    gain: float = 1.0,
) -> Iterator[LinearMap]:
    """The same map fitted with its targets dealt out anew between trials: no brain in it.

    It reads the same voxels with the same strength of ridge, so that a picture from it is as
    convincing as one from the true map. All maps share one decomposition; they
    come one at a time, since of large ones memory holds few.

    Parameters
    ----------
    linear : LinearMap
        The true one.
    X : float32 (n_samples, n_voxels)
        All of the decoder's voxels.
    Y : float32 (n_samples, n_targets)
        The same in all samples of a trial.
    trials : int64 (n_samples,)
        Whole trials are permuted: samples of one stay together.
    strength : Strength
        The true map's.
    gain : float
        The true map's.
    """
    read = X[:, linear.voxels]
    solvers = [
        (scales, took, Solver(read * scales, splits=(), alphas=strength.alphas))
        for scales, took in strength.parts()
    ]
    for _ in range(count):
        rows = permuted_trials(trials, rng)
        mean = np.empty(Y.shape[1], np.float32)
        weights = np.empty((read.shape[1], Y.shape[1]), np.float32)
        for scales, took, solver in solvers:
            for of, y in solver.targets(Y, took):
                shuffled = y[rows]
                alphas = torch.from_numpy(strength.alphas[of]).to(y.device)
                mean[of] = shuffled.mean(dim=0).cpu()
                made = solver.weights(shuffled, alphas).cpu().numpy()
                weights[:, of] = np.float32(gain) * scales[:, None] * made
        yield LinearMap(linear.voxels, linear.x_mean, weights, mean)


def neutral_shuffle(trials: Numbers, targets: Sequence[Floats], draws: int = 50) -> int:
    """The seed, of the first so many, whose shuffle neither keeps what is the trials' own nor shuns it.

    By chance a shuffle leaves some trials with pictures like their own, and its decoder identifies
    pictures a little above chance, or below. One that leaves no trial, or no kind, its own is worse:
    that decoder has learnt what each picture is not. So the shuffle is taken whose targets correlate
    least with the trials' own (docs/known-truth.md).

    Parameters
    ----------
    trials : int64 (n_samples,)
    targets : sequence of float32 (n_samples, n_targets)
        Each says as much, however many columns it has.
    """
    firsts = np.unique(trials, return_index=True)[1]
    kept = np.zeros(draws)
    orders = [np.random.default_rng(seed).permutation(len(firsts)) for seed in range(draws)]
    for target in targets:
        kept += np.abs(_kept(target[firsts], orders))
    return int(kept.argmin())


def _kept(own: Floats, orders: Sequence[Numbers]) -> NDArray[np.float64]:
    """How much of the targets' variance (n_trials, n_targets) trials keep under some orders."""
    kept, whole = np.zeros(len(orders)), 0.0
    for start in range(0, own.shape[1], _COLUMNS):
        part = own[:, start : start + _COLUMNS].astype(np.float64)
        part -= part.mean(axis=0)
        whole += float((part**2).sum())
        kept += [np.vdot(part, part[order]) for order in orders]
    return kept / max(whole, 1e-12)


def permuted_trials(trials: Numbers, rng: np.random.Generator) -> Numbers:
    """For each sample (n_samples,) a sample of the trial whose target it is given."""
    _, firsts, of = np.unique(trials, return_index=True, return_inverse=True)
    rows: Numbers = firsts[rng.permutation(len(firsts))][of]
    return rows


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
