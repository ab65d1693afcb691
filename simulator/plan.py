"""What a simulated session shows, and when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rtrecon.errors import BadConfig
from simulator.faces import FACES
from simulator.gallery import Gallery, Shown
from simulator.scenes import SCENES

GALLERIES = {gallery.name: gallery for gallery in (SCENES, FACES)}

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
        The last runs, with pictures that no other run has, and how many pictures each has.
    test_repeats : int
        How often each of them is shown in its run.
    noise_trials : int
        How many of a run's pictures are noise patterns; among faces there are none.
    tr_s, trial_s, stimulus_s : float
        Repetition time; from one picture to the next; how long a picture is on.
    effect, ongoing, motion : float
        Scale what pictures evoke, what the brain does of its own and how the head moves.
    seed : int
    pictures : str
        One of `GALLERIES`.
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
    pictures: str = SCENES.name
    test_repeats: int = 1

    @property
    def gallery(self) -> Gallery:
        """Where the pictures come from."""
        return GALLERIES[self.pictures]

    def __post_init__(self) -> None:
        """See that the layout can be scanned.

        Raises
        ------
        BadConfig
            No run, an empty run, unknown pictures, or pictures that overlap.
        """
        if self.pictures not in GALLERIES:
            known = ", ".join(GALLERIES)
            raise BadConfig(f"pictures '{self.pictures}' are unknown: --pictures is one of {known}")
        if self.runs + self.test_runs < 1:
            raise BadConfig("a session of 0 runs: give --runs or --test-runs 1 or more")
        if min(self.trials, self.test_trials) < 1:
            raise BadConfig("a run of 0 trials: give --trials and --test-trials 1 or more")
        if self.test_repeats < 1:
            raise BadConfig(
                f"pictures shown {self.test_repeats} times: give --test-repeats 1 or more"
            )
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
    shown: tuple[Shown, ...]
    onsets_s: tuple[float, ...]
    n_volumes: int

    @property
    def label(self) -> str:
        """The run as BIDS names it."""
        return f"run-{self.number:02d}"

    @property
    def stim_files(self) -> list[str]:
        """Names of the pictures below `stimuli/`, by the trial that shows them first."""
        firsts = [self.shown.index(picture) + 1 for picture in self.shown]
        return [
            f"{self.label}_trial-{n:02d}_{picture.kind}.png"
            for n, picture in zip(firsts, self.shown, strict=True)
        ]


def write_script(design: Design) -> list[RunScript]:
    """All runs of a session: kinds balanced over calibration and over test, no picture twice.

    But for the test's `test_repeats`, in random order.
    """
    rng = np.random.default_rng([design.seed, 2])
    gallery = design.gallery
    fresh = _Fresh(gallery, rng)
    sizes = [design.trials] * design.runs + [design.test_trials] * design.test_runs
    deals = (_deal(gallery.kinds, rng), _deal(gallery.kinds, rng))
    scripts = []
    for number, n_trials in enumerate(sizes, 1):
        test = number > design.runs
        n_noise = min(design.noise_trials, n_trials) * len(gallery.patterns)
        kinds = [next(deals[test]) for _ in range(n_trials - n_noise)]
        kinds += gallery.patterns * n_noise
        shown = tuple(fresh(str(kind)) for kind in rng.permutation(kinds))
        if test and design.test_repeats > 1:
            order = rng.permutation(np.repeat(np.arange(n_trials), design.test_repeats))
            shown = tuple(shown[n] for n in order)
        onsets_s = spread_onsets(len(shown), design.trial_s, rng)
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


def _deal(kinds: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    """Kinds from a deck that is shuffled anew when it is used up."""
    while True:
        yield from map(str, rng.permutation(kinds))


class _Fresh:
    """Draws pictures of which nothing was drawn before that words say alike."""

    def __init__(self, gallery: Gallery, rng: np.random.Generator) -> None:
        self._gallery, self._rng = gallery, rng
        self._seen: set[tuple[str, ...]] = set()

    def __call__(self, kind: str) -> Shown:
        while True:
            picture = self._gallery.sample(self._rng, kind)
            said = self._gallery.said(picture)
            if kind in self._gallery.patterns or said not in self._seen:
                self._seen.add(said)
                return picture
