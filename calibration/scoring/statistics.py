"""Is a score more than chance, and how sure is it: permutation nulls and bootstrap intervals.

Every score here comes from a table: `table[i, j]` is what prediction i would earn if truth j were
its own. The score is the mean of the diagonal, and of a session in which nothing was decoded any
other pairing is as likely as the true one: the null is the mean along permuted diagonals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, rankdata
from scipy.stats import t as student_t

PERMUTATIONS = 4000
RESAMPLES = 4000
LEVEL = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One figure and what it has to be compared with.

    Attributes
    ----------
    value : float
    chance : float
        Mean of the null, exactly.
    null : (float, float)
        Within these the score lies in 95 of 100 sessions in which nothing is decoded.
    p : float
        One-sided: how often the null is at least as good.
    interval : (float, float)
        95 % bootstrap interval, over pictures.
    n : int
        Pictures or trials that it is a mean of.
    """

    value: float
    chance: float
    null: tuple[float, float]
    p: float
    interval: tuple[float, float]
    n: int

    def as_json(self) -> dict[str, object]:
        """As plain JSON: null and interval are lists."""
        return {
            "value": self.value,
            "chance": self.chance,
            "null": list(self.null),
            "p": self.p,
            "interval": list(self.interval),
            "n": self.n,
        }


@dataclass(frozen=True)
class Table:
    """What a score is made from.

    Attributes
    ----------
    pairs : float64 (n, n)
        What prediction i earns if j is its truth.
    wins : float64 (n, n) or None
        For scores that compare pictures with each other: [k, j], whether the true pair j does
        better than k in its place. The score is their mean off the diagonal, and an interval has
        to draw pictures, not scores.
    units : int64 (n,)
        Rows of one unit (repeats of a picture) are drawn together and never compared.
    lower_is_better : bool
    blocks : int64 (n,) or None
        Truths are exchanged within a block only; pairs across blocks are not looked at.
    """

    pairs: Array
    wins: Array | None
    units: NDArray[np.int64]
    lower_is_better: bool = False
    blocks: NDArray[np.int64] | None = None

    @property
    def value(self) -> float:
        """The score."""
        return float(np.diag(self.pairs).mean())


def score(table: Table, rng: np.random.Generator) -> Score:
    """The score of a table, with its null and its interval.

    Raises
    ------
    ValueError
        Fewer than two predictions.
    """
    blocks = _common_blocks([table])
    null = permutation_null(table.pairs, permutations(blocks, rng))
    together = blocks[:, None] == blocks[None, :]
    chance = np.where(together, table.pairs, 0).sum(axis=1) / together.sum(axis=1)
    sign = -1.0 if table.lower_is_better else 1.0
    return Score(
        table.value,
        float(chance.mean()),
        _middle(null),
        p_value(sign * table.value, sign * null),
        interval(table, rng),
        len(table.pairs),
    )


def _common_blocks(tables: Sequence[Table]) -> NDArray[np.int64]:
    """Blocks (n,) within which truths may be exchanged in each of several tables of one length."""
    known = [table.blocks for table in tables if table.blocks is not None]
    if not known:
        return np.zeros(len(tables[0].pairs), np.int64)
    blocks: NDArray[np.int64] = np.unique(np.stack(known), axis=1, return_inverse=True)[1]
    return blocks.ravel()


def permutations(
    blocks: NDArray[np.int64], rng: np.random.Generator, count: int = PERMUTATIONS
) -> NDArray[np.int64]:
    """Pairings (count, n) drawn at random, each within its block.

    Raises
    ------
    ValueError
        Fewer than two things to pair.
    """
    if len(blocks) < 2:
        raise ValueError(f"{len(blocks)} prediction has no chance level: 2 or more are needed")
    drawn = np.empty((count, len(blocks)), np.int64)
    for block in np.unique(blocks):
        rows = np.flatnonzero(blocks == block)
        drawn[:, rows] = rng.permuted(np.tile(rows, (count, 1)), axis=1)
    return drawn


def permutation_null(pairs: Array, drawn: NDArray[np.int64]) -> Array:
    """Scores (count,) under pairings (count, n)."""
    means: Array = pairs[np.arange(len(pairs)), drawn].mean(axis=1)
    return means


