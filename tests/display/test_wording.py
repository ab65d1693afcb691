"""What the display says has to be what is known."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import TYPE_CHECKING

import pytest

from rtrecon.display import wording
from rtrecon.types import UNMARKED, Trial

if TYPE_CHECKING:
    from tests.display.conftest import HandFed


@pytest.mark.parametrize(
    ("confidence", "n", "above"),
    [
        (0.46, 12, True),
        (0.16, 12, True),
        (0.11, 12, False),  # the largest of twelve in noise
        (1 / 12, 12, False),
        (0.60, 2, False),
        (0.70, 2, True),
        (1.00, 2, True),
        (0.005, 515, True),
        (0.003, 515, False),
        (nan, 12, False),
        (1.0, 1, False),  # nothing to tell apart
        (0.0, 0, False),
    ],
)
def test_only_clear_evidence_is_called_above_chance(confidence: float, n: int, above: bool) -> None:
    assert wording.above_chance(confidence, n) is above


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.46, "46 %"), (0.0019, "0.2 %"), (0.0, "0 %"), (1.0, "100 %"), (nan, "? %")],
)
def test_percent(share: float, words: str) -> None:
    assert wording.percent(share) == words


def test_a_guess_comes_with_its_chance_level(
    session: HandFed, new_trial: Callable[..., Trial]
) -> None:
    decoded = session.decode(new_trial(), volume=10, confidence=0.46)
    assert wording.guess(decoded, session.candidates) == "dog 46 % (chance 8 %)"


def test_evidence_has_its_age_and_step(session: HandFed, new_trial: Callable[..., Trial]) -> None:
    frame = session.draw(session.decode(new_trial(3), volume=26), step=2, steps=4)
    words = " ".join(wording.evidence(frame).split())
    assert words == "trial 3 · 6.0 s after onset · step 2 of 4"


def test_free_viewing_claims_no_trial(session: HandFed) -> None:
    slot = Trial(UNMARKED, "", 40.0, 2.0)
    frame = session.draw(session.decode(slot, volume=22), step=4, steps=4)  # ends at 46 s
    words = " ".join(wording.evidence(frame).split())
    assert words == "free viewing · about 5 s ago · step 4 of 4"
    assert wording.presentation(slot) == "free viewing"
    assert wording.presented(slot) == "not known"
