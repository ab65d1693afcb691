"""What a simulated session shows, and when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rtrecon.errors import BadConfig
from simulator import scenes
from simulator.scenes import Scene

LEAD_S = 10.0  # before the first picture
TAIL_S = 2.0  # after the last trial
_LATE_S = 1.0


@dataclass(frozen=True)
class Design:
    """How a session is laid out.

    Attributes
    ----------
    runs, trials : int
        Calibration runs and the pictures of each.
    test_runs, test_trials : int
        The last runs, with pictures that no other run has.
    noise_trials : int
        How many of a run's pictures are noise patterns.
    tr_s, trial_s, stimulus_s : float
        Repetition time; from one picture to the next; how long a picture is on.
    effect, ongoing, motion : float
        Scale what pictures evoke, what the brain does of its own and how the head moves.
    seed : int
    """

    runs: int = 12
    trials: int = 30
    test_runs: int = 1
    test_trials: int = 24
    noise_trials: int = 2
    tr_s: float = 2.0
    trial_s: float = 12.0
    stimulus_s: float = 6.0
    effect: float = 1.0
    ongoing: float = 1.0
    motion: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """See that the layout can be scanned.

        Raises
        ------
        BadConfig
            No run, an empty run, or pictures that overlap.
        """
        if self.runs + self.test_runs < 1:
            raise BadConfig("a session of 0 runs: give --runs or --test-runs 1 or more")
        if min(self.trials, self.test_trials) < 1:
            raise BadConfig("a run of 0 trials: give --trials and --test-trials 1 or more")
        if self.stimulus_s > self.trial_s - _LATE_S:
            longest_s = self.trial_s - _LATE_S
            raise BadConfig(
                f"pictures of {self.stimulus_s:g} s every {self.trial_s:g} s: at most "
                f"{longest_s:g} s fit, give a smaller --stimulus-s or a larger --trial-s"
            )


@dataclass(frozen=True)
class RunScript:
    """One run's pictures and onsets, in order (run time, s). `number` counts from 1."""

    number: int
    test: bool
    shown: tuple[Scene, ...]
    onsets_s: tuple[float, ...]
    n_volumes: int

    @property
    def label(self) -> str:
        """The run as BIDS names it."""
        return f"run-{self.number:02d}"

    @property
    def stim_files(self) -> list[str]:
        """Names of the pictures below `stimuli/`."""
        return [
            f"{self.label}_trial-{n:02d}_{scene.kind}.png" for n, scene in enumerate(self.shown, 1)
        ]


def write_script(design: Design) -> list[RunScript]:
    """All runs of a session: kinds balanced over calibration and over test, no scene twice."""
    rng = np.random.default_rng([design.seed, 2])
    fresh = _FreshScenes(rng)
    sizes = [design.trials] * design.runs + [design.test_trials] * design.test_runs
    deals = (_deal_kinds(rng), _deal_kinds(rng))
    scripts = []
    for number, n_trials in enumerate(sizes, 1):
        test = number > design.runs
        n_noise = min(design.noise_trials, n_trials)
        kinds = [next(deals[test]) for _ in range(n_trials - n_noise)] + [scenes.NOISE] * n_noise
        shown = tuple(fresh(str(kind)) for kind in rng.permutation(kinds))
        onsets_s = spread_onsets(n_trials, design.trial_s, rng)
        n_volumes = volumes_until(onsets_s, design)
        scripts.append(RunScript(number, test, shown, onsets_s, n_volumes))
    return scripts


def spread_onsets(n_trials: int, trial_s: float, rng: np.random.Generator) -> tuple[float, ...]:
    """Onsets a trial apart, up to a second late, so that they fall anywhere within a TR."""
    late_s = rng.uniform(0, _LATE_S, n_trials)
    return tuple(np.round(LEAD_S + trial_s * np.arange(n_trials) + late_s, 3).tolist())


def volumes_until(onsets_s: Sequence[float], design: Design) -> int:
    """How many volumes a run takes."""
    end_s = LEAD_S + len(onsets_s) * design.trial_s + _LATE_S + TAIL_S
    return int(np.ceil(end_s / design.tr_s))


def _deal_kinds(rng: np.random.Generator) -> Iterator[str]:
    """Kinds from a deck that is shuffled anew when it is used up."""
    while True:
        yield from map(str, rng.permutation(scenes.KINDS))


class _FreshScenes:
    """Draws scenes that were not drawn before, flip and seed aside."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._seen: set[tuple[str, ...]] = set()

    def __call__(self, kind: str) -> Scene:
        while True:
            scene = scenes.sample_scene(self._rng, kind)
            words = (kind, scene.colour, scene.place, scene.time, scene.size, scene.position)
            if kind == scenes.NOISE or words not in self._seen:
                self._seen.add(words)
                return scene
