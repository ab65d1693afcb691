"""Colours of things and the light of the time of day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RGB = tuple[int, int, int]
Law = tuple[tuple[float, float, float], tuple[float, float, float]]

TIMES: tuple[str, ...] = ("day", "sunset", "night")

PAINTS: dict[str, RGB] = {
    "red": (214, 38, 42),
    "orange": (246, 134, 28),
    "yellow": (250, 214, 48),
    "green": (40, 160, 70),
    "blue": (38, 98, 220),
    "purple": (136, 58, 178),
    "white": (246, 246, 242),
    "black": (46, 44, 52),
}
COLOURS: tuple[str, ...] = tuple(PAINTS)

# Paints that do not depend on the colour of the thing.
FIXED: dict[str, RGB] = {
    "paper": (250, 248, 242),
    "ink": (26, 22, 30),
    "glass": (168, 214, 238),
    "steel": (186, 194, 206),
    "wood": (124, 82, 50),
    "leaf": (58, 138, 62),
    "cream": (244, 228, 198),
    "pink": (240, 140, 150),
    "flame": (255, 150, 30),
    "spark": (255, 228, 90),
    "coffee": (92, 54, 34),
    "tyre": (44, 44, 50),
}
LAMP: RGB = (255, 216, 116)

# Gains and offsets of the light on scenery and, milder so that colours stay apart, on things.
_SCENERY: dict[str, Law] = {
    "day": ((1.0, 1.0, 1.0), (0, 0, 0)),
    "sunset": ((0.88, 0.70, 0.60), (30, 12, 16)),
    "night": ((0.39, 0.42, 0.53), (4, 6, 25)),
}
_THING: dict[str, Law] = {
    "day": ((1.0, 1.0, 1.0), (0, 0, 0)),
    "sunset": ((0.99, 0.92, 0.87), (4, 2, 0)),
    "night": ((0.88, 0.88, 0.94), (0, 0, 4)),
}


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Blend two colours.

    Parameters
    ----------
    first, second : tuple of int
        RGB, 0-255.
    share : float
        Part of `second`, 0-1.

    Returns
    -------
    tuple of int
        RGB, 0-255.
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def scenery_light(colour: RGB, time: str) -> RGB:
    """Colour of a piece of scenery in the light of a time of day (RGB, 0-255)."""
    return _light(colour, _SCENERY[time])


def thing_light(colour: RGB, time: str) -> RGB:
    """Colour of a part of the thing in the light of a time of day (RGB, 0-255)."""
    return _light(colour, _THING[time])


def shade(colour: RGB, rng: np.random.Generator, spread: float = 0.06) -> RGB:
    """Vary the brightness of a colour by a few per cent.

    Parameters
    ----------
    colour : tuple of int
        RGB, 0-255.
    rng : numpy.random.Generator
        Source of the variation.
    spread : float
        Largest relative change.

    Returns
    -------
    tuple of int
        RGB, 0-255.
    """
    gain = 1 + rng.uniform(-spread, spread)
    red, green, blue = (min(255, round(c * gain)) for c in colour)
    return red, green, blue


def luminance(colour: RGB) -> float:
    """Perceived brightness of an RGB colour, 0-255."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


@dataclass(frozen=True)
class Paints:
    """The paints of one thing, by tone, in the light of its scene.

    Attributes
    ----------
    tones : dict of str to tuple of int
        RGB (0-255) of `main`, `dark`, `light`, `spot` (a pattern on main), `seam` (lines
        inside the thing), `line` (its outline) and of every fixed paint.
    """

    tones: dict[str, RGB]

    def __getitem__(self, tone: str) -> RGB:
        """Colour of a tone, RGB 0-255."""
        return self.tones[tone]


def thing_paints(colour: str, time: str, rng: np.random.Generator) -> Paints:
    """Mix the paints of a thing.

    Parameters
    ----------
    colour : str
        One of `COLOURS`.
    time : str
        One of `TIMES`.
    rng : numpy.random.Generator
        Source of the small variation of shade.

    Returns
    -------
    Paints
        The tones in the light of the time of day.
    """
    main = shade(PAINTS[colour], rng)
    tones = {
        "main": main,
        "dark": mix(main, (14, 10, 40), 0.25),
        "light": mix(main, (255, 255, 255), 0.38),
        "seam": mix(main, (10, 6, 24), 0.52),
        "line": mix(main, (10, 6, 20), 0.80),
        "spot": (150, 160, 190) if colour == "white" else FIXED["paper"],
    }
    if colour == "black":  # seams darker than black would vanish
        tones |= {"seam": (112, 110, 122), "light": (98, 96, 108), "line": (14, 12, 18)}
    lit = {name: thing_light(rgb, time) for name, rgb in (FIXED | tones).items()}
    lit |= {"flame": FIXED["flame"], "spark": FIXED["spark"]}  # fire shines by itself
    lit["pane"] = LAMP if time == "night" else lit["glass"]
    return Paints(lit)


def _light(colour: RGB, law: Law) -> RGB:
    lit = (c * gain + offset for c, gain, offset in zip(colour, *law, strict=True))
    red, green, blue = (min(255, round(c)) for c in lit)
    return red, green, blue
