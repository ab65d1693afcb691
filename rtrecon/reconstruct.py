"""Decoded -> Frames: what was decoded, noised part of the way and denoised under c-hat."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pylsl

from rtrecon.config import Settings
from rtrecon.generators import Aim, Generator
from rtrecon.types import Decoded, Frame, read_only


class Reconstruct:
    """Frames of a session, one per step worth showing. Owned by the thread that owns the model."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._serial = count(1)

    def __call__(self, decoded: Decoded, settings: Settings) -> Iterator[Frame]:
        """Yield the frames of one decoded volume, the finished image last.

        The noise is fixed within a trial, so that the picture changes only as the evidence does.
        """
        seed = noise_seed(settings.seed, decoded.trial.number)
        aim = Aim(decoded.z, decoded.c)
        for images, step, steps in self._generator.images(aim, seed, settings):
            times = replace(decoded.times, drawn=pylsl.local_clock())
            yield Frame(next(self._serial), read_only(images), decoded, step, steps, times)

    def warm_up(self, settings: Settings) -> None:
        """Make one image of nothing, so that the first of the run is not the slow one."""
        c = np.zeros(self._generator.conditioning, np.float32)
        for _ in self._generator.images(Aim(None, c), 0, settings):
            pass


def noise_seed(seed: int, trial: int) -> int:
    """The seed of a trial's noise: the same for the trial, unrelated between trials."""
    return int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])
