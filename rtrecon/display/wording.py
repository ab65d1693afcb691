"""What the display says of a decoded and of a frame, in words that claim no more than is known.

A text-guided generator makes plausible pictures out of noise as well (Shirakawa et al. 2024,
"Spurious reconstruction from brain activity"), so a picture never stands without its evidence.
"""

import math
from collections.abc import Sequence

from rtrecon.types import UNMARKED, Decoded, Frame, Trial

ODDS_OVER_CHANCE = 2.0
"""How many times its odds by chance the likeliest candidate needs, to be called above chance.

The largest of n probabilities is above 1/n even in noise. Odds, unlike a multiple of the chance
level, mean the same for two candidates (67 % against 50 %) as for twelve (15 % against 8 %).
"""


def above_chance(confidence: float, n_candidates: int) -> bool:
    """Whether a probability says more than that one of the candidates has to be the largest."""
    if n_candidates < 2 or not confidence > 0:  # nan too
        return False
    odds = confidence / max(1 - confidence, 1e-9)
    return odds * (n_candidates - 1) >= ODDS_OVER_CHANCE


def percent(share: float) -> str:
    """A probability, with a decimal only where it would read as nothing."""
    if not math.isfinite(share):
        return "? %"
    return f"{share * 100:.1f} %" if 0 < share < 0.01 else f"{share * 100:.0f} %"


def guess(decoded: Decoded, candidates: Sequence[str]) -> str:
    """The likeliest candidate, with its probability against chance."""
    chance = percent(1 / len(candidates)) if candidates else "not known"
    return f"{decoded.predicted} {percent(decoded.confidence)} (chance {chance})"


def evidence(frame: Frame) -> str:
    """Which trial, how old the evidence, how far the picture."""
    steps = f"  ·  step {frame.step} of {frame.steps}" if frame.steps > 1 else ""
    return f"{about(frame.decoded)}{steps}"


def samples(frame: Frame) -> str:
    """What several pictures of one decoding mean; empty for one."""
    n = len(frame.images)
    return f"{n} samples: what differs was not decoded" if n > 1 else ""


def about(decoded: Decoded) -> str:
    """Which trial, and how old the evidence."""
    if decoded.trial.number == UNMARKED:
        return f"free viewing  ·  about {decoded.age_s - decoded.trial.duration_s / 2:.0f} s ago"
    return f"{which(decoded.trial)}  ·  {decoded.age_s:.1f} s after onset"


def presented(trial: Trial) -> str:
    """What was on the participant's screen."""
    return trial.trial_type or trial.caption or "not known"


def which(trial: Trial) -> str:
    """By its number, where it has one."""
    return "free viewing" if trial.number == UNMARKED else f"trial {trial.number}"


def presentation(trial: Trial) -> str:
    """When, and for how long, it was there."""
    if trial.number == UNMARKED:
        return which(trial)
    held = f"  ·  shown for {trial.duration_s:.1f} s" if math.isfinite(trial.duration_s) else ""
    return f"{which(trial)}{held}"


PICTURE_IS = "drawn by a model from brain activity: it can be wrong, and details are the model's"
PICTURE_IS_NOT = "not above chance: this is the generator's guess, not the brain's"


def picture_is(decoded: Decoded) -> str:
    """What those who do not know the method have to know of a picture."""
    sure = above_chance(decoded.confidence, len(decoded.probabilities))
    return PICTURE_IS if sure else PICTURE_IS_NOT
