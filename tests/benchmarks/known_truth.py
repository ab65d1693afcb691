"""Is what a report says near the truth? Simulated people, whose truth is known.

`python -m tests.benchmarks.known_truth [--people 2]` prints two tables.

Ceilings: a run in which each picture is shown several times. From its repeats alone the noise ceiling
of each voxel is measured, as a report does. Known is what the noise-free response of the simulated
brain explains of the very same single-trial patterns (adjusted R squared): signal and noise of the
same estimator on the same trials. The pattern is less its mean over voxels, so that the mean response
of all voxels is the second regressor. "Made for" is the reliability that the brain was built with,
of plainer trials than these.

Identification: many test runs of 24 trials. How often does the 95 % interval that a report gives of
one of them hold the mean of all the others? That mean is itself uncertain: of ten runs, an interval
that keeps its word holds it in 94 of 100 cases.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.fitting.fit import fit
from calibration.scoring.ceiling import noise_ceiling, showings_of
from calibration.scoring.evaluate import scored
from calibration.scoring.held_out import held_out_runs, newest_patterns, patterns_in
from rtrecon.artifact import Artifact
from rtrecon.bids import Run
from rtrecon.generators import Generator, load_generator
from rtrecon.types import Event, Geometry, Marker
from simulator.acquisition import scan
from simulator.brain import Brain
from simulator.plan import Design, write_script
from simulator.session import PICTURE_PX, run_plans, write_session
from tests.benchmarks.simulated import MASKS

GENERATORS = {"scenes": "miniature", "faces": "faces"}
SCORES = ("c_two_way", "z_two_way", "kind_two_way", "kind_top1")
_FRESH = 100  # number of the run with repeats: noise that no other run has

Rows = list[str]


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables."""
    options = _parser().parse_args(argv)
    ceilings: Rows = []
    coverage: Rows = []
    inside: dict[str, list[bool]] = {name: [] for name in SCORES}
    for pictures, name in GENERATORS.items():
        generator = load_generator(name)
        for seed in range(options.first, options.first + options.people):
            design = Design(
                pictures=pictures, seed=seed, runs=options.runs, trials=options.trials,
                test_runs=options.tests, test_trials=options.test_trials,
            )  # fmt: skip
            with tempfile.TemporaryDirectory() as folder:
                data = Path(folder) / "data"
                write_session(data, design, processes=1, quiet=True)
                artifact = fitted(data, design, generator)
                found = identified(data, design, artifact, generator)
            who = f"{pictures} {seed}"
            coverage += [_coverage(who, name, found[name], inside) for name in SCORES]
            ceilings += _ceilings(who, artifact, design, options.repeats)
            print("\n".join([*ceilings[-2:], *coverage[-len(SCORES) :]]), flush=True)
    print("\n| person | region | voxels | showings | measured, median (quartiles) | known | made for "
          "| difference, mean | root mean square | rank r with known | with made for |")  # fmt: skip
    print("|---" * 11 + "|\n" + "\n".join(ceilings))
    print("\n| person | score | mean of all runs | SD of one run | mean width / 3.92 | covers |")
    print("|---" * 6 + "|\n" + "\n".join(coverage))
    print("\n| score | intervals | hold the truth |\n|---|---|---|")
    for name, held in inside.items():
        print(f"| {name} | {len(held)} | {np.mean(held):.3f} |")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default, about in (
        ("people", 2, "of scenes, and as many of faces"),
        ("first", 0, "seed of the first"),
        ("runs", 6, "fitted on"),
        ("trials", 30, "of each"),
        ("tests", 10, "test runs"),
        ("test-trials", 24, "pictures of each"),
        ("repeats", 5, "showings of each in one run more"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{about} [{default}]")
    return parser


def fitted(data: Path, design: Design, generator: Generator) -> Artifact:
    """A person's decoders, of the first runs."""
    runs = load_runs(data, [str(n + 1) for n in range(design.runs)])
    masks = [data / MASKS.format(name) for name in ("early", "ventral")]
    return fit(runs, load_region(runs, None, *masks), generator, "person")


def identified(
    data: Path, design: Design, artifact: Artifact, generator: Generator
) -> dict[str, np.ndarray]:
    """By score (n_runs, 3): each test run's value and the ends of its interval."""
    found: dict[str, list[list[float]]] = {name: [] for name in SCORES}
    for n in range(design.test_runs):
        test = held_out_runs(artifact, load_runs(data, [str(design.runs + n + 1)]), generator)
        scores = scored(artifact, test.newest.decoded(artifact), test.newest)["scores"]
        for name in SCORES:
            found[name].append([scores[name]["value"], *scores[name]["interval"]])
    return {name: np.array(rows) for name, rows in found.items()}


def _coverage(who: str, name: str, rows: np.ndarray, inside: dict[str, list[bool]]) -> str:
    value, low, high = rows.T
    others = (value.sum() - value) / (len(value) - 1)
    held = (low <= others) & (others <= high)
    inside[name] += held.tolist()
    width = np.mean(high - low) / 3.92
    return (
        f"| {who} | {name} | {value.mean():.3f} | {value.std(ddof=1):.3f} | {width:.3f} "
        f"| {held.sum()} of {len(held)} |"
    )


def _ceilings(who: str, artifact: Artifact, design: Design, repeats: int) -> Rows:
    """A row of the table for each region."""
    brain = Brain(design.seed, gallery=design.gallery)
    run, responses = repeated(brain, replace(design, runs=0, test_runs=1, test_repeats=repeats))
    newest = newest_patterns(patterns_in(artifact, [run]))
    showings = showings_of(
        np.stack([one.voxels for one in newest]), [one.trial for one in newest], run.name
    )
    at = np.ravel_multi_index(brain.voxels, artifact.shape, order="F")
    columns = np.searchsorted(artifact.voxels, at)
    assert (artifact.voxels[columns] == at).all()
    patterns = showings.responses[:, columns]
    measured = noise_ceiling(patterns, showings.pictures, averaged=1)
    true = explained(patterns, responses[: len(newest)], artifact.sd[columns])
    rows = []
    for name, of in (("early", slice(brain.n_early)), ("ventral", slice(brain.n_early, None))):
        one, other, made = measured[of], true[of], brain.reliability[of]
        apart = one - other
        low, middle, high = np.quantile(one, [0.25, 0.5, 0.75])
        rows.append(
            f"| {who} | {name} | {len(one)} | {len(newest)} | {middle:.3f} ({low:.3f}, {high:.3f}) "
            f"| {np.median(other):.3f} | {np.median(made):.3f} | {apart.mean():+.3f} "
            f"| {np.sqrt((apart**2).mean()):.3f} | {spearmanr(one, other)[0]:.2f} "
            f"| {spearmanr(one, made)[0]:.2f} |"
        )
    return rows


def repeated(brain: Brain, design: Design) -> tuple[Run, np.ndarray]:
    """A run with repeats, and what its trials evoke (n_trials, n_voxels)."""
    (script,) = scripts = write_script(design)
    drawn = {picture: design.gallery.draw(picture, size_px=PICTURE_PX) for picture in script.shown}
    (plan,) = run_plans(design, scripts, brain, np.stack([drawn[p] for p in script.shown]))
    data = scan(brain, replace(plan, number=_FRESH))
    trials = tuple(
        Marker(Event.TRIAL, picture.kind, onset_s, plan.duration_s, name, name)
        for picture, onset_s, name in zip(
            script.shown, script.onsets_s, script.stim_files, strict=True
        )
    )
    geometry = Geometry(data.shape[:3], brain.anatomy.affine, design.tr_s, "int16")
    return Run("repeats", geometry, data, trials, Path()), plan.responses


def explained(patterns: np.ndarray, responses: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Share of each voxel's patterns that its noise-free response explains (n_voxels,)."""
    common = (responses / sd).mean(axis=1)
    found = []
    for measured, own in zip(patterns.T.astype(float), responses.T.astype(float), strict=True):
        design = np.stack([np.ones(len(own)), own, common], axis=1)
        missed = measured - design @ np.linalg.lstsq(design, measured, rcond=None)[0]
        freedom = len(own) - 3
        found.append(1 - (missed @ missed / freedom) / measured.var(ddof=1))
    return np.maximum(found, 0)


if __name__ == "__main__":
    sys.exit(main())
