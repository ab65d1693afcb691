"""A picture in the making, in coordinates from 0 to 1."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from simulator.drawing.palette import RGB
from simulator.drawing.pen import Points, oval


class Canvas:
    """A square picture to draw on; (0, 0) is the upper left, (1, 1) the lower right.

    Parameters
    ----------
    side : int
        Width and height in pixels.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self.image = Image.new("RGB", (side, side))
        self.draw = ImageDraw.Draw(self.image)

    def sky(self, top: RGB, bottom: RGB, until: float = 1.0) -> None:
        """Fill the picture with a gradient that ends at the height `until`."""
        height = round(until * self.side)
        self.draw.rectangle([0, height, self.side, self.side], fill=bottom)
        self.image.paste(_gradient(top, bottom, self.side, height), (0, 0))

    def area(self, points: Points, top: RGB, bottom: RGB) -> None:
        """Fill a polygon with a gradient from its highest to its lowest point."""
        pixels = np.asarray(points, float) * self.side
        low = np.clip(np.floor(pixels.min(axis=0)), 0, self.side - 1).astype(int)
        high = np.clip(np.ceil(pixels.max(axis=0)), low + 1, self.side).astype(int)
        width, height = (high - low).tolist()
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).polygon((pixels - low).ravel().tolist(), fill=255)
        self.image.paste(_gradient(top, bottom, width, height), tuple(low.tolist()), mask)

    def shape(self, points: Points, colour: RGB) -> None:
        """Fill a polygon with one colour."""
        self.draw.polygon((np.asarray(points) * self.side).ravel().tolist(), fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: RGB) -> None:
        """Fill an upright rectangle."""
        self.draw.rectangle([v * self.side for v in (left, top, right, bottom)], fill=colour)

    def disc(self, x: float, y: float, rx: float, colour: RGB, ry: float | None = None) -> None:
        """Fill an upright ellipse."""
        self.shape(oval(x, y, rx, ry, count=40), colour)

    def ground(self, edge: np.ndarray, top: RGB, bottom: RGB) -> None:
        """Fill everything below an edge, given as heights at equal steps from left to right."""
        across = np.linspace(0, 1, len(edge))
        line = np.stack([across, edge], axis=1)
        self.area(np.vstack([line, [[1, 1], [0, 1]]]), top, bottom)

    def glow(self, x: float, y: float, radius: float, colour: RGB, strength: float) -> None:
        """Add a soft round light; `strength` is its opacity in the middle, 0-1."""
        grid = (np.arange(24) + 0.5) / 12 - 1
        fall = np.clip(1 - np.hypot(grid[:, None], grid), 0, 1) ** 1.5
        side = max(2, round(2 * radius * self.side))
        mask = Image.fromarray(np.uint8(255 * strength * fall)).resize(
            (side, side), Image.Resampling.BILINEAR
        )
        corner = (round((x - radius) * self.side), round((y - radius) * self.side))
        self.image.paste(colour, (*corner, corner[0] + side, corner[1] + side), mask)


def _gradient(top: RGB, bottom: RGB, width: int, height: int) -> Image.Image:
    share = np.linspace(0, 1, max(1, height))[:, None]
    column = np.asarray(top) * (1 - share) + np.asarray(bottom) * share + 0.5
    return Image.fromarray(column[:, None].astype(np.uint8)).resize(
        (width, max(1, height)), Image.Resampling.NEAREST
    )
