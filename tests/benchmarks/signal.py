"""Which running z-score, and with what memory: the recorded session, by the age of the evidence.

Run `make bench`; prints the table of docs/signal.md. Fitted on one run, tested on the other, both
ways, three classes (chance .33, largest class .39). No figure here was used to tune a test run of
its own: one setting serves both directions and the simulator.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.dataset import Samples, collect, default_response, load_region, load_runs, voxel_sd
from rtrecon import preprocess as stage
from rtrecon.bids import Run

DATA = Path(__file__).parents[3] / "shared" / "data" / "recorded-session"
AGES_S = (6, 8, 10, 12, 14, 18)
SHARES = (0.1, 1.0)  # ridge, as a share of the kernel's mean eigenvalue


def main() -> int:
    """Print the table; 0 also where the data is absent, which is said."""
    if not DATA.is_dir():
        print("signal: the recorded session is not on this machine: no table")
        return 0
    runs = load_runs(DATA, None)
    region = load_region(runs, next(DATA.rglob("*_mask.nii.gz")), None, None)
    print("| memory | ridge | " + " | ".join(f"{age} s" for age in AGES_S) + " |")
    print("|---" * (len(AGES_S) + 2) + "|")
    for memory_s in (60.0, 120.0, 240.0, 1e6):
        stage.MEMORY_S = memory_s
        samples = [patterns([run], region.voxels) for run in runs]
        for share in SHARES:
            scores = np.mean(
                [by_age(samples[a], samples[b], share) for a, b in ((0, 1), (1, 0))], axis=0
            )
            name = f"{memory_s:g} s" if memory_s < 1e5 else "whole run so far"
            print(f"| {name} | {share:g} | " + " | ".join(f"{s:.2f}" for s in scores) + " |")
    return 0


def patterns(runs: Sequence[Run], voxels: NDArray[np.int64]) -> Samples:
    """The live path's patterns of these runs."""
    sd = voxel_sd(runs, voxels)
    response = default_response(runs)
    return collect(runs, stage.Preprocess(voxels, sd, response, runs[0].geometry.tr_s))


def by_age(fitted: Samples, tested: Samples, share: float) -> list[float]:
    """Share of trials classified rightly, a value an age."""
    names = sorted({trial.trial_type for trial in fitted.shown})
    mature = fitted.ages_s >= 5
    X, Y = fitted.patterns[mature], one_hot(fitted, names)[mature]
    mean = X.mean(axis=0)
    kernel = (X - mean) @ (X - mean).T
    ridge = share * np.trace(kernel) / len(kernel) * np.eye(len(kernel))
    weights = (X - mean).T @ np.linalg.solve(kernel + ridge, Y - Y.mean(axis=0))
    predicted = ((tested.patterns - mean) @ weights + Y.mean(axis=0)).argmax(axis=1)
    right = predicted == one_hot(tested, names).argmax(axis=1)
    newest = [
        {
            t: n
            for n, (t, a) in enumerate(zip(tested.trials, tested.ages_s, strict=True))
            if a <= age
        }
        for age in AGES_S
    ]
    return [float(np.mean(right[list(rows.values())])) for rows in newest]


def one_hot(samples: Samples, names: Sequence[str]) -> NDArray[np.float32]:
    """The condition of each sample, (n_samples, n_names)."""
    types = np.array([samples.shown[trial].trial_type for trial in samples.trials])
    return (types[:, None] == np.array(names)).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
