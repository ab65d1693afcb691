"""What summary.json says of each person of an EEG session."""

from collections import Counter, defaultdict
from math import isfinite, isnan, nan

import numpy as np

from rtrecon.protocol.blocks import Blocks
from rtrecon.types import Firing, Score


class PersonSummary:
    """Counts one person's scores and firings as they come. Owned by one thread.

    Parameters
    ----------
    blocks : Blocks
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._latencies_ms: list[float] = []
        self._scores: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
        self._kinds: dict[int, str] = {}
        self._faults: Counter[str] = Counter()
        self._firings: list[dict[str, float]] = []

    def score(self, score: Score) -> None:
        """Take note of a score."""
        if score.sample >= 0:
            self._latencies_ms.append(1e3 * (score.time - score.acquired))
        number = self._blocks.at(score.elapsed).number
        self._kinds[number] = score.block.value
        self._scores[number].append((score.raw, score.value, score.told))
        if isnan(score.raw):
            self._faults[score.fault.split(":")[0] or "unknown"] += 1

    def firing(self, firing: Firing, crossed: float) -> None:
        """Take note of a firing whose value had come over the threshold at `crossed` (LSL, s)."""
        self._firings.append({
            "number": firing.number, "time": firing.time, "elapsed_s": round(firing.score.elapsed, 4),
            "crossing_to_firing_ms": round(1e3 * (firing.time - crossed), 2),
        })  # fmt: skip

    def as_json(self) -> dict[str, object]:
        """For summary.json; a mean of nothing is null."""
        n = sum(map(len, self._scores.values()))
        return {
            "scores": n,
            "without_score": dict(self._faults),
            "artefact_share": round(self._faults["artefact"] / n, 4) if n else None,
            "latency_ms": _percentiles(self._latencies_ms),
            "blocks": [self._block(number) for number in sorted(self._scores) if number],
            "firings": self._firings,
        }

    def _block(self, number: int) -> dict[str, object]:
        raw, value, told = np.array(self._scores[number]).T
        means = {"raw": _mean(raw), "value": _mean(value), "told": _mean(told)}
        return {"number": number, "kind": self._kinds[number], "scores": len(raw), **means}


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(known.mean()), 6) if len(known) else None


def _percentiles(values: list[float]) -> dict[str, float | None]:
    known = [value for value in values if isfinite(value)]
    at = np.percentile(known, [50, 95, 99]) if known else [nan] * 3
    return {
        f"p{p}": None if isnan(v) else round(float(v), 2)
        for p, v in zip((50, 95, 99), at, strict=True)
    }
