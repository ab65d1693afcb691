"""How a trial's picture should follow its evidence: noise, strength, feedback, aiming anew.

`make bench` prints the tables of docs/reconstruction.md on the evolving picture, from the person
that `make demo` left in out/demo-person; fitted and tested as in `tests.benchmarks.reconstruction`.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.generators import Aim, Generator, diffusion
from rtrecon.reconstruct import aim_at, noise_seed
from rtrecon.types import Decoded
from tests.benchmarks.reconstruction import Sample, judged, person_of, sample

VOLUMES = 4  # of each trial that are compared, from about 5, 7, 9 and 11 s after onset

Picture = NDArray[np.uint8]


class Policy(NamedTuple):
    """One way to go from volume to volume."""

    name: str
    changed: dict[str, Any]  # in the generator's own settings
    fresh: bool = False  # new noise for every picture
    fed_back: float = 0.0  # how much of the last picture's latent goes into the next one's z


EVEN = {"strength": 0.8, "by_evidence": False}
POLICIES = (
    Policy("strength .8 throughout", EVEN),
    Policy("**.75, more with less evidence**", {}),
    Policy(".5, more with less evidence", {"strength": 0.5}),
    Policy(".8, new noise for every picture", EVEN, fresh=True),
    Policy(".8, half the last picture fed back", EVEN, fed_back=0.5),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 0 also where there is no person, which is said."""
    person = person_of(arguments, __doc__)
    if not (person / "decoder").is_dir():
        print(f"evolving: no person in {person}: run make demo first")
        return 0
    known = sample(person)
    trials = [
        [d for d in known.decoded if d.trial.number == number][:VOLUMES] for number in known.truth
    ]
    _print_policies(known, trials)
    _print_aims(known, trials)
    return 0


def _print_policies(known: Sample, trials: Sequence[Sequence[Decoded]]) -> None:
    truth = list(known.truth.values())
    ages = [f"{np.mean([rows[n].age_s for rows in trials]):.0f} s" for n in range(VOLUMES)]
    changes = [f"{a} to {b}" for a, b in pairwise(ages)]
    print(
        f"| policy | {' | '.join(f'two-way, {a}' for a in ages)} | kind, {ages[-1]} | "
        f"{' | '.join(f'change, {c}' for c in changes)} | unexplained |"
    )
    print("|---" * (len(ages) + len(changes) + 3) + "|")
    for policy in POLICIES:
        shown = [_evolved(known.generator, rows, policy) for rows in trials]
        scores = [judged([row[n] for row in shown], truth) for n in range(VOLUMES)]
        change = np.array([[_apart(*pair) for pair in pairwise(r)] for r in shown])
        cells = [f"{score.image.mean():.2f}" for score in scores]
        cells.append(f"{scores[-1].kind.mean():.2f}")
        cells += [f"{c:.0f}" for c in change.mean(axis=0)] + [f"{_unexplained(trials, change):.0f}"]
        print(f"| {policy.name} | {' | '.join(cells)} |", flush=True)


def _evolved(generator: Generator, rows: Sequence[Decoded], policy: Policy) -> list[Picture]:
    """The finished picture of each volume of a trial."""
    shown: list[Picture] = []
    settings = replace(generator.defaults, preview=False, **policy.changed)
    for decoded in rows:
        seed = noise_seed(0, decoded.trial.number) + policy.fresh * decoded.volume
        aim = aim_at(decoded)
        if policy.fed_back and shown:
            aim = aim._replace(z=_mixed(aim.z, generator.encode_images(shown[-1:])[0], policy))
        *_, last = generator.images(aim, seed, settings)
        shown.append(last.images[0])
    return shown


def _mixed(
    z: NDArray[np.float32] | None, last: NDArray[np.float32], policy: Policy
) -> NDArray[np.float32]:
    """Anchored again on what was decoded: with its mean and spread."""
    assert z is not None
    mixed = (1 - policy.fed_back) * z + policy.fed_back * last
    scaled = (mixed - mixed.mean()) / mixed.std() * z.std() + z.mean()
    return scaled.astype(np.float32)


def _apart(one: Picture, other: Picture) -> float:
    """Mean absolute difference, of 255."""
    return float(np.abs(one.astype(float) - other).mean())


def _unexplained(trials: Sequence[Sequence[Decoded]], change: NDArray[np.float64]) -> float:
    """What would change if the decoded did not: the constant of a regression on its changes."""
    moved = [
        [np.sqrt(np.mean((getattr(a, name) - getattr(b, name)) ** 2)) for name in "zc"]
        for rows in trials
        for a, b in pairwise(rows)
    ]
    design = np.column_stack([np.ones(len(moved)), moved])
    return float(np.linalg.lstsq(design, change.ravel(), rcond=None)[0][0])


def _print_aims(known: Sample, trials: Sequence[Sequence[Decoded]]) -> None:
    """A volume comes while a picture is being made."""
    truth = list(known.truth.values())
    diffusion.AIMED_UNTIL = 1.0  # so that later ones can be seen, too
    print("\n| steps | the newer volume is taken | two-way, kind: 2nd volume | 3rd | 4th |")
    print("|---|---|---|---|---|")
    for steps in (2, 4):
        settings = replace(known.generator.defaults, steps=steps, preview=False)
        for at in (None, *range(steps, 0, -1)):
            cells = []
            for n in range(1, VOLUMES):
                pairs = [(rows[n - 1], rows[n]) for rows in trials]
                shown = [_aimed_anew(known.generator, *pair, at, settings) for pair in pairs]
                scores = judged(shown, truth)
                cells.append(f"{scores.image.mean():.2f}, {scores.kind.mean():.2f}")
            when = "not for this picture" if at is None else f"before step {at}"
            print(f"| {steps} | {when} | {' | '.join(cells)} |", flush=True)


def _aimed_anew(
    generator: Generator, old: Decoded, new: Decoded, at: int | None, settings: Settings
) -> Picture:
    asked = iter(range(2, 100))

    def newer() -> Aim | None:
        return aim_at(new) if next(asked) == at else None

    aim = aim_at(new if at == 1 else old)
    *_, last = generator.images(aim, noise_seed(0, old.trial.number), settings, newer)
    return last.images[0]


if __name__ == "__main__":
    sys.exit(main())
