"""Our ridge beside himalaya's and scikit-learn's: same problem, same cores, one run, in turns.

Only ours returns held-out predictions; the others' times are without them. scikit-learn's `RidgeCV`
has one alpha a target only with leave-one-out (`alpha_per_target`); with folds it takes one alpha
for all targets, and the form with both is its `Ridge` at every alpha and fold.
"""

import argparse
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
import torch
from himalaya.backend import set_backend
from himalaya.kernel_ridge import KernelRidgeCV
from himalaya.ridge import RidgeCV
from sklearn.linear_model import Ridge
from sklearn.linear_model import RidgeCV as SklearnRidgeCV
from threadpoolctl import threadpool_limits

from calibration.fitting.ridge import fit_ridge, leave_out
from tests.benchmarks.document import seconds, table

OURS = "calibration.fitting.ridge"
ALPHAS = np.logspace(0, 6, 10)
BATCH = 500  # targets: himalaya keeps (alphas, voxels, targets) while it refits


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    set_backend("torch")
    warnings.simplefilter("ignore")  # himalaya's, that its dual would be faster: it is here, too
    rng = np.random.default_rng(0)
    X = rng.normal(size=(options.samples, options.voxels)).astype(np.float32)
    seen = X @ rng.normal(size=(options.voxels, options.targets)).astype(np.float32)
    noise = rng.normal(scale=seen.std(), size=seen.shape)
    Y = (seen * rng.uniform(0, 1, options.targets) + noise).astype(np.float32)
    splits = leave_out(np.arange(options.samples) * 10 // options.samples, 5)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    with threadpool_limits(options.threads):
        turns = []
        for _ in range(options.repeats):
            turns.append({})
            for name, one in methods(X, Y, splits).items():
                if name == OURS or re.search(options.only, name):
                    turns[-1][name] = seconds(one, clock)
                    print(f"{name}: {turns[-1][name]:.2f} s", file=sys.stderr, flush=True)
    print(
        f"{options.samples} samples x {options.voxels} voxels -> {options.targets} targets, "
        f"{len(ALPHAS)} alphas, {len(splits)} folds; {options.threads} threads, {options.repeats} turns\n"
    )
    rows = [
        [name, f"{median(turn[name] for turn in turns):.2f}",
         f"{median(turn[name] / turn[OURS] for turn in turns):.1f}"]
        for name in turns[0]
    ]  # fmt: skip
    print(table(["method", "s", "as a multiple of ours"], rows))
    return 0


def methods(
    X: np.ndarray, Y: np.ndarray, splits: Sequence[tuple[np.ndarray, np.ndarray]]
) -> dict[str, Callable[[], object]]:
    """Ours, and what else does the same or nearly the same."""
    centred_x, centred_y = torch.from_numpy(X - X.mean(0)), torch.from_numpy(Y - Y.mean(0))
    batches = {"n_targets_batch": BATCH}

    def by_hand() -> None:
        errors = np.zeros((len(ALPHAS), Y.shape[1]))
        for train, test in splits:
            for n, alpha in enumerate(ALPHAS):
                predicted = Ridge(alpha=alpha).fit(X[train], Y[train]).predict(X[test])
                errors[n] += ((predicted - Y[test]) ** 2).sum(axis=0)
        best = errors.argmin(axis=0)
        for n in np.unique(best):
            Ridge(alpha=ALPHAS[n]).fit(X, Y[:, best == n])

    himalaya = RidgeCV(alphas=ALPHAS, fit_intercept=True, cv=list(splits), solver_params=batches)
    kernel = KernelRidgeCV(alphas=ALPHAS, cv=list(splits), solver_params=batches)
    all_targets = SklearnRidgeCV(alphas=ALPHAS, cv=list(splits))
    return {
        OURS: lambda: fit_ridge(X, Y, splits, alphas=ALPHAS),
        "himalaya RidgeCV": lambda: himalaya.fit(torch.from_numpy(X), torch.from_numpy(Y)),
        "himalaya KernelRidgeCV, then its weights": lambda: kernel.fit(
            centred_x, centred_y
        ).get_primal_coef(),
        "scikit-learn Ridge, each alpha and fold": by_hand,
        "scikit-learn RidgeCV, one alpha a target, leave one out": lambda: SklearnRidgeCV(
            alphas=ALPHAS, alpha_per_target=True
        ).fit(X, Y),
        "scikit-learn RidgeCV, folds, one alpha for all": lambda: all_targets.fit(X, Y),
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="REGEX", help="methods beside ours")
    cores = len(os.sched_getaffinity(0))
    for name, default in (
        ("samples", 600), ("voxels", 5000), ("targets", 10000), ("repeats", 3), ("threads", cores)
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
