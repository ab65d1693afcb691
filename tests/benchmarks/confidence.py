"""Does the confidence keep its word? People's test runs, each trial's newest volume.

`python -m tests.benchmarks.confidence DATA:GENERATOR:RUNS ...` fits each simulated person's first
RUNS runs, decodes the others and prints what was claimed, what was right and the expected
calibration error, for each person and all together.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.fitting.confidence import reliability
from calibration.fitting.fit import fit
from calibration.scoring.held_out import decode_runs
from rtrecon.generators import load_generator
from tests.benchmarks.simulated import MASKS


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", nargs="+", metavar="DATA:GENERATOR:RUNS")
    print("| person | trials | claimed | right | by run | ECE | if the claims were true |")
    print("|---|---|---|---|---|---|---|")
    claims, rights = [], []
    for person in parser.parse_args(argv).people:
        data, generator, runs = person.rsplit(":", 2)
        claimed, right, run = judged(Path(data), generator, int(runs))
        by_run = ", ".join(f"{right[run == n].mean():.2f}" for n in np.unique(run))
        row(Path(data).name, claimed, right, by_run)
        claims.append(claimed)
        rights.append(right)
    row("all", np.concatenate(claims), np.concatenate(rights), "")
    return 0


def judged(data: Path, generator: str, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, whether it was right, and the run, of each test trial."""
    runs = load_runs(data, None)
    masks = [data / MASKS.format(name) for name in ("early", "ventral")]
    region = load_region(runs[:count], None, *masks)
    artifact = fit(runs[:count], region, load_generator(generator), "person")
    claimed, right, of_run = [], [], []
    for number, run in enumerate(runs[count:]):
        newest = {d.trial.number: d for d in decode_runs(artifact, [run])}.values()
        claimed += [d.confidence for d in newest]
        right += [d.predicted == d.trial.trial_type for d in newest]
        of_run += [number] * len(newest)
    return np.array(claimed), np.array(right), np.array(of_run)


def row(name: str, claimed: np.ndarray, right: np.ndarray, by_run: str) -> None:
    """One line of the table."""
    found = reliability(claimed, right)
    low, high = found.ece_interval
    print(
        f"| {name} | {len(right)} | {claimed.mean():.3f} | {right.mean():.3f} | {by_run} "
        f"| {found.ece:.3f} | {low:.3f} to {high:.3f} |",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
