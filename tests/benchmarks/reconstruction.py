"""How many steps, how much noise, how much guidance: the simulated person's test run.

`make bench` prints the table of docs/reconstruction.md, from the person and the decoders that
`make demo` left in out/demo-person. Chance: two-way .50, kind .08.
"""

import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.dataset import load_runs, load_stimuli
from calibration.evaluate import decode_runs, two_way
from rtrecon.artifact import load_artifact
from rtrecon.config import Settings
from rtrecon.decode import unit
from rtrecon.generators import Generator, load_generator
from rtrecon.reconstruct import noise_seed
from rtrecon.types import Decoded
from simulator.judge import Judge

PERSON = Path("out/demo-person")
GRID = tuple(product((1, 2, 4, 8), (0.4, 0.6, 0.8, 1.0), (1.0, 2.0)))


def main(person: Path = PERSON) -> int:
    """Print the table; 0 also where there is no person, which is said."""
    if not (person / "decoder").is_dir():
        print(f"reconstruction: no decoders in {person}: run make demo first")
        return 0
    artifact = load_artifact(person / "decoder")
    generator = load_generator(artifact.generator.name)
    runs = load_runs(person / "data", None)[-1:]
    decoded = list({d.trial.number: d for d in decode_runs(artifact, runs)}.values())
    truth = load_stimuli(runs, [d.trial for d in decoded])
    assert truth is not None
    print("| steps | strength | guidance | image, two-way | kind |")
    print("|---|---|---|---|---|")
    for steps, strength, guidance in GRID:
        settings = Settings(steps=steps, strength=strength, guidance=guidance, preview=False)
        score, kind = judged(images(generator, decoded, settings), truth)
        print(f"| {steps} | {strength} | {guidance:g} | {score:.2f} | {kind:.2f} |", flush=True)
    return 0


def images(
    generator: Generator, decoded: Sequence[Decoded], settings: Settings
) -> list[NDArray[np.uint8]]:
    """Each trial's final image, with the noise that the live run gives it."""
    finals = []
    for d in decoded:
        seed = noise_seed(settings.seed, d.trial.number)
        *_, last = generator.images(d.z, d.c, seed, settings)
        finals.append(last.image)
    return finals


def judged(
    shown: Sequence[NDArray[np.uint8]], truth: Sequence[NDArray[np.uint8]]
) -> tuple[float, float]:
    """Two-way identification and kind, by a classifier that knows only true renders."""
    judge = Judge.load()
    similarity = unit(judge.features(np.stack(shown))) @ unit(judge.features(np.stack(truth))).T
    seen, real = (judge.classify(np.stack(pictures))["kind"] for pictures in (shown, truth))
    return two_way(similarity), float(np.mean([a == b for a, b in zip(seen, real, strict=True)]))


if __name__ == "__main__":
    sys.exit(main())
