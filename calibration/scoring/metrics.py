"""How well reconstructions match originals, as the field measures it.

Pictures are uint8 (n, height, width, 3); predictions and originals come in the same order. All
that compares every picture with every other is a table (n, n): rows predictions, columns originals.
"""

from collections.abc import Callable, Sequence
from math import lgamma
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

from calibration.scoring.statistics import Table, ranks

SIZE_PX = 425  # at which the field compares pixels
GREY = (0.2125, 0.7154, 0.0721)  # scikit-image's weights of R, G and B
_SIGMA, _TRUNCATE = 1.5, 3.5
_K1, _K2 = 0.01, 0.03
_MOST = 32  # pictures of a block
_AT_ONCE = 8192  # values of each row

Pictures = NDArray[np.uint8]
Array = NDArray[np.float64]
Features = Callable[[Pictures], NDArray[np.floating]]
"""Pictures (n, height, width, 3) -> features (n, n_features)."""
Fixed = Literal["original", "reconstruction"]


def resized(pictures: Sequence[Pictures] | Pictures, size_px: int = SIZE_PX) -> Pictures:
    """Pictures of any sizes as (n, size_px, size_px, 3), bilinearly."""
    size = (size_px, size_px)
    images = (Image.fromarray(picture) for picture in pictures)
    return np.stack([np.asarray(i.resize(size, Image.Resampling.BILINEAR)) for i in images])


def pixel_correlations(reconstructions: Pictures, originals: Pictures) -> Array:
    """PixCorr of every pair: Pearson's r over all RGB values, of pictures of one size."""
    return correlations(*(x.reshape(len(x), -1) for x in (reconstructions, originals)))


def correlations(a: NDArray[np.generic], b: NDArray[np.generic]) -> Array:
    """Pearson's r of every row of a (n, n_values) with every row of b (m, n_values): (n, m).

    In float64, some thousand values at a time: a thousand pictures are 4 GB in it.
    """
    means = [x.mean(axis=1, dtype=np.float64, keepdims=True) for x in (a, b)]
    product, squares = np.zeros((len(a), len(b))), [np.zeros(len(x)) for x in (a, b)]
    for start in range(0, a.shape[1], _AT_ONCE):
        of = slice(start, start + _AT_ONCE)
        x, y = (rows[:, of] - mean for rows, mean in zip((a, b), means, strict=True))
        product += x @ y.T
        for total, part in zip(squares, (x, y), strict=True):
            total += (part**2).sum(axis=1)
    lengths = [np.maximum(np.sqrt(total), 1e-12) for total in squares]
    r: Array = product / lengths[0][:, None] / lengths[1]
    return r


