"""Our ridge beside himalaya's, same problem, same cores, one run: `make bench` prints ratios."""

import sys
import time
from collections.abc import Callable

import numpy as np
from himalaya.kernel_ridge import KernelRidgeCV
from himalaya.ridge import Ridge, RidgeCV

from calibration.ridge import ALPHAS, fit_ridge, leave_out

SAMPLES, VOXELS, TARGETS = 1400, 1800, 3000


def main() -> int:
    """Print the table."""
    rng = np.random.default_rng(0)
    X = rng.normal(scale=0.3, size=(SAMPLES, VOXELS)).astype(np.float32)
    Y = rng.normal(size=(SAMPLES, TARGETS)).astype(np.float32)
    splits = leave_out(np.arange(SAMPLES) // 100, 6)
    ours = seconds(lambda: fit_ridge(X, Y, splits))

    def primal() -> None:
        batches = {"n_targets_batch": 1000, "warn": False}
        found = RidgeCV(alphas=ALPHAS, cv=list(splits), solver_params=batches).fit(X, Y)
        for train, test in splits:
            Ridge(alpha=found.best_alphas_, solver_params={"warn": False}).fit(
                X[train], Y[train]
            ).predict(X[test])

    def dual() -> None:
        KernelRidgeCV(
            alphas=ALPHAS, kernel="precomputed", cv=list(splits),
            solver_params={"n_targets_batch": 1000},
        ).fit(X @ X.T, Y)  # fmt: skip

    print(
        f"{SAMPLES} samples x {VOXELS} voxels -> {TARGETS} targets, {len(ALPHAS)} alphas, 6 splits"
    )
    print("| method | time, as a multiple of ours | held-out predictions |")
    print("|---|---|---|")
    print("| calibration.ridge | 1 | yes |")
    print(f"| himalaya RidgeCV, then Ridge a split | {seconds(primal) / ours:.1f} | yes |")
    print(f"| himalaya KernelRidgeCV | {seconds(dual) / ours:.1f} | no |")
    return 0


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one go."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
