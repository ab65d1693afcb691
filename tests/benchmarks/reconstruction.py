"""How many steps, noise, guidance, and is the spread restored: measured within the calibration runs.

`make bench` prints the tables of docs/reconstruction.md from the person that `make demo` left in
out/demo-person: decoders are fitted on the first runs and tested on the next; the demo's own test
run is not touched. Chance: two-way .50, kind .08.
"""

import argparse
import sys
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from diffusers import DDIMScheduler
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.data.dataset import load_runs, load_stimuli
from calibration.data.regions import load_region
from calibration.fitting.fit import fit
from calibration.scoring.evaluate import each_two_way
from calibration.scoring.held_out import decode_runs
from rtrecon.artifact import Artifact
from rtrecon.config import Settings
from rtrecon.decode import unit
from rtrecon.generators import Generator, load_generator
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.schedule import Schedule
from rtrecon.reconstruct import aim_at, noise_seed
from rtrecon.types import Decoded
from simulator.judge import Judge

PERSON = Path("out/demo-person")
REGIONS = ("early", "ventral")
FITTED, TESTED = 9, 3  # runs
GRID = tuple(product((1, 2, 4), (0.5, 0.75, 1.0), (1.0, 2.0)))
MANY = Settings(steps=40, strength=0.8, by_evidence=False, preview=False)  # 40 of DDIM's 50


class Sample(NamedTuple):
    """What decoders that were fitted on the first runs make of every volume of the next."""

    generator: Diffusion
    artifact: Artifact
    decoded: list[Decoded]
    truth: dict[int, NDArray[np.uint8]]  # each trial's picture

    @property
    def last(self) -> list[Decoded]:
        """Each trial's newest."""
        return list({d.trial.number: d for d in self.decoded}.values())


def sample(person: Path) -> Sample:
    """Fit and decode; progress is shown."""
    generator = load_generator("miniature")
    assert isinstance(generator, Diffusion)
    runs = load_runs(person / "data", None)
    tested = runs[FITTED : FITTED + TESTED]
    masks = person / "data" / "derivatives" / "masks" / "sub-01" / "func"
    early, ventral = (masks / f"sub-01_task-view_desc-{name}_mask.nii.gz" for name in REGIONS)
    region = load_region(runs[:FITTED], None, early, ventral)
    artifact = fit(runs[:FITTED], region, generator, "bench")
    decoded = decode_runs(artifact, tested)
    trials = list({d.trial.number: d.trial for d in decoded}.values())
    pictures = load_stimuli(tested, trials)
    assert pictures is not None
    truth = {trial.number: picture for trial, picture in zip(trials, pictures, strict=True)}
    return Sample(generator, artifact, decoded, truth)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 0 also where there is no person, which is said."""
    person = person_of(arguments, __doc__)
    if not (person / "decoder").is_dir():
        print(f"reconstruction: no person in {person}: run make demo first")
        return 0
    known = sample(person)
    truth = list(known.truth.values())
    rows = {}
    for steps, strength, guidance in tqdm(GRID, desc="settings"):
        settings = Settings(steps=steps, strength=strength, guidance=guidance, preview=False)
        shown = images(known.generator, known.last, settings)
        rows[f"{steps} | {strength} | {guidance:g}"] = judged(shown, truth)
    shown = images(with_ddim(known.generator), known.last, MANY)
    rows["40 of DDIM's 50 | 0.8 | 1"] = judged(shown, truth)
    print("| steps | strength | guidance | image, two-way | pixels, two-way | kind | worse in |")
    print("|---|---|---|---|---|---|---|")
    for name, scores in rows.items():
        print(f"| {name} | {cells(scores)} | {worse_in(scores, rows.values())} |", flush=True)
    print("\n| spread of z | spread of c | image, two-way | pixels, two-way | kind |")
    print("|---|---|---|---|---|")
    settings = replace(known.generator.defaults, preview=False)
    for shrunk in ({}, {"z"}, {"c"}, {"z", "c"}):
        as_ridge = [unscaled(known.artifact, d, shrunk) for d in known.last]
        scores = judged(images(known.generator, as_ridge, settings), truth)
        spread = ["as ridge leaves it" if name in shrunk else "restored" for name in "zc"]
        print(f"| {' | '.join(spread)} | {cells(scores)} |", flush=True)
    return 0


def with_ddim(generator: Diffusion) -> Diffusion:
    """The same weights under the scheduler of models that are not distilled."""
    slow = copy(generator)
    config = generator._schedule.scheduler.config
    slow._schedule = Schedule(DDIMScheduler.from_config(config, clip_sample=False))
    return slow


def unscaled(artifact: Artifact, decoded: Decoded, names: Collection[str]) -> Decoded:
    """The same with z or c, or both, as near to its mean as ridge leaves it."""
    changed = {}
    for name in names:
        mean = getattr(artifact, name).y_mean.reshape(getattr(decoded, name).shape)
        shrunk = mean + (getattr(decoded, name) - mean) / artifact.about["gain"][name]
        changed[name] = shrunk.astype(np.float32)
    return replace(decoded, **changed)


def images(
    generator: Generator, decoded: Sequence[Decoded], settings: Settings
) -> list[NDArray[np.uint8]]:
    """Each trial's final image, with the noise that the live run gives it."""
    finals = []
    for d in decoded:
        seed = noise_seed(settings.seed, d.trial.number)
        *_, last = generator.images(aim_at(d), seed, settings)
        finals.append(last.images[0])
    return finals


def person_of(arguments: Sequence[str] | None, about: str | None) -> Path:
    """The folder of the person that is asked for."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("person", type=Path, nargs="?", default=PERSON, help=f"[{PERSON}]")
    person: Path = parser.parse_args(arguments).person
    return person


class Scores(NamedTuple):
    """What finished pictures are worth, (trials,). Chance: .5, .5 and .08."""

    image: NDArray[np.float64]  # two-way, by a classifier that knows only true renders
    pixels: NDArray[np.float64]  # and by the correlation of all pixels, which sees layout
    kind: NDArray[np.float64]  # 1 where the classifier names the kind rightly


def judged(shown: Sequence[NDArray[np.uint8]], truth: Sequence[NDArray[np.uint8]]) -> Scores:
    """Pictures against the stimuli they should be."""
    judge, pair = Judge.load(), (np.stack(shown), np.stack(truth))
    features, pixels = (
        each_two_way(unit(seen) @ unit(real).T)
        for seen, real in (
            [judge.features(pictures) for pictures in pair],
            [pictures.reshape(len(pictures), -1).astype(np.float32) for pictures in pair],
        )
    )
    seen, real = (judge.classify(pictures)["kind"] for pictures in pair)
    kind = np.array([a == b for a, b in zip(seen, real, strict=True)], float)
    return Scores(features, pixels, kind)


def worse_in(scores: Scores, others: Collection[Scores]) -> str:
    """In which measures they are behind the best of all by more than twice the standard error.

    That of the difference within trials: most of what makes a trial easy it is for all settings.
    """
    behind = []
    for name, mine in scores._asdict().items():
        best = max((getattr(each, name) for each in others), key=np.mean)
        lost = best - mine
        if lost.mean() > 2 * lost.std(ddof=1) / np.sqrt(len(lost)):
            behind.append(name)
    return ", ".join(behind)


def cells(scores: Scores) -> str:
    """A table's cells."""
    return " | ".join(f"{score.mean():.2f}" for score in scores)


if __name__ == "__main__":
    sys.exit(main())
