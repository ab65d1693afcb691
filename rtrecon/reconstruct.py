"""Decoded -> Frames: what was decoded, noised part of the way and denoised under c-hat."""

from collections.abc import Callable, Iterator, Sequence
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
        the same trial's `newest`, if there is one; a frame says what it was aimed at, and when.
        """
        seed = noise_seed(settings.seed, decoded.trial.number)
        aims = [(1, decoded)]  # each with the first step that was aimed at it
        steps_begun = count(2)

        def newer() -> Aim | None:
            step, aimed, waiting = next(steps_begun), aims[-1][1], newest()
            if waiting is None or waiting is aimed or waiting.trial.number != aimed.trial.number:
                return None
            aims.append((step, waiting))
            return aim_at(waiting)

        for images, step, steps in self._generator.images(aim_at(decoded), seed, settings, newer):
            # On a GPU the step that follows has begun by now, and may be aimed at something newer.
            aimed = [aim for aim in aims if aim[0] <= step]
            shown = aimed[-1][1]
            times = replace(shown.times, drawn=pylsl.local_clock())
            yield Frame(
                next(self._serial), read_only(images), shown, step, steps, times,
                told(aimed), settings,
            )  # fmt: skip


def told(aims: Sequence[tuple[int, Decoded]]) -> str:
    """What a picture was drawn of: "12", or "12,13@2" if of volume 13 from step 2 on."""
    return ",".join(
        f"{decoded.volume}" + (f"@{step}" if step > 1 else "") for step, decoded in aims
    )


def aim_at(decoded: Decoded) -> Aim:
    """What is drawn of it."""
    return Aim(decoded.z, decoded.c, decoded.reliability)


def noise_seed(seed: int, trial: int) -> int:
    """The seed of a trial's noise: the same for the trial, unrelated between trials."""
    return int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])
