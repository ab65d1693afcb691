"""The figures of a session against hand-made answers."""

import numpy as np
import pytest

from rtrecon.summary import Guess, guess_of, identification, percentiles
from rtrecon.types import Decoded, Trial

NAMES = ("cat", "dog", "noise")


def decoded(trial_type: str, scores: list[float]) -> Decoded:
    trial, array = Trial(1, trial_type, 0.0, 6.0), np.array(scores, np.float32)
    best = NAMES[int(np.argmax(array))]
    return Decoded(trial, 4, 8.0, None, np.zeros((1, 1), np.float32), array, array, best, 0.4)


def test_a_guess_is_the_true_candidates_place() -> None:
    guess = guess_of(decoded("dog", [0.1, 0.2, 0.3]), NAMES)
    assert guess == Guess(1, "dog", 8.0, top1=False, two_way=0.5)
    assert guess_of(decoded("noise", [0.1, 0.2, 0.3]), NAMES).two_way == 1.0  # type: ignore[union-attr]


def test_what_is_no_candidate_is_no_guess() -> None:
    assert guess_of(decoded("bird", [0.1, 0.2, 0.3]), NAMES) is None


def test_identification_by_age_takes_each_trials_newest_volume() -> None:
    guesses = [
        Guess(1, "cat", 3.0, top1=False, two_way=0.0),
        Guess(1, "cat", 5.0, top1=True, two_way=1.0),
        Guess(1, "cat", 7.0, top1=True, two_way=1.0),
        Guess(2, "dog", 3.5, top1=False, two_way=0.5),
        Guess(2, "dog", 5.5, top1=False, two_way=0.0),
    ]
    scores = identification(guesses, 3)
    assert (scores["trials"], scores["candidates"]) == (2, 3)
    assert (scores["top1"], scores["two_way"]) == (0.5, 0.5)
    assert scores["chance_top1"] == pytest.approx(1 / 3)
    assert scores["by_age_s"]["4"] == {"trials": 2, "top1": 0.0, "two_way": 0.25}
    assert scores["by_age_s"]["6"] == {"trials": 2, "top1": 0.5, "two_way": 0.5}
    assert scores["by_age_s"]["8"] == {"trials": 1, "top1": 1.0, "two_way": 1.0}
    assert "2" not in scores["by_age_s"]


def test_nothing_measured_is_zero_and_no_error() -> None:
    assert identification([], 0)["trials"] == 0
    assert percentiles([]) == {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    assert percentiles([1.0, 2.0, 3.0])["p50"] == 2.0
