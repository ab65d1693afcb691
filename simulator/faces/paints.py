"""The colours of a face, its clothes and what is behind it."""

from __future__ import annotations

import colorsys

import numpy as np

from simulator.drawing.palette import RGB
from simulator.faces.face import Face

_SKINS = {
    "pale": (250, 218, 198),
    "tanned": (230, 178, 138),
    "brown-skinned": (176, 118, 78),
    "dark-skinned": (108, 68, 46),
}
_HAIRS = {
    "black-haired": (38, 32, 36),
    "brown-haired": (104, 64, 38),
    "red-haired": (190, 84, 32),
    "blond": (232, 194, 102),
    "grey-haired": (146, 146, 152),
    "white-haired": (240, 238, 232),
    "pink-haired": (236, 72, 152),
    "green-haired": (70, 190, 78),
    "blue-haired": (48, 112, 224),
}
_CLOTHES = {
    "red": (202, 44, 46),
    "orange": (238, 134, 36),
    "yellow": (246, 208, 62),
    "green": (52, 142, 74),
    "blue": (46, 92, 186),
    "purple": (128, 66, 160),
    "black": (44, 44, 50),
    "white": (240, 240, 236),
}
SKIES: dict[str, tuple[RGB, RGB, RGB]] = {  # upper, lower, and the ground or what shines
    "sky": ((88, 164, 232), (190, 226, 250), (255, 255, 255)),
    "meadow": ((150, 208, 150), (196, 226, 150), (84, 156, 64)),
    "sunset": ((140, 70, 130), (250, 158, 84), (255, 224, 130)),
    "night": ((14, 18, 52), (46, 52, 104), (250, 246, 214)),
    "sand": ((238, 224, 190), (222, 190, 134), (206, 168, 108)),
    "snow": ((206, 218, 232), (244, 248, 252), (250, 252, 255)),
}
_EYES = ((92, 58, 34), (64, 116, 186), (70, 128, 84), (110, 116, 120))


def paints(face: Face, rng: np.random.Generator) -> dict[str, RGB]:
    """A colour for each tone that the parts of a face name; each face's own a little."""
    skin, hair, cloth = (
        _varied(base, rng)
        for base in (_SKINS[face.skin], _HAIRS[face.hair], _CLOTHES[face.clothes])
    )
    lips = mixed(skin, (186, 48, 62), 0.55)
    return {
        "skin": skin,
        "skin light": mixed(skin, (255, 244, 228), 0.30),
        "skin dark": mixed(skin, (96, 36, 22), 0.24),
        "cheek": mixed(skin, (232, 84, 82), 0.30),
        "lips": lips,
        "hair": hair,
        "hair light": mixed(hair, (255, 246, 226), 0.28),
        "hair dark": mixed(hair, (12, 8, 14), 0.38),
        "cloth": cloth,
        "cloth light": mixed(cloth, (255, 255, 255), 0.28),
        "cloth dark": mixed(cloth, (14, 10, 26), 0.32),
        "eye": _varied(_EYES[int(rng.integers(len(_EYES)))], rng),
        "ink": (34, 26, 30),
        "paper": (252, 252, 250),
        "linen": (226, 228, 234),
        "mouth": (112, 26, 34),
        "gold": (246, 196, 58),
        "gold dark": (196, 138, 30),
        "gem": (214, 38, 70),
        "scarf": (184, 30, 44),
        "scarf dark": (132, 16, 34),
    }


def mixed(one: RGB, other: RGB, share: float) -> RGB:
    """One colour with a share of another."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _varied(colour: RGB, rng: np.random.Generator) -> RGB:
    """The same colour a little lighter or darker, fuller or paler."""
    hue, light, full = colorsys.rgb_to_hls(*(value / 255 for value in colour))
    light = float(np.clip(light * rng.uniform(0.93, 1.07), 0, 1))
    full = float(np.clip(full * rng.uniform(0.88, 1.06), 0, 1))
    hue = (hue + rng.uniform(-0.008, 0.008)) % 1
    red, green, blue = (round(255 * value) for value in colorsys.hls_to_rgb(hue, light, full))
    return red, green, blue
