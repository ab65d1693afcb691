"""The benchmark of the evidence on simulated people: kinds and pictures, by age."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.data.samples import Samples, default_response, voxel_sd
from calibration.fitting.ridge import fit_ridge, leave_out
from rtrecon.bids import Run
from rtrecon.decode import unit
from rtrecon.evidence import Model
from tests.benchmarks import methods

AGES_S = (4, 5, 6, 8, 10)
POOLED_FROM_S = 3.0
MASKS = "derivatives/masks/sub-01/func/sub-01_task-view_desc-{}_mask.nii.gz"
METHODS: dict[str, methods.Method] = {
    "running z-score": methods.running_z,
    "whole-run z-score (looks ahead)": methods.whole_run_z,
    "**filter**": methods.recursion(),
    "filter, white noise": methods.recursion(Model(coloured=0.0)),
    "filter, one response at a time": methods.recursion(Model(trials=1)),
    "filter, two at a time": methods.recursion(Model(trials=2)),
    "filter, six at a time": methods.recursion(Model(trials=6)),
    "free viewing, decoders of the filter": methods.free_viewing,
}


def tables(folder: Path, chosen: dict[str, methods.Method] = METHODS) -> None:
    """Cross-validated over runs: two-way identification of pictures and kinds, by age."""
    runs = load_runs(folder, None)
    masks = [folder / MASKS.format(name) for name in ("early", "ventral")]
    region = load_region(runs, None, *masks)
    response, sd = default_response(runs), voxel_sd(runs, region.voxels)
    y = [methods.series(run, region.voxels) for run in runs]
    found = zip(runs, y, strict=True)
    noise = np.median([methods.noise_sd(run, rows, sd, response) for run, rows in found], axis=0)
    noise = noise.astype(np.float32)
    tr_s, duration_s = runs[0].geometry.tr_s, response.duration_s
    trials = sum(len(run.trials) for run in runs)
    print(f"\nSimulated: {len(runs)} runs, {trials} pictures of {duration_s:g} s, TR {tr_s:g} s\n")
    ages = " | ".join(f"{age} s" for age in AGES_S)
    print(f"| method | picture: {ages} | kind: {ages} |")
    print("|---" * (2 * len(AGES_S) + 1) + "|")
    found_by: dict[str, list[Samples]] = {}
    for name, method in chosen.items():
        own = sd if method in (methods.running_z, methods.whole_run_z) else noise
        samples = [
            methods.sample(run, method(run, rows, own, response))
            for run, rows in zip(runs, y, strict=True)
        ]
        found_by[name] = samples
        fit = found_by["**filter**"] if method is methods.free_viewing else samples
        pictures = _by_age(fit, samples, region.early, _thumbnails(folder, runs))
        kinds = _by_age(fit, samples, region.ventral, _kinds(runs), kinds=True)
        values = " | ".join(f"{v:.3f}" for v in (*pictures, *kinds))
        print(f"| {name} | {values} |", flush=True)


def _thumbnails(folder: Path, runs: list[Run]) -> NDArray[np.float32]:
    """Every picture at 8 x 8: (n_trials, 192)."""
    rows = []
    for run in runs:
        for marker in run.trials:
            with Image.open(folder / "stimuli" / marker.stim_file) as picture:
                small = picture.convert("RGB").resize((8, 8), Image.Resampling.BOX)
            rows.append(np.asarray(small, np.float32).ravel() / 255)
    return np.stack(rows)


def _kinds(runs: list[Run]) -> NDArray[np.float32]:
    """What each picture shows, (n_trials, n_kinds), 1 for its kind."""
    kinds = np.array([marker.trial_type for run in runs for marker in run.trials])
    return (kinds[:, None] == np.unique(kinds)).astype(np.float32)


def _by_age(
    fit: list[Samples],
    test: list[Samples],
    voxels: NDArray[np.bool_],
    truth: NDArray[np.float32],
    kinds: bool = False,
) -> list[float]:
    """Two-way identification; a trial of which nothing is known yet counts one half."""
    starts = np.cumsum([0, *(len(samples.shown) for samples in fit)])
    held_out = []
    for fold in range(6):
        rest = [n for n in range(len(fit)) if n % 6 != fold]
        chosen = [fit[n].ages_s >= POOLED_FROM_S for n in rest]
        X = np.concatenate(
            [fit[n].patterns[c][:, voxels] for n, c in zip(rest, chosen, strict=True)]
        )
        of = np.concatenate(
            [fit[n].trials[c] + starts[n] for n, c in zip(rest, chosen, strict=True)]
        )
        groups = np.searchsorted(starts, of, side="right")
        fitted = fit_ridge(X, truth[of], leave_out(groups, 4))
        for n in set(range(len(fit))) - set(rest):
            c = (test[n].patterns[:, voxels] - fitted.x_mean) @ fitted.weights
            held_out.append((n, unit(c), unit(truth - fitted.y_mean)))
    candidates = np.unique(truth, axis=0, return_index=True)[1] if kinds else np.arange(len(truth))
    return [
        float(np.mean([s for n, c, t in held_out for s in _scores(
            test[n], c, t, starts[n], candidates, truth, age
        )]))
        for age in AGES_S
    ]  # fmt: skip


def _scores(
    samples: Samples,
    c: NDArray[np.float32],
    targets: NDArray[np.float32],
    start: int,
    candidates: NDArray[np.int64],
    truth: NDArray[np.float32],
    age_s: float,
) -> list[float]:
    """Of each trial the share of other candidates that fit its newest prediction less well."""
    last = {int(samples.trials[n]): n for n in np.flatnonzero(samples.ages_s <= age_s)}
    scores = []
    for number in range(len(samples.shown)):
        if number not in last:
            scores.append(0.5)
            continue
        fits = targets[candidates] @ c[last[number]]
        other = np.any(truth[candidates] != truth[start + number], axis=1)
        own = targets[start + number] @ c[last[number]]
        scores.append(float(np.mean(fits[other] < own)))
    return scores
