"""What head motion, spikes and lost volumes cost, with and without realignment.

`python -m tests.benchmarks.robustness [--folder DIR]` prints a table of docs/signal.md. The same
simulated person (drift, breathing, heartbeat and ongoing activity on) is scanned once lying still
and once moving three times as much as usual, in calibration and test alike.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calibration.data.dataset import load_runs, load_stimuli
from calibration.data.regions import load_region
from calibration.fitting.fit import fit
from calibration.scoring.evaluate import two_way
from calibration.scoring.held_out import decode_runs
from rtrecon.artifact import Artifact
from rtrecon.bids import Run
from rtrecon.decode import unit
from rtrecon.generators import Generator, load_generator
from rtrecon.types import Marker, Volume, read_only
from simulator.plan import Design
from simulator.session import write_session
from tests.benchmarks.simulated import MASKS

RUNS, TESTS = 6, 2
DESIGN = Design(runs=RUNS, test_runs=TESTS, test_trials=30)
MOVING = 6.0
LOST, SPIKES = 0.05, 0.03  # share of the volumes


@dataclass(frozen=True)
class Spoilt(Run):
    """A run some of whose volumes are lost, and some have slices a third too bright."""

    seed: int = 0

    def walk(self) -> Iterator[Volume | Marker]:
        """As the scanner would have sent it."""
        rng = np.random.default_rng(self.seed)
        for item in super().walk():
            if not isinstance(item, Volume):
                yield item
            elif rng.random() >= LOST:
                yield spiked(item, rng) if rng.random() < SPIKES else item


def spiked(volume: Volume, rng: np.random.Generator) -> Volume:
    """A third of the slices, one after another, too bright."""
    data = volume.data.astype(np.float32)
    slices = data.shape[2]
    first = int(rng.integers(slices - slices // 3))
    data[..., first : first + slices // 3] *= 1.33
    return replace(volume, data=read_only(data.astype(volume.data.dtype)))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keeps the simulated sessions")
    folder = parser.parse_args(argv).folder or Path(tempfile.mkdtemp())
    generator = load_generator("miniature")
    print(
        "| session | realigned | trials | z, two-way | c, two-way | kind |\n|---|---|---|---|---|---|"
    )
    for name, motion in (("lying still", 0.0), ("moving", MOVING)):
        data = folder / f"motion-{motion:g}"
        if not data.is_dir():
            write_session(data, replace(DESIGN, motion=motion))
        runs = load_runs(data, None)
        masks = [data / MASKS.format(region) for region in ("early", "ventral")]
        region = load_region(runs[:RUNS], None, *masks)
        for realign in (True, False):
            artifact = fit(runs[:RUNS], region, generator, "person", realign)
            spoilt = [Spoilt(**vars(run), seed=n) for n, run in enumerate(runs)][RUNS:]
            row(name, realign, artifact, runs[RUNS:], generator)
            row(f"{name}, spikes, volumes lost", realign, artifact, spoilt, generator)
    return 0


def row(
    name: str, realign: bool, artifact: Artifact, runs: Sequence[Run], generator: Generator
) -> None:
    """Two-way identification of each trial's last volume."""
    decoded = list({d.trial.number: d for d in decode_runs(artifact, runs)}.values())
    pictures = load_stimuli(runs, [d.trial for d in decoded])
    assert pictures is not None
    assert artifact.z is not None
    captions = generator.encode_captions([d.trial.caption for d in decoded])
    truth = generator.encode_images(pictures), captions
    predicted = (
        np.stack([d.z for d in decoded if d.z is not None]),
        np.stack([d.c for d in decoded]),
    )
    scores = [
        two_way(unit(rows(a) - linear.y_mean) @ unit(rows(b) - linear.y_mean).T)
        for a, b, linear in zip(predicted, truth, (artifact.z, artifact.c), strict=True)
    ]
    kind = np.mean([d.predicted == d.trial.trial_type for d in decoded])
    said = "yes" if realign else "no"
    values = " | ".join(f"{score:.3f}" for score in (*scores, kind))
    print(f"| {name} | {said} | {len(decoded)} | {values} |", flush=True)


def rows(values: np.ndarray) -> np.ndarray:
    """One row a trial."""
    return values.reshape(len(values), -1)


if __name__ == "__main__":
    sys.exit(main())
