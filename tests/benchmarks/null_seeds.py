"""People who see nothing: how often does each score lie outside its null's 95 % interval?

`python -m tests.benchmarks.null_seeds [--seeds N] [--effect 0]` simulates small sessions, fits
decoders and evaluates them, pictures drawn and all. A score that keeps its word is outside in
about 5 of 100; `nothing decoded` ought to be said in 95.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from calibration.fitting.fit import fit
from calibration.scoring.evaluate import evaluate
from calibration.scoring.held_out import held_out_runs
from rtrecon.generators import Generator, load_generator
from simulator import faces
from simulator.judge import Judge
from simulator.plan import Design
from simulator.session import write_session
from tests.benchmarks.simulated import MASKS

RUNS = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Print each seed's verdict, then a table of the scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--effect", type=float, default=0.0)
    options = parser.parse_args(argv)
    generator = load_generator("faces")
    inside, above, verdicts = Counter[str](), Counter[str](), 0
    for seed in range(options.first, options.first + options.seeds):
        found = one(seed, options.effect, generator)
        verdicts += found["nothing_decoded"]
        out = []
        for name, score in found["scores"].items():
            low, high = score["null"]
            inside[name] += low <= score["value"] <= high
            above[name] += score["p"] <= 0.05
            if not low <= score["value"] <= high:
                out.append(f"{name} {score['value']:.2f}")
        said = "nothing decoded" if found["nothing_decoded"] else "something decoded"
        print(f"seed {seed}: {said}; outside: {', '.join(out) or 'none'}", flush=True)
    print("\n| score | inside its null | p <= .05 |\n|---|---|---|")
    for name, count in inside.items():
        print(f"| {name} | {count} of {options.seeds} | {above[name]} |")
    print(f"\nnothing decoded: {verdicts} of {options.seeds}")
    return 0


def one(seed: int, effect: float, generator: Generator) -> dict[str, Any]:
    """A person, from the scanner to the scores."""
    design = Design(
        pictures="faces",
        runs=RUNS,
        trials=24,
        test_runs=1,
        test_trials=24,
        effect=effect,
        seed=seed,
    )
    judge = Judge.load(faces.JUDGE)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_session(data, design, processes=1, quiet=True)
        runs = load_runs(data, None)
        masks = [data / MASKS.format(name) for name in ("early", "ventral")]
        region = load_region(runs[:RUNS], None, *masks)
        artifact = fit(runs[:RUNS], region, generator, "nobody")
        return evaluate(
            artifact, held_out_runs(artifact, runs[RUNS:], generator), generator,
            features={"judge": lambda pictures: judge.features(small(pictures))}, draw=True,
        )  # fmt: skip


def small(pictures: np.ndarray) -> np.ndarray:
    """At the judge's own size."""
    from calibration.scoring.metrics import resized

    return resized(pictures, 128)


if __name__ == "__main__":
    sys.exit(main())
