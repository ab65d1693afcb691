"""Synthetic scenes: one thing of a known kind, colour, size and position in a known place.

A scene is a few words and a seed; the seed drives all variation that the words leave open, so
that a scene is the same picture whenever and at whatever size it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulator.drawing import places, thing, words
from simulator.drawing.canvas import Canvas
from simulator.drawing.kinds import FLOATING, KINDS
from simulator.drawing.noise import noise
from simulator.drawing.palette import COLOURS, TIMES, thing_paints
from simulator.drawing.places import PLACES
from simulator.drawing.view import View
from simulator.gallery import Gallery, weighed

__all__ = [
    "COLOURS",
    "KINDS",
    "NOISE",
    "PLACES",
    "POSITIONS",
    "SCENES",
    "SIZES",
    "TIMES",
    "Render",
    "Scene",
    "caption",
    "properties",
    "render",
    "sample_scene",
]

NOISE = "noise"
SIZES = ("small", "medium", "large")
POSITIONS = ("left", "centre", "right")
_LIKE = {  # what kinds have in common
    "animal": ("dog", "cat", "fish"),
    "vehicle": ("car", "boat", "rocket"),
    "plant": ("tree", "flower", "mushroom"),
    "made": ("scissors", "car", "house", "boat", "mug", "rocket"),
    "large in life": ("car", "house", "boat", "tree", "rocket"),
}
# Backgrounds are soft; twice the size is smooth enough for them.
_SUPERSAMPLING = 2


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes
    ----------
    kind : str
        One of `KINDS`, or `NOISE`.
    colour, place, time, size, position : str
        One of `COLOURS`, `PLACES`, `TIMES`, `SIZES`, `POSITIONS`; "" for noise.
    flip : bool
        Whether the thing faces left.
    seed : int
        Drives all further variation.
    """

    kind: str
    colour: str
    place: str
    time: str
    size: str
    position: str
    flip: bool
    seed: int


class Render(NamedTuple):
    """A drawn scene.

    Attributes
    ----------
    image : numpy.ndarray
        uint8 (size_px, size_px, 3), RGB.
    mask : numpy.ndarray
        bool (size_px, size_px), True on the thing; True everywhere for noise.
    """

    image: np.ndarray
    mask: np.ndarray


def sample_scene(rng: np.random.Generator, kind: str | None = None) -> Scene:
    """Draw a scene at random.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the choices.
    kind : str, optional
        The kind to show; any of `KINDS` alike if None.

    Returns
    -------
    Scene
        Every attribute uniform over its values.
    """
    seed = int(rng.integers(2**31))
    if kind == NOISE:
        return Scene(NOISE, "", "", "", "", "", False, seed)
    tables = (COLOURS, PLACES, TIMES, SIZES, POSITIONS)
    colour, place, time, size, position = (table[int(rng.integers(len(table)))] for table in tables)
    flip = bool(rng.integers(2))
    kind = kind or KINDS[int(rng.integers(len(KINDS)))]
    return Scene(kind, colour, place, time, size, position, flip, seed)


def render(scene: Scene, size_px: int = 128) -> Render:
    """Draw a scene.

    Parameters
    ----------
    scene : Scene
        What to show.
    size_px : int
        Width and height in pixels.

    Returns
    -------
    Render
        The picture and the mask of the thing, always the same for the same scene.
    """
    if scene.kind == NOISE:
        pattern = noise(np.random.default_rng(scene.seed), size_px)
        return Render(pattern, np.ones((size_px, size_px), bool))
    # Streams of their own keep the thing as it is when only its surroundings change.
    place_rng, thing_rng, paint_rng = (np.random.default_rng([scene.seed, i]) for i in range(3))
    back = _background(scene, size_px, place_rng)
    parts = thing.place_parts(scene.kind, scene.size, scene.position, scene.flip, thing_rng)
    paints = thing_paints(scene.colour, scene.time, paint_rng)
    layer, cover = thing.paint(parts, paints, size_px)
    if scene.kind not in FLOATING:
        back = thing.cast_shadow(back, parts)
    back = thing.set_apart(back, cover, paints["main"])
    image = back + (thing.model(layer, parts) - back) * cover[..., None]
    return Render((image + 0.5).astype(np.uint8), cover > 0.5)


def caption(scene: Scene, rng: np.random.Generator | None = None) -> str:
    """Describe a scene in lower-case words.

    Parameters
    ----------
    scene : Scene
        What to describe.
    rng : numpy.random.Generator, optional
        Source of varied wordings; the one canonical wording if None.

    Returns
    -------
    str
        Names kind, colour, size, position, place and time; about one varied caption in ten is
        short and names only the kind.
    """
    return words.canonical(scene) if rng is None else words.varied(scene, rng)


def properties(scene: Scene) -> np.ndarray:
    """A scene's description as numbers, float32 (n,), each group with its say."""
    return weighed(
        (1.3, [scene.kind == kind for kind in KINDS]),
        (0.6, [scene.kind in kinds for kinds in _LIKE.values()]),
        (1.3, [scene.kind == NOISE]),
        (0.8, [scene.colour == colour for colour in COLOURS]),
        (1.0, [scene.place == place for place in PLACES]),
        (0.7, [scene.time == time for time in TIMES]),
        (0.5, [scene.size == size for size in SIZES]),
        (0.5, [scene.position == position for position in POSITIONS]),
    )


def _image(scene: Scene, size_px: int) -> np.ndarray:
    return render(scene, size_px).image


def _said(scene: Scene) -> tuple[str, ...]:
    return (scene.kind, scene.colour, scene.place, scene.time, scene.size, scene.position)


SCENES = Gallery("scenes", KINDS, (NOISE,), sample_scene, _image, caption, properties, _said)


def _background(scene: Scene, size_px: int, rng: np.random.Generator) -> np.ndarray:
    canvas = Canvas(size_px * _SUPERSAMPLING)
    free = {"left": 1, "right": -1}.get(scene.position, 1 - 2 * (scene.seed % 2))
    places.DRAWERS[scene.place](View(canvas, scene.time, free, rng))
    return np.asarray(canvas.image.reduce(_SUPERSAMPLING), np.float32)
