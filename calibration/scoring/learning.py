"""How many runs are enough: decoders of the first 1 to n runs, tested on the same others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Scores = Mapping[str, Any]


def learning_curve(
    scores_of: Callable[[int], Scores], counts: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """Scores by the number of runs that decoders were fitted on.

    Parameters
    ----------
    scores_of : from a number of runs to scores by name, each as `Score.as_json` has it
        Fits on so many runs and tests on the same held-out ones each time.
    counts : numbers of runs, ascending

    Returns
    -------
    dict
        A score's name to {"runs": [...], "scores": [...], "enough": runs}; `enough` is the least
        number from which on all scores lie within the interval of the one of most runs: more runs
        gained nothing that could be told from chance. None where that holds only of the last.

    Raises
    ------
    ValueError
        No counts, or not ascending from 1 on.
    """
    if not counts or counts[0] < 1 or list(counts) != sorted(set(counts)):
        raise ValueError(f"runs to fit on are {list(counts)}: give numbers from 1 on, ascending")
    measured = [scores_of(count) for count in counts]
    shared = set(measured[0]).intersection(*measured[1:])
    return {
        name: {
            "runs": list(counts),
            "scores": [one[name] for one in measured],
            "enough": _enough(counts, [one[name] for one in measured]),
        }
        for name in measured[-1]
        if name in shared
    }


def default_counts(runs: int) -> list[int]:
    """1, 2, 4, ... and all."""
    doubling = (2**power for power in range(runs.bit_length()))
    return sorted({count for count in doubling if count < runs} | {runs})


def _enough(counts: Sequence[int], scores: Sequence[Scores]) -> int | None:
    low, high = scores[-1]["interval"]
    enough = None
    for count, one in zip(counts[:-1][::-1], scores[:-1][::-1], strict=True):
        if not low <= one["value"] <= high:
            break
        enough = count
    return enough
