"""How likely a run's volumes are under each model of noise and drift: no decoder, no class.

`python -m tests.benchmarks.noise_model [--simulated DIR ...]` prints a table of docs/signal.md: the
mean gain in log likelihood over white noise, in thousandths of a nat a voxel and volume, where
each voxel's noise variance is the likeliest one. As one big normal distribution, not the recursion.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.data.samples import default_response
from rtrecon.bids import Run
from rtrecon.evidence import Model
from rtrecon.quality import START_UP
from tests.benchmarks import methods
from tests.benchmarks.evidence import DATA
from tests.benchmarks.realigned import realign
from tests.benchmarks.simulated import MASKS

MODELS = [
    Model(coloured=0.0),
    Model(coloured=0.0, drift_per_s=0.05),
    *(Model(coloured=share, memory_s=s) for share in (0.3, 0.6, 0.8) for s in (3.5, 7.0)),
    Model(drift_per_s=0.005),
    Model(drift_per_s=0.05),
    Model(prior=1.0),
    Model(prior=16.0),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, a column a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulated", type=Path, nargs="*", default=[])
    runs: dict[str, tuple[Run, NDArray[np.int64]]] = {}
    if DATA.is_dir():
        for n, run in enumerate(realign(load_runs(DATA, None)), 1):
            runs[f"recorded {n}"] = run, load_region([run], None, None, None).voxels[::4]
    for folder in parser.parse_args(argv).simulated:
        run = load_runs(folder, None)[0]
        masks = [folder / MASKS.format(name) for name in ("early", "ventral")]
        name = f"simulated, TR {run.geometry.tr_s:g} s"
        runs[name] = run, load_region([run], None, *masks).voxels
    print(f"| drift per s | prior | AR(1) share | memory | {' | '.join(runs)} |")
    print("|---" * (4 + len(runs)) + "|")
    base = [log_likelihood(*run, MODELS[0]) for run in runs.values()]
    for model in MODELS:
        gains = [log_likelihood(*run, model) for run in runs.values()]
        values = " | ".join(f"{1e3 * (g - b):+.0f}" for g, b in zip(gains, base, strict=True))
        memory = f"{model.memory_s:g} s" if model.coloured else ""
        print(f"| {model.drift_per_s} | {model.prior:g} | {model.coloured} | {memory} | {values} |")
    return 0


def log_likelihood(run: Run, voxels: NDArray[np.int64], model: Model) -> float:
    """Mean over voxels and volumes, but for what no model changes."""
    response, at_s = default_response([run]), methods.middles_s(run)[START_UP:]
    course = [
        [response.at(t - trial.onset_s, trial.duration_s) for trial in run.trials] for t in at_s
    ]
    covariance = 1e6 + model.drift_per_s * (np.minimum.outer(at_s, at_s) - at_s[0])
    covariance += model.prior * np.array(course) @ np.array(course).T
    apart_s = np.abs(np.subtract.outer(at_s, at_s))
    covariance += model.coloured * np.exp(-apart_s / model.memory_s)
    covariance += (1 - model.coloured) * np.eye(len(at_s))
    y = methods.series(run, voxels)[START_UP:].astype(float)
    factor = np.linalg.cholesky(covariance)
    surprises = np.linalg.solve(factor, y - y[0])[1:]
    noise = np.maximum((surprises**2).mean(axis=0), 1e-12)
    return float(-np.log(np.diag(factor)[1:]).mean() - np.log(noise).mean() / 2)


if __name__ == "__main__":
    sys.exit(main())
