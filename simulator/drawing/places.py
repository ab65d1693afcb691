"""The places a thing is shown in: smooth grounds with a few large landmarks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.drawing.landmarks import block, cactus, fir, lamp, palm, window
from simulator.drawing.view import View


def meadow(view: View) -> None:
    """Green hills, a far wood and spots of flowers."""
    canvas, level = view.canvas, view.vary(0.52, 0.6)
    view.sky("meadow", level)
    view.clouds()
    canvas.ground(
        view.waves(level - 0.03, 0.06, 0.9), view.lit((120, 186, 120)), view.lit((110, 176, 90))
    )
    canvas.ground(
        view.waves(level + 0.08, 0.035, 0.7), view.lit((134, 204, 84)), view.lit((70, 150, 52))
    )
    for x, y in view.rng.uniform((0.02, level + 0.18), (0.98, 0.97), (10, 2)):
        canvas.disc(x, y, 0.014, view.lit(((255, 240, 120), (250, 250, 250))[int(x * 50) % 2]))


def beach(view: View) -> None:
    """Turquoise sea over pale sand, a palm."""
    canvas, level = view.canvas, view.vary(0.42, 0.48)
    view.sky("beach", level, (0.1, 0.4))
    view.clouds()
    canvas.area(
        [(0, level), (1, level), (1, 0.8), (0, 0.8)],
        view.lit((20, 130, 190)),
        view.lit((110, 222, 220)),
    )
    shore = view.waves(level + 0.24, 0.02, 0.8)
    canvas.ground(shore - 0.025, view.lit((250, 252, 250)), view.lit((250, 252, 250)))
    canvas.ground(shore, view.lit((244, 222, 160)), view.lit((226, 190, 118)))
    palm(view, view.across(view.vary(0.72, 0.86)), level + 0.3)


def snow(view: View) -> None:
    """White ground, pale mountains, dark firs."""
    canvas, level = view.canvas, view.vary(0.54, 0.6)
    view.sky("snow", level)
    for x in (view.vary(0.0, 0.25), view.vary(0.42, 0.6), view.vary(0.8, 1.0)):
        peak, wide = level - view.vary(0.2, 0.32), view.vary(0.26, 0.34)
        canvas.shape(
            [(x - wide, level + 0.05), (x, peak), (x + wide, level + 0.05)],
            view.lit((150, 166, 196)),
        )
        canvas.shape(
            [
                (x - wide * 0.36, peak + 0.11),
                (x, peak),
                (x + wide * 0.36, peak + 0.11),
                (x, peak + 0.08),
            ],
            view.lit((246, 250, 255)),
        )
    canvas.ground(
        view.waves(level, 0.02, 0.8), view.lit((246, 250, 255)), view.lit((204, 218, 240))
    )
    for share in (0.6, 0.9):
        fir(
            view,
            view.across(share + view.vary(-0.06, 0.06)),
            level + view.vary(0.06, 0.12),
            view.vary(0.24, 0.32),
        )
    fir(view, view.across(-0.92), level + 0.06, 0.24)


def desert(view: View) -> None:
    """Orange dunes, a pyramid, a cactus."""
    canvas, level = view.canvas, view.vary(0.54, 0.6)
    view.sky("desert", level, (-0.5, 0.0))
    x, tall = view.across(view.vary(0.2, 0.5)), view.vary(0.22, 0.3)
    canvas.shape(
        [(x - tall, level + 0.04), (x, level - tall), (x + tall, level + 0.04)],
        view.lit((222, 168, 96)),
    )
    canvas.shape(
        [(x, level - tall), (x + tall, level + 0.04), (x + tall * 0.2, level + 0.04)],
        view.lit((176, 120, 70)),
    )
    canvas.ground(view.waves(level, 0.03, 0.9), view.lit((232, 160, 84)), view.lit((214, 134, 64)))
    canvas.ground(
        view.waves(level + 0.16, 0.04, 0.7), view.lit((240, 172, 92)), view.lit((196, 112, 54))
    )
    cactus(view, view.across(view.vary(0.72, 0.86)), level + 0.2)


def city(view: View) -> None:
    """Rows of houses with windows over a grey street."""
    canvas, level = view.canvas, view.vary(0.66, 0.72)
    view.sky("city", level)
    for far in (True, False):
        left = -0.05
        while left < 1.0:
            wide = view.vary(0.14, 0.24)
            tall = view.vary(0.3, 0.48) if far else view.vary(0.16, 0.36)
            block(view, left, level - tall, left + wide - 0.012, level, far)
            left += wide
    canvas.area(
        [(0, level), (1, level), (1, 1), (0, 1)], view.lit((132, 132, 140)), view.lit((92, 92, 102))
    )
    canvas.box(0, level, 1, level + 0.035, view.lit((190, 186, 182)))
    for x in np.arange(-0.1, 1.1, 0.25) + view.vary(0, 0.2):
        canvas.shape(
            [(x, 0.9), (x + 0.13, 0.9), (x + 0.12, 0.925), (x - 0.02, 0.925)],
            view.lit((236, 226, 190)),
        )


def room(view: View) -> None:
    """Papered wall, wooden floor, a window that shows the time, a lamp and a rug."""
    canvas, level = view.canvas, view.vary(0.66, 0.7)
    canvas.sky(view.lit((150, 196, 194)), view.lit((176, 214, 206)), level)
    stripe = view.lit((132, 182, 184))
    for x in np.arange(0.06, 1.0, 0.16):
        canvas.box(x, 0, x + 0.05, level, stripe)
    canvas.area(
        [(0, level), (1, level), (1, 1), (0, 1)], view.lit((176, 108, 66)), view.lit((132, 74, 44))
    )
    canvas.box(0, level - 0.03, 1, level + 0.005, view.lit((250, 240, 226)))
    canvas.disc(0.5, 0.87, 0.46, view.lit((172, 74, 84)), 0.085)
    canvas.disc(0.5, 0.87, 0.39, view.lit((232, 186, 166)), 0.062)
    window(view, view.across(view.vary(0.5, 0.6)), view.vary(0.08, 0.12))
    lamp(view, view.across(-0.82), level)


DRAWERS: dict[str, Callable[[View], None]] = {
    drawer.__name__: drawer for drawer in (meadow, beach, snow, desert, city, room)
}
PLACES: tuple[str, ...] = tuple(DRAWERS)
