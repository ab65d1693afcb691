"""The large distinct things that stand about in the places."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from simulator.drawing.palette import LAMP
from simulator.drawing.view import View


def palm(view: View, x: float, foot: float) -> None:
    """Draw a palm that bends towards the middle, its foot at (x, foot)."""
    bend = view.free * -0.08
    trunk = [(x, foot), (x + bend * 0.4, foot - 0.25), (x + bend, foot - 0.5)]
    for (x0, y0), (x1, y1) in pairwise(trunk):
        view.canvas.shape(
            [(x0 - 0.022, y0), (x0 + 0.022, y0), (x1 + 0.016, y1), (x1 - 0.016, y1)],
            view.lit((130, 92, 58)),
        )
    top_x, top_y = trunk[-1]
    for reach, rise, drop in (
        (-0.2, -0.06, 0.1),
        (-0.14, -0.12, -0.06),
        (0.03, -0.12, -0.17),
        (0.14, -0.12, -0.06),
        (0.2, -0.06, 0.1),
    ):
        view.canvas.shape(
            [
                (top_x, top_y),
                (top_x + reach * 0.5, top_y + rise),
                (top_x + reach, top_y + drop),
                (top_x + reach * 0.5, top_y + rise + 0.06),
            ],
            view.lit((44, 132, 74)),
        )


def fir(view: View, x: float, foot: float, tall: float) -> None:
    """Draw a snowy fir of height `tall`, its foot at (x, foot)."""
    view.canvas.box(x - 0.015, foot - 0.05, x + 0.015, foot, view.lit((92, 66, 50)))
    for step in range(3):
        base = foot - 0.04 - step * tall * 0.26
        wide = tall * (0.36 - 0.08 * step)
        peak = base - tall * 0.42
        view.canvas.shape([(x - wide, base), (x, peak), (x + wide, base)], view.lit((42, 92, 84)))
        view.canvas.shape(
            [(x - wide * 0.4, base - tall * 0.25), (x, peak), (x + wide * 0.4, base - tall * 0.25)],
            view.lit((232, 240, 248)),
        )


def cactus(view: View, x: float, foot: float) -> None:
    """Draw a cactus with two arms, its foot at (x, foot)."""
    green = view.lit((62, 126, 78))
    view.canvas.box(x - 0.028, foot - 0.32, x + 0.028, foot, green)
    view.canvas.disc(x, foot - 0.32, 0.028, green)
    for side, low in ((-1, 0.12), (1, 0.17)):
        reach = x + side * 0.09
        view.canvas.box(min(x, reach), foot - low - 0.02, max(x, reach), foot - low + 0.02, green)
        view.canvas.box(reach - 0.02, foot - low - 0.12, reach + 0.02, foot - low + 0.02, green)
        view.canvas.disc(reach, foot - low - 0.12, 0.02, green)


def block(view: View, left: float, top: float, right: float, level: float, far: bool) -> None:
    """Draw a block of a street; near ones have windows, partly lit when it is not day."""
    walls = ((196, 200, 212), (186, 188, 204)) if far else ((150, 128, 126), (112, 126, 150))
    view.canvas.box(left, top, right, level, view.lit(walls[int(view.rng.integers(2))]))
    if far:
        return
    dull = view.lit((206, 222, 234))
    for y in np.arange(top + 0.04, level - 0.06, 0.085):
        for x in np.arange(left + 0.03, right - 0.04, 0.065):
            bright = view.time != "day" and view.rng.random() < 0.5
            view.canvas.box(x, y, x + 0.032, y + 0.045, LAMP if bright else dull)


def window(view: View, x: float, top: float) -> None:
    """Draw a window about x that shows the sky of the time."""
    canvas, frame = view.canvas, view.lit((252, 246, 236))
    sky = {"day": (150, 208, 246), "sunset": (255, 160, 92), "night": (24, 30, 78)}[view.time]
    canvas.box(x - 0.17, top, x + 0.17, top + 0.38, frame)
    canvas.box(x - 0.145, top + 0.025, x + 0.145, top + 0.355, sky)
    light = {"day": (255, 252, 230), "sunset": (255, 226, 120), "night": (240, 240, 224)}[view.time]
    canvas.disc(x + 0.07, top + (0.2 if view.time == "sunset" else 0.1), 0.045, light)
    canvas.box(x - 0.01, top, x + 0.01, top + 0.38, frame)
    canvas.box(x - 0.17, top + 0.18, x + 0.17, top + 0.2, frame)


def lamp(view: View, x: float, level: float) -> None:
    """Draw a standing lamp, on when it is not day."""
    canvas = view.canvas
    canvas.box(x - 0.008, 0.34, x + 0.008, level + 0.04, view.lit((80, 66, 60)))
    canvas.disc(x, level + 0.04, 0.06, view.lit((80, 66, 60)), 0.015)
    on = view.time != "day"
    if on:
        canvas.glow(x, 0.32, 0.34, LAMP, 0.7)
    shape = [(x - 0.05, 0.2), (x + 0.05, 0.2), (x + 0.09, 0.36), (x - 0.09, 0.36)]
    canvas.shape(shape, LAMP if on else view.lit((246, 226, 170)))
