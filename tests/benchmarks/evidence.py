"""Which estimate of the evidence: the tables of docs/signal.md.

`python -m tests.benchmarks.evidence [--simulated DIR ...]`, DIR being datasets written by
`rtrecon-simulate session`. Everything about a decoder, voxels, noise and ridge among it, comes from
its fitting run; the reference for realignment is the fitting run's too.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.data.samples import Samples, default_response, voxel_sd
from calibration.fitting.ridge import fit_ridge, leave_out
from rtrecon.bids import Run
from rtrecon.decode import unit
from rtrecon.evidence import Evidence, Model
from rtrecon.quality import Inspect
from rtrecon.response import Response
from rtrecon.types import Trial
from tests.benchmarks import methods, simulated
from tests.benchmarks.realigned import realign

DATA = Path(__file__).parents[3] / "shared" / "data" / "recorded-session"
AGES_S = (6, 8, 10, 12, 14, 16, 18, 20)
POOLED_S = (4.0, 20.0)  # ages of the patterns that decoders are fitted on
VOXELS = 1000
Scores = tuple[list[list[float]], list[list[float]], list[list[float]]]  # by age, a row a fit
METHODS: dict[str, methods.Method] = {
    "running z-score": methods.running_z,
    "whole-run z-score (looks ahead)": methods.whole_run_z,
    "least squares on the run so far": methods.batch_glm,
    "**filter**": methods.recursion(),
    "filter, all volumes trusted": methods.recursion(watched=False),
    "filter, white noise": methods.recursion(Model(coloured=0.0)),
    "filter, one response at a time": methods.recursion(Model(trials=1)),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; those whose data is absent are named instead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulated", type=Path, nargs="*", default=[])
    given = parser.parse_args(argv)
    if DATA.is_dir():
        runs = load_runs(DATA, None)
        realigned = [realign(runs), realign(runs[::-1])]
        recorded("realigned", realigned, METHODS)
        decoders(realigned)
        trust = {name: METHODS[name] for name in ("**filter**", "filter, all volumes trusted")}
        recorded("realigned, then spoilt", realigned, trust, spoilt=True)
        unmoved = {name: METHODS[name] for name in ("running z-score", "**filter**")}
        recorded("as recorded, not realigned", [runs, runs[::-1]], unmoved)
    else:
        print("evidence: the recorded session is not on this machine: no table")
    for folder in given.simulated:
        simulated.tables(folder)
    speed()
    return 0


def recorded(
    title: str, pairs: list[list[Run]], chosen: dict[str, methods.Method], spoilt: bool = False
) -> None:
    """Each pair: the run to fit on, the run to test on."""
    found = {
        name: _scores([_samples(method, *pair, spoilt) for pair in pairs])
        for name, method in chosen.items()
    }
    _print(f"{title}: fitted on one run, tested on the other", found, 0)
    _print(f"{title}: fitted on the first or the last 9 trials of a run", found, 1)
    _print(f"{title}: fitted on 9 trials that have all three classes", found, 2)


def decoders(pairs: list[list[Run]]) -> None:
    """How many voxels, and patterns of which ages, the decoders are fitted on."""
    samples = [_samples(METHODS["**filter**"], *pair) for pair in pairs]
    found = {f"{n} voxels, ages 4-20 s": _scores(samples, n) for n in (100, 300, 1000, 3000)}
    found["all voxels, ages 4-20 s"] = _scores(samples, 10**9)
    for young_s, old_s in ((10.0, 12.0), (6.0, 14.0), (8.0, 20.0)):
        name = f"{VOXELS} voxels, ages {young_s:g}-{old_s:g} s"
        found[name] = _scores(samples, VOXELS, (young_s, old_s))
    _print("decoders fitted on 9 trials that have all three classes", found, 2)


def _scores(
    pairs: list[list[Samples]], voxels: int = VOXELS, pooled_s: tuple[float, float] = POOLED_S
) -> Scores:
    scores: Scores = ([], [], [])
    for fit, test in pairs:
        n = len(fit.shown)
        scores[0].append(by_age(fit, np.arange(n), test, voxels, pooled_s))
        firsts = np.arange(n) < n // 2, _balanced_half(fit)
        for rows, half in zip(scores[1:], firsts, strict=True):
            for part in (half, ~half):
                rows.append(by_age(fit, np.flatnonzero(part), test, voxels, pooled_s))
    return scores


def _samples(
    method: methods.Method, fitting: Run, tested: Run, spoilt: bool = False
) -> list[Samples]:
    voxels = load_region([fitting], None, None, None).voxels
    response = default_response([fitting])
    y = [methods.series(run, voxels) for run in (fitting, tested)]
    sd = voxel_sd([fitting], voxels)
    if spoilt:
        y = [_spoil(rows, sd, seed) for seed, rows in enumerate(y)]
    if method not in (methods.running_z, methods.whole_run_z):
        sd = methods.noise_sd(fitting, y[0], sd, response)
    return [
        methods.sample(run, method(run, rows, sd, response))
        for run, rows in zip((fitting, tested), y, strict=True)
    ]


def _spoil(y: methods.Series, sd: NDArray[np.float32], seed: int) -> methods.Series:
    """12 volumes with an artefact of 4 SD and 3 SD brighter; 20 spiking voxels in every volume."""
    rng, y = np.random.default_rng(seed), y.copy()
    for n in rng.choice(np.arange(5, len(y)), 12, replace=False):
        y[n] += (rng.normal(3, 4, len(sd)) * sd).astype(np.float32)
    for row in y[5:]:
        row[rng.choice(len(sd), 20)] += 40 * sd.mean()
    return y


def by_age(
    fit: Samples,
    trials: NDArray[np.int64],
    test: Samples,
    voxels: int = VOXELS,
    pooled_s: tuple[float, float] = POOLED_S,
) -> list[float]:
    """Share of the tested run's trials named rightly, a value an age."""
    types = np.array([trial.trial_type for trial in fit.shown])
    names = np.unique(types[trials])
    chosen = np.isin(fit.trials, trials)
    chosen &= (fit.ages_s >= pooled_s[0]) & (fit.ages_s <= pooled_s[1])
    X, of_trial = fit.patterns[chosen], fit.trials[chosen]
    columns = np.argsort(-_f_values(X, of_trial, types))[:voxels]
    X, Y = np.ascontiguousarray(X[:, columns]), np.float32(types[of_trial][:, None] == names)
    fitted = fit_ridge(X, Y, leave_out(of_trial, 6))
    c = (test.patterns[:, columns] - fitted.x_mean) @ fitted.weights
    scores = unit(c) @ unit(np.eye(len(names), dtype=np.float32) - fitted.y_mean).T
    truth = np.array([trial.trial_type for trial in test.shown])
    right = names[scores.argmax(axis=1)] == truth[test.trials]
    return [float(np.mean(right[newest(test, age)])) for age in AGES_S]