def p_value(value: float, null: Array) -> float:
    """Share of the null that is at least as great, the value itself counted in: never 0.

    Phipson & Smyth, 2010. A hair is left for rounding, since scores of few pictures come in steps.
    """
    return float((1 + (null >= value - 1e-9).sum()) / (1 + len(null)))


def any_effect(tables: Mapping[str, Table], rng: np.random.Generator) -> dict[str, float]:
    """P values that hold for all scores together: of many, one is outside its null by chance.

    Every permutation is applied to all tables of one length at once, and each score is compared
    with the best of all scores in it, in units of its null's spread (Westfall & Young, 1993).
    """
    of_length: dict[int, list[Table]] = {}
    for table in tables.values():
        of_length.setdefault(len(table.pairs), []).append(table)
    drawn = {n: permutations(_common_blocks(same), rng) for n, same in sorted(of_length.items())}
    standard, null = {}, []
    for name, table in tables.items():
        sign = -1.0 if table.lower_is_better else 1.0
        means = sign * permutation_null(table.pairs, drawn[len(table.pairs)])
        centre, spread = means.mean(), max(float(means.std()), 1e-12)
        standard[name] = float((sign * table.value - centre) / spread)
        null.append((means - centre) / spread)
    best: Array = np.max(null, axis=0) if null else np.zeros(0)
    return {name: p_value(value, best) for name, value in standard.items()}


def interval(table: Table, rng: np.random.Generator, count: int = RESAMPLES) -> tuple[float, float]:
    """Bootstrap interval: units are drawn with replacement, each row counts as often as drawn.

    Percentiles, expanded for small samples. Pictures drawn twice are not compared with themselves,
    which would be a tie that no session has. Where all rows are worth the same, resampling shows no
    spread and the interval is that of as many yes-or-no trials (Wilson's). Of shares that reach 0 or
    1 few rows may tell of the rare failure: one more, worth a half, is drawn with them, as in Agresti
    and Coull's interval (docs/known-truth.md).
    """
    each = np.diag(table.pairs)
    if np.ptp(each) < 1e-12 and 0 <= each[0] <= 1:
        return _wilson(float(each[0]), len(np.unique(table.units)))
    least, most = each.min(), each.max()
    if table.wins is None and least >= 0 and most <= 1 and (least == 0 or most == 1):
        one_more = np.append(table.units, table.units.max() + 1)
        weights = _drawn(one_more, rng, count)
        means = weights @ np.append(each, 0.5) / weights.sum(axis=1)
        return _middle(means, _expanded(len(np.unique(table.units))))
    weights, level = _drawn(table.units, rng, count), _expanded(len(np.unique(table.units)))
    if table.wins is None:
        return _middle(weights @ each / weights.sum(axis=1), level)
    others = (table.units[:, None] != table.units[None, :]).astype(np.float64)
    won = ((weights @ (table.wins * others)) * weights).sum(axis=1)
    compared = ((weights @ others) * weights).sum(axis=1)
    return _middle(won[compared > 0] / compared[compared > 0], level)


def mean_interval(
    values: Array, rng: np.random.Generator, count: int = RESAMPLES
) -> tuple[float, float]:
    """Bootstrap interval of a mean of values (n,)."""
    means = _drawn(np.arange(len(values)), rng, count) @ values / len(values)
    return _middle(means, _expanded(len(values)))


def _drawn(units: NDArray[np.int64], rng: np.random.Generator, count: int) -> Array:
    """How often each row is drawn (count, n), all rows of a unit as often."""
    _, of = np.unique(units, return_inverse=True)
    n = int(of.max()) + 1
    drawn: Array = rng.multinomial(n, np.full(n, 1 / n), size=count)[:, of].astype(np.float64)
    return drawn


def _middle(values: Array, level: float = LEVEL) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _expanded(n: int) -> float:
    """The level at which percentiles of resamples of n are as wide as Student's t asks for.

    Resamples of few vary less than samples do (Hesterberg, 2015).
    """
    wide = student_t.ppf((1 + LEVEL) / 2, max(n - 1, 1)) * np.sqrt(n / max(n - 1, 1))
    return float(2 * norm.cdf(wide) - 1)


def _wilson(share: float, n: int) -> tuple[float, float]:
    found = binomtest(round(share * n), n).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def ranks(values: Array, axis: int) -> Array:
    """How many of the others are smaller, ties counting half."""
    smaller: Array = rankdata(values, axis=axis) - 1
    return smaller
