"""What a place is drawn with: the picture, the light, the sky and chance."""

from __future__ import annotations

import numpy as np

from simulator.drawing.canvas import Canvas
from simulator.drawing.palette import RGB, mix, scenery_light, shade

# Upper and lower colour of the sky by day; sunset and night keep a little of it.
SKIES: dict[str, tuple[RGB, RGB]] = {
    "meadow": ((92, 168, 240), (206, 234, 250)),
    "beach": ((66, 186, 236), (190, 240, 246)),
    "snow": ((150, 178, 214), (226, 234, 246)),
    "desert": ((236, 196, 120), (252, 234, 186)),
    "city": ((168, 180, 196), (228, 222, 220)),
}
DUSK: tuple[RGB, RGB] = ((104, 70, 150), (255, 150, 84))
DARK: tuple[RGB, RGB] = ((10, 14, 44), (52, 62, 112))

# Outline (n, 2) of a moon of radius 1: its rim, then the rim of the disc that hides the rest.
_RIM = np.linspace(0.25, 1.75, 24) * np.pi
_BITE = np.linspace(1.48, 0.52, 16) * np.pi
CRESCENT = np.vstack(
    [
        np.stack([np.cos(_RIM), np.sin(_RIM)], axis=1),
        np.stack([0.75 + 0.708 * np.cos(_BITE), 0.708 * np.sin(_BITE)], axis=1),
    ]
)


class View:
    """What a place needs to draw itself.

    Parameters
    ----------
    canvas : Canvas
        Where to draw.
    time : str
        One of `TIMES`.
    free : int
        The side that the thing leaves free, -1 (left) or 1 (right); landmarks stand there.
    rng : numpy.random.Generator
        Source of the variation within a place.
    """

    def __init__(self, canvas: Canvas, time: str, free: int, rng: np.random.Generator) -> None:
        self.canvas = canvas
        self.time = time
        self.free = free
        self.rng = rng

    def lit(self, colour: RGB) -> RGB:
        """Colour of scenery in the light of this view, slightly varied."""
        return scenery_light(shade(colour, self.rng, 0.04), self.time)

    def vary(self, low: float, high: float) -> float:
        """Draw a number between two limits."""
        return float(self.rng.uniform(low, high))

    def across(self, share: float) -> float:
        """Horizontal place `share` of the way from the middle to the free edge."""
        return 0.5 + self.free * share * 0.5

    def sky(self, place: str, until: float, reach: tuple[float, float] = (0.45, 0.8)) -> None:
        """Draw the sky of a place with its sun, or moon and stars, `reach` off the middle."""
        top, bottom = SKIES[place]
        if self.time != "day":
            upper, lower = DUSK if self.time == "sunset" else DARK
            top, bottom = mix(upper, top, 0.12), mix(lower, bottom, 0.12)
        self.canvas.sky(top, bottom, until)
        x = self.across(self.vary(*reach))
        {"day": self._sun, "sunset": self._low_sun, "night": self._moon}[self.time](x, until)

    def clouds(self, colour: RGB = (255, 255, 255)) -> None:
        """Draw two clouds high in the sky."""
        for share in (-0.7, 0.1):
            x, y = self.across(share + self.vary(-0.2, 0.2)), self.vary(0.08, 0.26)
            for step, radius in ((-0.07, 0.035), (0.0, 0.055), (0.07, 0.04)):
                self.canvas.disc(x + step, y - radius * 0.5, radius, self.lit(colour))
            self.canvas.disc(x, y, 0.12, self.lit(colour), 0.025)

    def waves(self, level: float, height: float, count: float) -> np.ndarray:
        """Heights (48,) of a rolling edge about `level`."""
        across = np.linspace(0, 1, 48)
        phase = self.vary(0, 2 * np.pi)
        return level + height * np.sin(2 * np.pi * count * across + phase)

    def _sun(self, x: float, until: float) -> None:
        y = self.vary(0.12, 0.2)
        self.canvas.glow(x, y, 0.26, (255, 250, 210), 0.7)
        self.canvas.disc(x, y, 0.075, (255, 240, 150))

    def _low_sun(self, x: float, until: float) -> None:
        y = until - self.vary(0.1, 0.16)
        self.canvas.glow(x, y, 0.42, (255, 214, 120), 0.8)
        self.canvas.disc(x, y, 0.11, (255, 232, 140))

    def _moon(self, x: float, until: float) -> None:
        for across, down in self.rng.uniform((0, 0), (1, until * 0.8), (14, 2)):
            self.canvas.disc(across, down, 0.008, (220, 226, 250))
        y = self.vary(0.13, 0.2)
        self.canvas.glow(x, y, 0.26, (190, 200, 250), 0.5)
        self.canvas.shape(CRESCENT * 0.1 + (x, y), (250, 246, 216))
