"""A pen that records the parts of a thing as polygons in the thing's own coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

Points = Sequence[Sequence[float] | np.ndarray] | np.ndarray
Axes = tuple[float, float]


class Part(NamedTuple):
    """One filled polygon: points (n, 2), the tone of its paint, whether a seam bounds it."""

    points: np.ndarray
    tone: str
    seam: bool


class Pen:
    """Records filled shapes; x runs right, y runs down, the unit is free.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the variation within a kind.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.parts: list[Part] = []

    def vary(self, low: float, high: float) -> float:
        """Draw a number between two limits."""
        return float(self.rng.uniform(low, high))

    def shape(self, points: Points, tone: str = "main", seam: bool = False) -> None:
        """Add a polygon with straight sides."""
        self.parts.append(Part(np.asarray(points, float), tone, seam))

    def blob(self, points: Points, tone: str = "main", seam: bool = False) -> None:
        """Add a closed smooth curve through the points."""
        self.shape(smooth(np.asarray(points, float), closed=True), tone, seam)

    def disc(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float | None = None,
        tone: str = "main",
        seam: bool = False,
        turn: float = 0.0,
    ) -> None:
        """Add an ellipse about (x, y) with half axes `rx`, `ry`, turned by `turn` radians."""
        self.shape(oval(x, y, rx, ry, turn), tone, seam)

    def ring(self, x: float, y: float, outer: Axes, inner: Axes, tone: str = "main") -> None:
        """Add an ellipse with an elliptic hole; `outer` and `inner` are half axes (x, y)."""
        rim = oval(x, y, *outer)
        hole = oval(x, y, *inner)
        self.shape(np.vstack([rim, rim[:1], hole[:1], hole[::-1]]), tone)

    def stroke(
        self,
        points: Points,
        width: float,
        tone: str = "main",
        seam: bool = False,
        end: float | None = None,
    ) -> None:
        """Add a smooth thick line with round ends, from `width` to `end` (as wide if None)."""
        path = smooth(np.asarray(points, float), closed=False)
        half = np.linspace(width, width if end is None else end, len(path))[:, None] / 2
        along = np.gradient(path, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
        across = along[:, ::-1] * (-1, 1)
        self.shape(
            np.vstack(
                [
                    path + across * half,
                    _cap(path[-1], along[-1], half[-1]),
                    (path - across * half)[::-1],
                    _cap(path[0], -along[0], half[0]),
                ]
            ),
            tone,
            seam,
        )

    def eye(self, x: float, y: float, radius: float) -> None:
        """Add a white eye with a pupil, visible on every colour."""
        self.disc(x, y, radius, tone="paper")
        self.disc(x + radius * 0.15, y, radius * 0.62, tone="ink")


def oval(
    x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0, count: int = 28
) -> np.ndarray:
    """Points (count, 2) of an ellipse about (x, y), turned by `turn` radians."""
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[rx * cos, rx * sin], [-sin, cos]])
    matrix[1] *= rx if ry is None else ry
    return _circle(count) @ matrix + (x, y)


def smooth(points: np.ndarray, closed: bool, steps: int = 7) -> np.ndarray:
    """Run a Catmull-Rom curve through points.

    Parameters
    ----------
    points : numpy.ndarray
        (n, 2).
    closed : bool
        Whether the last point joins the first.
    steps : int
        Points drawn per given point.

    Returns
    -------
    numpy.ndarray
        (about n * steps, 2).
    """
    if closed:
        padded = np.vstack([points[-1:], points, points[:2]])
    else:
        padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    basis = _basis(steps)
    windows = np.stack([padded[i : len(padded) - 3 + i] for i in range(4)])
    curve = np.einsum("ks,knd->nsd", basis, windows).reshape(-1, 2)
    return curve if closed else np.vstack([curve, points[-1:]])


@cache
def _circle(count: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@cache
def _basis(steps: int) -> np.ndarray:
    t = np.arange(steps) / steps
    return 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    )


_CAP_ANGLES = np.linspace(np.pi / 2, -np.pi / 2, 7)[1:-1, None]
_CAP_COS, _CAP_SIN = np.cos(_CAP_ANGLES), np.sin(_CAP_ANGLES)


def _cap(centre: np.ndarray, along: np.ndarray, half: np.ndarray) -> np.ndarray:
    across = along[::-1] * (-1, 1)
    return centre + half * (_CAP_COS * along + _CAP_SIN * across)
