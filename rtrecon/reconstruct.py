"""Decoded -> Frames: what was decoded, noised part of the way and denoised under c-hat."""

from collections.abc import Callable, Iterator
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

    def __call__(
        self,
        decoded: Decoded,
        settings: Settings,
        newest: Callable[[], Decoded | None] = lambda: None,
    ) -> Iterator[Frame]:
        """Yield the frames of one decoded volume, the finished image last.

        The noise is fixed within a trial, so that the picture changes only as the evidence does.
        No picture is made from the last one, which would drift. A picture on its way is aimed at
        the same trial's `newest`, if there is one; a frame says which it was last aimed at.
        """
        seed = noise_seed(settings.seed, decoded.trial.number)

        def newer() -> Aim | None:
            nonlocal decoded
            waiting = newest()
            if (
                waiting is None
                or waiting is decoded
                or waiting.trial.number != decoded.trial.number
            ):
                return None
            decoded = waiting
            return aim_at(decoded)

        for images, step, steps in self._generator.images(aim_at(decoded), seed, settings, newer):
            times = replace(decoded.times, drawn=pylsl.local_clock())
            yield Frame(next(self._serial), read_only(images), decoded, step, steps, times)


def aim_at(decoded: Decoded) -> Aim:
    """What is drawn of it."""
    return Aim(decoded.z, decoded.c, decoded.reliability)


def noise_seed(seed: int, trial: int) -> int:
    """The seed of a trial's noise: the same for the trial, unrelated between trials."""
    return int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])
