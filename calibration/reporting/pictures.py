"""What a decoder draws of trials that it was not fitted on, beside what its null decoder draws."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.scoring.evaluate import each_two_way
from calibration.scoring.metrics import Pictures, pixel_correlations, resized
from rtrecon.types import Decoded

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawn:
    """A trial's finished pictures, (height, width, 3) each.

    Attributes
    ----------
    score : float
        0 to 1, by which they are ranked.
    known : bool
        Whether what was shown is among the candidates.
    """

    decoded: Decoded
    stimulus: Picture
    reconstruction: Picture
    control: Picture
    score: float
    known: bool = True


def beside(
    decoded: Sequence[Decoded],
    stimuli: Sequence[Picture],
    drawn: Sequence[Pictures],
    controls: Sequence[Pictures],
    candidates: Collection[str],
) -> list[Drawn]:
    """Each trial's first sample beside its stimulus and its control.

    Parameters
    ----------
    decoded : sequence of Decoded
        Each trial's newest.
    stimuli : sequence of uint8 (height, width, 3)
        In the same order, of any sizes.
    drawn, controls : sequence of uint8 (samples, height, width, 3)
        Likewise, by the decoder and by its null.
    """
    ours, theirs = ([samples[0] for samples in some] for some in (drawn, controls))
    edge = ours[0].shape[0]
    shown = list(resized(stimuli, edge).astype(np.uint8))
    scores = each_two_way(pixel_correlations(np.stack(ours), np.stack(shown)))
    return [
        Drawn(one, stimulus, picture, control, float(score), one.trial.trial_type in candidates)
        for one, stimulus, picture, control, score in zip(
            decoded, shown, ours, theirs, scores, strict=True
        )
    ]


def ranked(drawn: Sequence[Drawn], each: int) -> dict[str, list[Drawn]]:
    """The best, those around the median and the worst; each trial at most once."""
    order = sorted(drawn, key=lambda one: -one.score)
    each = min(each, len(order) // 3) or 1
    middle = (len(order) - each) // 2
    parts = {"best": order[:each], "median": order[middle : middle + each], "worst": order[-each:]}
    return parts if len(order) >= 3 else {"all": order}
