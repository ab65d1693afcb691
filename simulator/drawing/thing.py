"""Sets a thing into a picture: placed, outlined, shaded and apart from its background."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from simulator.drawing.kinds import DRAWERS, FLOATING, LEANS
from simulator.drawing.palette import RGB, Paints, luminance
from simulator.drawing.pen import Part, Pen

EXTENTS: dict[str, float] = {"small": 0.40, "medium": 0.55, "large": 0.75}
CENTRES: dict[str, float] = {"left": 0.30, "centre": 0.50, "right": 0.70}
_FEET: dict[str, float] = {"small": 0.82, "medium": 0.87, "large": 0.92}
# Share of the picture's width by which a thing may reach over its edge.
_OVERHANG = 0.03
_SUPERSAMPLING = 3


def place_parts(
    kind: str, size: str, position: str, flip: bool, rng: np.random.Generator
) -> list[Part]:
    """Draw a kind and bring it to its size and position.

    Parameters
    ----------
    kind, size, position : str
        As in the scene.
    flip : bool
        Whether the thing faces left.
    rng : numpy.random.Generator
        Source of the variation.

    Returns
    -------
    list of Part
        The parts in picture coordinates (0-1), back to front.
    """
    pen = Pen(rng)
    DRAWERS[kind](pen)
    turn = np.radians(pen.vary(*LEANS.get(kind, (-5.0, 5.0))))
    squeeze = pen.vary(0.93, 1.07)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix * (squeeze, 1.0)
    if flip:
        matrix[0] *= -1
    turned = [part.points @ matrix.T for part in pen.parts]
    low, high = _bounds(turned)
    scale = EXTENTS[size] * pen.vary(0.95, 1.05) / (high - low).max()
    half = (high - low) * scale / 2
    reach = half[0] - _OVERHANG
    x = np.clip(CENTRES[position] + pen.vary(-0.025, 0.025), min(reach, 0.5), max(1 - reach, 0.5))
    y = (0.5 if kind in FLOATING else _FEET[size] - half[1]) + pen.vary(-0.025, 0.025)
    middle, target = (low + high) / 2, np.array([x, y])
    return [
        part._replace(points=(points - middle) * scale + target)
        for part, points in zip(pen.parts, turned, strict=True)
    ]


def paint(parts: list[Part], paints: Paints, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint the thing with its outline, without a background.

    Parameters
    ----------
    parts : list of Part
        In picture coordinates (0-1).
    paints : Paints
        Colours of the tones.
    size_px : int
        Width and height in pixels.

    Returns
    -------
    layer : numpy.ndarray
        float32 (size_px, size_px, 3), 0-255; the colour of the outline beside the thing.
    cover : numpy.ndarray
        float32 (size_px, size_px), the share of each pixel that the thing covers, 0-1.
    """
    side = size_px * _SUPERSAMPLING
    picture = Image.new("RGB", (side, side), paints["line"])
    shape = Image.new("L", (side, side))
    brush, stencil = ImageDraw.Draw(picture), ImageDraw.Draw(shape)
    width = max(1, round(side * 0.007))
    for part in parts:
        points = (part.points * side).ravel().tolist()
        stencil.polygon(points, fill=255)
        brush.polygon(points, fill=paints[part.tone])
        if part.seam:
            brush.line(points + points[:4], fill=paints["seam"], width=width)
    _grow(shape, side * 0.014)
    layer = np.asarray(picture.reduce(_SUPERSAMPLING), np.float32)
    return layer, np.asarray(shape.reduce(_SUPERSAMPLING), np.float32) / 255


def set_apart(back: np.ndarray, cover: np.ndarray, main: RGB) -> np.ndarray:
    """Lighten or darken the background about the thing, the more the nearer its colour.

    Parameters
    ----------
    back : numpy.ndarray
        float32 (n, n, 3), the background, 0-255.
    cover : numpy.ndarray
        float32 (n, n), where the thing is, 0-1.
    main : tuple of int
        Main colour of the thing, RGB 0-255.

    Returns
    -------
    numpy.ndarray
        float32 (n, n, 3).
    """
    about = _spread(cover, 0.045)
    near = about * (1 - cover)
    mean = np.tensordot(near, back, 2) / near.sum()
    strength = np.clip(1.05 - np.linalg.norm(mean - main) / 190, 0.12, 0.75)
    halo = (250, 246, 232) if luminance(main) < 150 else (34, 36, 62)
    opacity = np.minimum(about * 1.5, 1)[..., None] * np.float32(strength)
    return back + (np.array(halo, np.float32) - back) * opacity


def cast_shadow(back: np.ndarray, parts: list[Part]) -> np.ndarray:
    """Darken the ground under a standing thing.

    Parameters
    ----------
    back : numpy.ndarray
        float32 (n, n, 3), the background, 0-255.
    parts : list of Part
        In picture coordinates (0-1).

    Returns
    -------
    numpy.ndarray
        float32 (n, n, 3).
    """
    low, high = _bounds([part.points for part in parts])
    grid = (np.arange(len(back), dtype=np.float32) + 0.5) / len(back)
    across = (grid - (low[0] + high[0]) / 2) / (0.54 * (high[0] - low[0]))
    down = (grid - high[1]) / 0.05
    depth = np.clip(1.3 - across**2 - down[:, None] ** 2, 0, 1) * 0.45
    return back * (1 - depth[..., None].astype(np.float32))


def model(layer: np.ndarray, parts: list[Part]) -> np.ndarray:
    """Shade the thing from light above to dark below.

    Parameters
    ----------
    layer : numpy.ndarray
        float32 (n, n, 3), the painted thing, 0-255.
    parts : list of Part
        In picture coordinates (0-1).

    Returns
    -------
    numpy.ndarray
        float32 (n, n, 3).
    """
    low, high = _bounds([part.points for part in parts])
    rows = (np.arange(len(layer)) + 0.5) / len(layer)
    fall = np.interp(rows, (low[1], high[1]), (1.08, 0.86)).astype(np.float32)
    return np.minimum(layer * fall[:, None, None], 255)


def _bounds(shapes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    every = np.vstack(shapes)
    return every.min(axis=0), every.max(axis=0)


def _grow(shape: Image.Image, width: float) -> None:
    # Blurred and cut low, the shape grows by the outline; only its own box, for speed.
    left, top, right, bottom = shape.getbbox() or (0, 0, *shape.size)
    rim = round(2 * width)
    box = (left - rim, top - rim, right + rim, bottom + rim)
    blurred = shape.crop(box).filter(ImageFilter.BoxBlur(width))
    shape.paste(blurred.point([0] * 40 + [255] * 216), box)


def _spread(cover: np.ndarray, radius: float) -> np.ndarray:
    image = Image.fromarray(np.uint8(255 * cover))
    blurred = image.filter(ImageFilter.GaussianBlur(radius * len(cover)))
    return np.asarray(blurred, np.float32) / 255