def blocks_of(n: int) -> NDArray[np.int64]:
    """Pictures (n,) dealt into as few blocks of at most 32 as there have to be, in turn."""
    return np.arange(n) % -(-n // _MOST)


def structural_similarities(
    reconstructions: Pictures, originals: Pictures, blocks: NDArray[np.int64] | None = None
) -> Array:
    """SSIM of every pair: grey, Gaussian of 1.5 px, population covariance, data range 1.

    As scikit-image's `structural_similarity` with `gaussian_weights=True` and
    `use_sample_covariance=False` has it (Wang et al., 2004). A blurred picture scores well by it.

    Parameters
    ----------
    blocks : int64 (n,), optional
        Only pairs within a block are computed, and only a block's pictures are in memory; the
        others are nan. At 425 px a pair takes some 15 ms: all pairs of 1,000 pictures would take
        four hours, those in blocks of 32 eight minutes. A picture's own pair is always computed.
    """
    blocks = np.zeros(len(originals), np.int64) if blocks is None else blocks
    pairs = np.full((len(originals),) * 2, np.nan)
    for block in np.unique(blocks):
        rows = np.flatnonzero(blocks == block)
        pairs[np.ix_(rows, rows)] = _each_with_each(reconstructions[rows], originals[rows])
    return pairs


def _each_with_each(reconstructions: Pictures, originals: Pictures) -> Array:
    grey = [(x.astype(np.float64) / 255) @ np.array(GREY) for x in (reconstructions, originals)]
    (x, x_mean, x_var), (y, y_mean, y_var) = (_moments(g) for g in grey)
    pairs = np.empty((len(x), len(y)))
    for i, j in np.ndindex(pairs.shape):
        means = x_mean[i] * y_mean[j]
        covariance = _smooth(x[i] * y[j]) - means
        like = (2 * means + _K1**2) * (2 * covariance + _K2**2)
        most = (x_mean[i] ** 2 + y_mean[j] ** 2 + _K1**2) * (x_var[i] + y_var[j] + _K2**2)
        edge = round(_TRUNCATE * _SIGMA)
        pairs[i, j] = (like / most)[edge:-edge, edge:-edge].mean()
    return pairs


def mean_of(
    pairs: Array,
    units: NDArray[np.int64] | None = None,
    lower_is_better: bool = False,
    blocks: NDArray[np.int64] | None = None,
) -> Table:
    """The mean over pairs of one's own, as of correlations or distances."""
    return Table(pairs, None, _units(pairs, units), lower_is_better, blocks)


def two_way(
    similarity: Array, fixed: Fixed = "original", units: NDArray[np.int64] | None = None
) -> Table:
    """Two-way identification: how often one's own resembles one more than another does.

    Parameters
    ----------
    similarity : float (n, n)
        Rows reconstructions, columns originals; ties count half.
    fixed : "original" or "reconstruction"
        Which is held while the other varies: the original in Takagi & Nishimoto's code, the
        reconstruction in Brain-Diffuser's and MindEye2's.
    units : int64 (n,), optional
        Trials of one picture have one number; they are not compared with each other.
    """
    units = _units(similarity, units)
    if fixed == "reconstruction":
        turned = two_way(similarity.T, "original", units)
        return Table(turned.pairs.T, turned.wins, units)
    own = np.diag(similarity)[None, :]
    wins = (similarity < own) + 0.5 * (similarity == own)
    return Table(_standing(similarity, units), wins, units)


def retrieval(similarity: Array, among: int = 300, units: NDArray[np.int64] | None = None) -> Table:
    """Top-1 retrieval: is one's own original the most similar of `among`?

    The others are drawn from all; the value is its exact expectation, which the field's 30 draws
    come near. With fewer originals all of them are taken. Ties are misses.

    Parameters
    ----------
    similarity : float (n, n)
        Rows predictions.
    """
    n = len(similarity)
    worse = rankdata(similarity, method="min", axis=1).astype(np.int64) - 1
    chances = np.array([_none_better(k, n - 1, min(among, n) - 1) for k in range(n)])
    return Table(chances[worse], None, _units(similarity, units))


def named(scores: Array, truth: NDArray[np.int64]) -> tuple[Table, Table]:
    """Top-1 and two-way identification among candidates.

    Parameters
    ----------
    scores : float (n, n_candidates)
    truth : int64 (n,)
        Which candidate was shown.
    """
    best = scores.argmax(axis=1)
    share = ranks(scores.astype(np.float64), axis=1) / (scores.shape[1] - 1)
    units = np.arange(len(truth))
    right = (best[:, None] == truth[None, :]).astype(np.float64)
    return Table(right, None, units), Table(share[:, truth], None, units)


def _standing(similarity: Array, units: NDArray[np.int64]) -> Array:
    """Share of the other reconstructions that [i, j], in its column, is more similar than.

    Of its own picture's trials none is compared. Given to another original, its companions would be
    any of the others: it is compared with all of them.
    """
    standing: Array = ranks(similarity, axis=0) / (len(similarity) - 1)
    for j in range(len(units)):
        same = units == units[j]
        if same.sum() == 1 or same.all():
            continue
        own, rest = similarity[same, j][:, None], similarity[~same, j][None, :]
        standing[same, j] = ((rest < own) + 0.5 * (rest == own)).mean(axis=1)
    return standing


def _none_better(worse: int, others: int, drawn: int) -> float:
    """Probability that all that are drawn without replacement are of the worse."""
    if worse < drawn:
        return 0.0

    def choose(n: int) -> float:
        return lgamma(n + 1) - lgamma(n - drawn + 1)

    return float(np.exp(choose(worse) - choose(others)))


def _units(pairs: Array, units: NDArray[np.int64] | None) -> NDArray[np.int64]:
    return np.arange(len(pairs)) if units is None else units


def _moments(grey: Array) -> tuple[Array, Array, Array]:
    mean = np.stack([_smooth(picture) for picture in grey])
    square = np.stack([_smooth(picture**2) for picture in grey])
    return grey, mean, square - mean**2


def _smooth(picture: Array) -> Array:
    smooth: Array = gaussian_filter(picture, _SIGMA, truncate=_TRUNCATE)
    return smooth
