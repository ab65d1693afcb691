"""What a decoder draws of trials that it was not fitted on, beside what its null decoder draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.evaluate import each_two_way
from rtrecon.decode import unit
from rtrecon.generators import Aim, Generator
from rtrecon.reconstruct import aim_at, noise_seed
from rtrecon.types import Decoded

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawn:
    """A trial's finished pictures, (height, width, 3) each; `score` in 0 to 1 ranks them."""

    decoded: Decoded
    stimulus: Picture
    reconstruction: Picture
    control: Picture
    score: float


def draw(
    decoded: Sequence[Decoded],
    controls: Sequence[Decoded],
    stimuli: Sequence[Picture],
    generator: Generator,
) -> list[Drawn]:
    """The finished picture of each trial, with the noise that a live run gives it.

    Parameters
    ----------
    decoded, controls : sequence of Decoded
        Each trial's last, by the decoder and by its null; in one order.
    stimuli : sequence of uint8 (height, width, 3)
        In the same order, of any sizes.
    """
    rows = list(zip(decoded, controls, strict=True))
    pictures = [
        [_picture(generator, aim_at(each), each.trial.number) for each in pair]
        for pair in tqdm(rows, desc="pictures", disable=None)
    ]
    shown = [_like(stimulus, ours) for stimulus, (ours, _) in zip(stimuli, pictures, strict=True)]
    scores = each_two_way(_correlation([ours for ours, _ in pictures], shown))
    return [
        Drawn(d, stimulus, ours, control, float(score))
        for d, stimulus, (ours, control), score in zip(
            decoded, shown, pictures, scores, strict=True
        )
    ]


def ranked(drawn: Sequence[Drawn], each: int) -> dict[str, list[Drawn]]:
    """The best, those around the median and the worst; each trial at most once."""
    order = sorted(drawn, key=lambda one: -one.score)
    each = min(each, len(order) // 3) or 1
    middle = (len(order) - each) // 2
    parts = {"best": order[:each], "median": order[middle : middle + each], "worst": order[-each:]}
    return parts if len(order) >= 3 else {"all": order}


def _picture(generator: Generator, aim: Aim, trial: int) -> Picture:
    settings = generator.defaults
    *_, last = generator.images(aim, noise_seed(settings.seed, trial), settings)
    return last.images[0]


def _like(stimulus: Picture, ours: Picture) -> Picture:
    from PIL import Image

    size = (ours.shape[1], ours.shape[0])
    return np.asarray(Image.fromarray(stimulus).resize(size, Image.Resampling.LANCZOS))


def _correlation(some: Sequence[Picture], others: Sequence[Picture]) -> NDArray[np.float32]:
    """Pearson's r over all RGB values of each picture with each other."""
    rows = [np.stack(x).reshape(len(x), -1).astype(np.float32) for x in (some, others)]
    one, other = (unit(row - row.mean(axis=1, keepdims=True)) for row in rows)
    return one @ other.T
