"""The figures of a session: what became of the volumes, how fast, and how much was decoded."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from rtrecon.types import Decoded, Frame, VolumeCounts

AGES_S = (2, 4, 6, 8, 10, 12, 14, 16, 18, 20)


@dataclass(frozen=True)
class Guess:
    """How one volume's decoding did: the true candidate's place among the others."""

    trial: int
    trial_type: str
    age_s: float
    top1: bool
    two_way: float  # share of the other candidates that scored lower


_Aged = TypeVar("_Aged", Guess, Decoded)


class Summary:
    """Collects the figures of one session. `decoded` is called by one thread, `shown` by another."""

    def __init__(self, candidates: Sequence[str]) -> None:
        self._candidates = tuple(candidates)
        self._guesses: list[Guess] = []
        self._decoded_ms: list[float] = []
        self._first_ms: dict[tuple[int, int], float] = {}
        self._final_ms: list[float] = []
        self.shown_frames = 0

    def decoded(self, decoded: Decoded) -> None:
        """Take note of one decoded volume."""
        self._decoded_ms.append(1e3 * (decoded.times.decoded - decoded.times.received))
        if (guess := guess_of(decoded, self._candidates)) is not None:
            self._guesses.append(guess)

    def shown(self, frame: Frame) -> None:
        """Take note of one painted frame."""
        self.shown_frames += 1
        age_ms = 1e3 * (frame.times.painted - frame.times.received)
        self._first_ms.setdefault((frame.decoded.trial.number, frame.decoded.volume), age_ms)
        if frame.final:
            self._final_ms.append(age_ms)

    def as_json(self, volumes: VolumeCounts, superseded: int) -> dict[str, Any]:
        """The content of summary.json."""
        return {
            "volumes": asdict(volumes),
            "frames": {"shown": self.shown_frames, "superseded": superseded},
            "latency_ms": {
                "arrival_to_decoded": percentiles(self._decoded_ms),
                "arrival_to_first_frame": percentiles(list(self._first_ms.values())),
                "arrival_to_final_frame": percentiles(self._final_ms),
            },
            "identification": identification(self._guesses, len(self._candidates)),
        }


def guess_of(decoded: Decoded, candidates: Sequence[str]) -> Guess | None:
    """The guess in one decoded volume; None where the truth is unknown or no candidate."""
    truth = decoded.trial.trial_type
    if truth not in candidates or len(candidates) < 2:
        return None
    scores = decoded.scores
    own = scores[list(candidates).index(truth)]
    two_way = float((scores < own).sum() / (len(scores) - 1))
    top1 = decoded.predicted == truth
    return Guess(decoded.trial.number, truth, decoded.age_s, top1, two_way)


def identification(guesses: Sequence[Guess], candidates: int) -> dict[str, Any]:
    """Scores by each trial's last volume, and by the age of the evidence.

    A trial counts at an age with its newest volume complete by then, if it lasted so long.
    """
    trials: dict[int, list[Guess]] = {}
    for guess in guesses:
        trials.setdefault(guess.trial, []).append(guess)
    last = [rows[-1] for rows in trials.values()]
    kinds = Counter(guess.trial_type for guess in last)
    by_age = {str(age): _mean(at_age(trials.values(), age)) for age in AGES_S}
    return {
        "trials": len(last),
        "candidates": candidates,
        **_mean(last),
        "chance_top1": 1 / candidates if candidates else 0.0,
        "majority_top1": max(kinds.values()) / len(last) if last else 0.0,
        "by_age_s": {age: scores for age, scores in by_age.items() if scores["trials"]},
    }


def at_age(trials: Iterable[Sequence[_Aged]], age_s: float) -> list[_Aged]:
    """Of each trial's volumes, in order, the newest that is complete by an age, if it lasted so long."""
    chosen = []
    for rows in trials:
        seen = [row for row in rows if row.age_s <= age_s]
        spacing = rows[1].age_s - rows[0].age_s if len(rows) > 1 else 0.0
        if seen and age_s < rows[-1].age_s + spacing:
            chosen.append(seen[-1])
    return chosen


def _mean(guesses: Sequence[Guess]) -> dict[str, Any]:
    if not guesses:
        return {"trials": 0, "top1": 0.0, "two_way": 0.0}
    return {
        "trials": len(guesses),
        "top1": float(np.mean([guess.top1 for guess in guesses])),
        "two_way": float(np.mean([guess.two_way for guess in guesses])),
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The median and the tail; zeros where nothing was measured."""
    if not values:
        return {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "p99": round(float(p99), 3)}
