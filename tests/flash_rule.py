"""WCAG 2.3.1's flash thresholds, counted on what was painted. Knows nothing of how it was made.

Written from https://www.w3.org/TR/WCAG22/#dfn-general-flash-and-red-flash-thresholds. Every pixel
counts by itself: the rule allows more where the flashing area is small, and this does not.

By brute force: in each window of one second the longest chain of pictures is looked for in which
each differs from the one before it by a flash's change, by turns up and down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 1.0
MOST_CHANGES = 6  # three flashes: three pairs of opposing changes
MOST_SERIES = 60  # different courses of a pixel that are looked at


@dataclass(frozen=True)
class Counted:
    """Most opposing changes of any pixel in any one second."""

    luminance: int
    red: int
    hue: int  # red by the chromaticity that WCAG 2.2 names; reds darker than `DARKEST_RED` not

    @property
    def safe(self) -> bool:
        return max(self.luminance, self.red, self.hue) <= MOST_CHANGES


DARKEST_RED = 0.13
"""Linear red below which the chromaticity of a pixel is not looked at: it is nearly black."""


def count(times: Sequence[float], pictures: Sequence[NDArray[np.uint8]], seed: int = 0) -> Counted:
    """Opposing changes in pictures (height, width, 3) sRGB painted at times in s.

    Pictures may differ in size: pixels are compared where all have them.
    """
    height = min(p.shape[0] for p in pictures)
    width = min(p.shape[1] for p in pictures)
    series = np.stack([p[:height, :width].reshape(-1, 3) for p in pictures], axis=1)
    series = np.unique(series, axis=0)  # (pixels that differ, pictures, 3)
    if len(series) > MOST_SERIES:
        chosen = np.random.default_rng(seed).choice(len(series), MOST_SERIES, replace=False)
        livelier = np.argsort(np.abs(np.diff(series.astype(int), axis=1)).sum((1, 2)))[-30:]
        series = series[np.concatenate([chosen, livelier])]
    news = [0, *np.flatnonzero((np.diff(series.astype(int), axis=1) != 0).any((0, 2))) + 1]
    rgb, times = _linear(series[:, news]), np.asarray(times)[news]  # where nothing changes left out
    return Counted(
        _longest(times, *_luminance(rgb)), _longest(times, *_red(rgb)), _longest(times, *_hue(rgb))
    )


def _linear(code: NDArray[np.uint8]) -> NDArray[np.float64]:
    c = code / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


Pairs = NDArray[np.bool_]  # (pixels, from picture, to picture)


def _luminance(rgb: NDArray[np.float64]) -> tuple[Pairs, Pairs]:
    """Changes up and down by 10 % of the largest luminance, the darker below 0.80."""
    y = rgb @ np.array([0.2126, 0.7152, 0.0722])
    before, after = y[:, :, None], y[:, None, :]
    dark = np.minimum(before, after) < 0.8
    eps = 1e-9
    return (after - before >= 0.1 - eps) & dark, (before - after >= 0.1 - eps) & dark


def _red(rgb: NDArray[np.float64]) -> tuple[Pairs, Pairs]:
    """Changes of (R - G - B) x 320 by more than 20, to or from a saturated red."""
    saturated = _saturated(rgb)
    m = 320 * np.maximum(rgb[..., 0] - rgb[..., 1] - rgb[..., 2], 0)
    either = saturated[:, :, None] | saturated[:, None, :]
    before, after = m[:, :, None], m[:, None, :]
    return (after - before > 20) & either, (before - after > 20) & either


def _hue(rgb: NDArray[np.float64]) -> tuple[Pairs, Pairs]:
    """Changes by more than 0.2 in CIE 1976 UCS, to and from a saturated red.

    "Up" is towards the saturated red; a change from one saturated red to another is not that far.
    """
    xyz = rgb @ np.array(
        [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
    )
    total = np.maximum(xyz @ np.array([1.0, 15.0, 3.0]), 1e-12)
    u, v = 4 * xyz[..., 0] / total, 9 * xyz[..., 1] / total
    far = np.hypot(u[:, :, None] - u[:, None, :], v[:, :, None] - v[:, None, :]) > 0.2
    red = _saturated(rgb) & (rgb[..., 0] >= DARKEST_RED)
    return far & red[:, None, :], far & red[:, :, None]


def _saturated(rgb: NDArray[np.float64]) -> NDArray[np.bool_]:
    total = rgb.sum(-1)
    return (total > 0) & (rgb[..., 0] >= 0.8 * total)


def _longest(times: Sequence[float], up: Pairs, down: Pairs) -> int:
    """Over all windows that begin with a picture, what stood before it included."""
    t = np.asarray(times)
    best = 0
    for first in range(len(t)):
        last = int(np.searchsorted(t, t[first] + WINDOW_S, side="right"))
        begin = max(0, first - 1)
        best = max(best, _chain(up[:, begin:last, begin:last], down[:, begin:last, begin:last]))
    return best


def _chain(up: Pairs, down: Pairs) -> int:
    """The longest chain of changes, by turns up and down, of any pixel."""
    pixels, n, _ = up.shape
    ups, downs = np.zeros((pixels, n), int), np.zeros((pixels, n), int)
    for i in range(1, n):
        ups[:, i] = (np.where(up[:, :i, i], downs[:, :i] + 1, 0)).max(1)
        downs[:, i] = (np.where(down[:, :i, i], ups[:, :i] + 1, 0)).max(1)
    return int(max(ups.max(initial=0), downs.max(initial=0)))