def _f_values(
    X: NDArray[np.float32], trials: NDArray[np.int64], types: NDArray[np.str_]
) -> NDArray[np.float32]:
    """How far the classes lie apart in each voxel, against its spread over trials of a class."""
    numbers = np.unique(trials)
    means = np.stack([X[trials == number].mean(axis=0) for number in numbers])
    between, within = np.zeros((2, X.shape[1]), np.float32)
    for name in np.unique(types[numbers]):
        own = means[types[numbers] == name]
        between += len(own) * (own.mean(axis=0) - means.mean(axis=0)) ** 2
        within += ((own - own.mean(axis=0)) ** 2).sum(axis=0)
    return between / np.maximum(within, np.float32(1e-9))


def newest(samples: Samples, age_s: float) -> list[int]:
    """Of each trial the row of the newest pattern that is no older."""
    young = samples.ages_s <= age_s
    return list({int(samples.trials[n]): int(n) for n in np.flatnonzero(young)}.values())


def _balanced_half(samples: Samples) -> NDArray[np.bool_]:
    """Every second trial of each class."""
    types = np.array([trial.trial_type for trial in samples.shown])
    half = np.zeros(len(types), bool)
    for n, name in enumerate(np.unique(types)):
        half[np.flatnonzero(types == name)[n % 2 :: 2]] = True
    return half


def _print(title: str, scores: dict[str, Scores], which: int) -> None:
    ages = " | ".join(f"{age} s" for age in AGES_S)
    print(f"\n{title}\n\n| method | {ages} | mean 8-20 s | each fit |")
    print("|---" * (len(AGES_S) + 3) + "|")
    for name, kinds in scores.items():
        rows = kinds[which]
        each = np.array(rows)[:, 1:].mean(axis=1)
        values = " | ".join(f"{v:.2f}" for v in np.mean(rows, axis=0))
        fits = ", ".join(f"{v:.2f}" for v in each)
        print(f"| {name} | {values} | {each.mean():.3f} | {fits} |", flush=True)


def speed() -> None:
    """Time a volume of 10 000 voxels takes."""
    voxels = np.random.default_rng(0).normal(800, 8, (300, 10_000)).astype(np.float32)
    sd = np.full(10_000, 8, np.float32)
    evidence, inspect = Evidence(sd, Response()), Inspect(sd)
    times_ms: list[tuple[float, float]] = []
    for n, row in enumerate(voxels):
        if n % 6 == 0:
            evidence.begin(Trial(n, "", n * 2.0, 6.0))
        began = time.perf_counter()
        inspect(row)
        between = time.perf_counter()
        evidence.add(row, n * 2.0 + 1)
        times_ms.append((1e3 * (between - began), 1e3 * (time.perf_counter() - between)))
    quality, update = np.median(times_ms[50:], axis=0)
    print(f"\n10 000 voxels: quality {quality:.2f} ms, evidence {update:.2f} ms a volume (median)")


if __name__ == "__main__":
    sys.exit(main())
