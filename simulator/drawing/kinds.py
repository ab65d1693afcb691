"""The twelve kinds of thing, each drawn from the side it is best known by, facing right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.drawing.pen import Pen

# fmt: off
# One point a line would stretch the outlines over pages.


def dog(pen: Pen) -> None:
    """Standing dog: hanging ear, long snout, raised tail, four legs."""
    step, tail = pen.vary(-0.05, 0.05), pen.vary(-0.10, 0.08)
    for x, lean in ((0.30, step), (0.68, -step)):
        pen.stroke([(x, 0.6), (x + lean + 0.03, 0.8), (x + lean + 0.03, 0.97)], 0.13, "dark")
    pen.stroke([(0.2, 0.46), (0.06, 0.36), (tail, 0.12)], 0.11, end=0.06)
    pen.blob([(0.14, 0.52), (0.22, 0.4), (0.5, 0.42), (0.74, 0.34), (0.84, 0.46),
              (0.8, 0.66), (0.62, 0.7), (0.42, 0.68), (0.24, 0.74), (0.15, 0.66)])
    for x, lean in ((0.22, -step), (0.74, step)):
        pen.stroke([(x, 0.58), (x + lean, 0.8), (x + lean, 0.96)], 0.14)
        pen.disc(x + lean + 0.03, 0.985, 0.085, 0.045)
    pen.stroke([(0.74, 0.46), (0.82, 0.28)], 0.22)
    pen.disc(0.86, 0.2, 0.16, 0.15)
    pen.stroke([(0.92, 0.24), (1.08, 0.27)], 0.16, end=0.12)
    pen.disc(1.14, 0.22, 0.05, 0.042, "ink")
    pen.stroke([(0.98, 0.33), (1.08, 0.34)], 0.02, "seam")
    pen.stroke([(0.70, 0.36), (0.78, 0.42), (0.88, 0.42)], 0.05, "spark")
    droop = pen.vary(-0.03, 0.05)
    pen.blob([(0.76, 0.08), (0.84, 0.12), (0.83, 0.26), (0.78, 0.37 + droop), (0.7, 0.34 + droop),
              (0.69, 0.18)], "dark", seam=True)
    pen.eye(0.935, 0.165, 0.045)


def cat(pen: Pen) -> None:
    """Sitting cat: pointed ears, whiskers, curled tail."""
    curl = pen.vary(-0.05, 0.05)
    pen.stroke([(0.3, 0.93), (0.02, 0.94), (-0.12, 0.76), (-0.06, 0.58 + curl),
                (0.06, 0.56 + curl)], 0.12, end=0.08)
    pen.blob([(0.36, 0.4), (0.64, 0.4), (0.74, 0.66), (0.8, 0.9), (0.7, 1.0), (0.3, 1.0),
              (0.18, 0.88), (0.24, 0.64)])
    pen.blob([(0.2, 0.99), (0.18, 0.82), (0.3, 0.74), (0.4, 0.86), (0.38, 0.99)], "main", True)
    for x in (0.47, 0.61):
        pen.stroke([(x, 0.62), (x, 0.94)], 0.13, "light")
        pen.disc(x, 0.97, 0.075, 0.045, "light")
    for side in (-1, 1):
        pen.shape([(0.52 + side * 0.24, -0.1), (0.52 + side * 0.26, 0.22),
                   (0.52 + side * 0.04, 0.1)])
        pen.shape([(0.52 + side * 0.215, -0.01), (0.52 + side * 0.215, 0.14),
                   (0.52 + side * 0.09, 0.1)], "pink")
    pen.disc(0.52, 0.27, 0.27, 0.22, seam=True)
    pen.disc(0.52, 0.36, 0.12, 0.085, "light")
    for side in (-1, 1):
        pen.disc(0.52 + side * 0.12, 0.24, 0.06, 0.055, "spark")
        pen.disc(0.52 + side * 0.12, 0.24, 0.024, 0.05, "ink")
        for drop in (-0.02, 0.05):
            pen.stroke([(0.52 + side * 0.1, 0.36 + drop / 2),
                        (0.52 + side * 0.34, 0.34 + 2 * drop)], 0.016, "ink")
    pen.shape([(0.48, 0.31), (0.56, 0.31), (0.52, 0.355)], "pink")


def scissors(pen: Pen) -> None:
    """Open scissors: two crossing blades, two ring handles."""
    wide = pen.vary(0.26, 0.40)
    for side in (-1, 1):
        up = np.array([side * np.sin(wide), -np.cos(wide)])
        across = np.array([-up[1], up[0]]) * side
        pen.shape([-0.06 * up + 0.065 * across, 0.3 * up + 0.065 * across,
                   0.62 * up - 0.02 * across, -0.06 * up - 0.06 * across], "steel", True)
        low = np.array([-side * np.sin(wide * 1.25), np.cos(wide * 1.25)])
        pen.stroke([-0.08 * low, 0.24 * low], 0.12)
        x, y = 0.40 * low
        pen.ring(x, y, (0.18, 0.2), (0.088, 0.108))
    pen.disc(0, 0, 0.045, tone="spark", seam=True)


def car(pen: Pen) -> None:
    """Car from the side: cabin with windows, two wheels."""
    roof, back = pen.vary(-0.03, 0.03), pen.vary(-0.04, 0.04)
    pen.blob([(0.22 + back, 0.3), (0.34 + back, 0.03 + roof), (0.56, 0.0 + roof),
              (0.7, 0.06 + roof), (0.86, 0.3), (0.8, 0.4), (0.3, 0.4)])
    pen.blob([(0.0, 0.34), (0.06, 0.27), (0.5, 0.27), (0.9, 0.27), (1.08, 0.31), (1.15, 0.42),
              (1.13, 0.52), (0.6, 0.54), (0.04, 0.53), (-0.01, 0.44)])
    pen.shape([(0.31 + back, 0.27), (0.39 + back, 0.08 + roof), (0.53, 0.06 + roof), (0.53, 0.27)],
              "pane", True)
    pen.shape([(0.58, 0.27), (0.58, 0.06 + roof), (0.67, 0.09 + roof), (0.79, 0.27)], "pane", True)
    pen.stroke([(0.02, 0.46), (1.13, 0.46)], 0.03, "dark")
    pen.stroke([(0.555, 0.28), (0.555, 0.5)], 0.014, "seam")
    pen.disc(1.09, 0.37, 0.045, 0.04, "spark")
    pen.disc(0.02, 0.38, 0.025, 0.04, "pink")
    for x in (0.25, 0.88):
        pen.disc(x, 0.54, 0.135, tone="tyre")
        pen.disc(x, 0.54, 0.065, tone="steel")


def house(pen: Pen) -> None:
    """House: gable roof, chimney, door and windows."""
    peak, chimney, door = pen.vary(-0.06, 0.06), pen.vary(0.66, 0.78), pen.vary(0.40, 0.5)
    pen.shape([(chimney, 0.0), (chimney + 0.13, 0.0), (chimney + 0.13, 0.4),
               (chimney, 0.4)], "wood")
    pen.shape([(0.06, 0.42), (0.94, 0.42), (0.94, 1.0), (0.06, 1.0)])
    pen.shape([(0.06, 0.46), (0.5, peak + 0.04), (0.94, 0.46)])
    pen.shape([(-0.06, 0.5), (0.5, peak - 0.06), (1.06, 0.5), (0.98, 0.57), (0.5, peak + 0.1),
               (0.02, 0.57)], "dark", True)
    pen.shape([(door, 0.66), (door + 0.17, 0.66), (door + 0.17, 1.0), (door, 1.0)], "wood", True)
    pen.disc(door + 0.135, 0.85, 0.018, tone="spark")
    for x in (0.14, 0.69):
        pen.shape([(x, 0.62), (x + 0.18, 0.62), (x + 0.18, 0.8), (x, 0.8)], "pane", True)
        pen.stroke([(x + 0.09, 0.63), (x + 0.09, 0.79)], 0.02, "paper")
        pen.stroke([(x + 0.01, 0.71), (x + 0.17, 0.71)], 0.02, "paper")
    pen.disc(0.5, 0.4, 0.075, tone="pane", seam=True)


def boat(pen: Pen) -> None:
    """Sailing boat: curved hull, mast, two sails, a pennant."""
    belly, top = pen.vary(-0.04, 0.05), pen.vary(-0.05, 0.04)
    pen.stroke([(0.5, 0.76), (0.5, top - 0.06)], 0.035, "wood")
    pen.shape([(0.5, top - 0.08), (0.34, top - 0.03), (0.5, top + 0.02)], "flame")
    pen.blob([(0.53, top + 0.02), (0.68 + belly, 0.28), (0.86 + belly, 0.58), (0.9, 0.66),
              (0.72, 0.67), (0.535, 0.66), (0.53, 0.36)], "paper", True)
    pen.blob([(0.465, top + 0.1), (0.465, 0.4), (0.465, 0.66), (0.3, 0.67), (0.12, 0.65),
              (0.2, 0.54), (0.36, 0.3)], "light", True)
    pen.blob([(-0.04, 0.72), (0.1, 0.73), (0.5, 0.74), (0.9, 0.73), (1.06, 0.69), (1.0, 0.82),
              (0.84, 0.98), (0.5, 1.0), (0.16, 0.98), (0.02, 0.86)], "main", True)
    pen.stroke([(0.0, 0.79), (0.5, 0.815), (1.0, 0.77)], 0.045, "spot")
    for x in (0.3, 0.5, 0.7):
        pen.disc(x, 0.895, 0.028, tone="ink")


def tree(pen: Pen) -> None:
    """Broad tree: trunk with branches under a round crown."""
    lean = pen.vary(-0.04, 0.04)
    pen.blob([(0.42, 0.5), (0.58, 0.5), (0.57, 0.8), (0.66, 1.0), (0.5, 0.97), (0.34, 1.0),
              (0.43, 0.8)], "wood")
    pen.stroke([(0.5, 0.72), (0.68, 0.54)], 0.06, "wood")
    pen.stroke([(0.5, 0.76), (0.34, 0.58)], 0.06, "wood")
    crown = [(0.2, 0.44, 0.2), (0.8, 0.44, 0.2), (0.34, 0.22, 0.22), (0.68, 0.22, 0.22),
             (0.5, 0.46, 0.2), (0.5, 0.14, 0.19)]
    for x, y, radius in crown:
        pen.disc(x + lean + pen.vary(-0.03, 0.03), y + pen.vary(-0.03, 0.03), radius)
    pen.disc(0.5 + lean, 0.34, 0.3, 0.24)
    for x, y in ((0.3, 0.5), (0.56, 0.52), (0.78, 0.48)):
        pen.stroke([(x - 0.1, y), (x, y + 0.06), (x + 0.1, y)], 0.045, "dark")
    for x, y in ((0.34, 0.16), (0.6, 0.2), (0.22, 0.36), (0.76, 0.34)):
        pen.stroke([(x - 0.07, y + 0.03), (x, y - 0.02), (x + 0.07, y + 0.02)], 0.05, "light")


def flower(pen: Pen) -> None:
    """Flower: petals about a round centre, stem with two leaves."""
    count, bend = int(pen.rng.integers(6, 9)), pen.vary(-0.08, 0.08)
    pen.stroke([(0.5, 0.3), (0.5 + bend, 0.66), (0.5, 1.0)], 0.065, "leaf")
    for side, y in ((-1, 0.88), (1, 0.8)):
        x = 0.5 + bend / 2
        pen.blob([(x, y), (x + side * 0.12, y - 0.15), (x + side * 0.32, y - 0.2),
                  (x + side * 0.24, y - 0.03)], "leaf", True)
    start = pen.vary(0, np.pi)
    for angle in start + np.arange(count) * 2 * np.pi / count:
        x, y = 0.5 + 0.2 * np.cos(angle), 0.28 + 0.2 * np.sin(angle)
        pen.disc(x, y, 0.155, 0.62 / count, turn=angle, seam=True)
    pen.disc(0.5, 0.28, 0.12, tone="wood", seam=True)
    pen.disc(0.49, 0.27, 0.085, tone="spark")


def mug(pen: Pen) -> None:
    """Mug of coffee: ear on one side, steam above."""
    wide, band = pen.vary(-0.03, 0.04), pen.vary(0.5, 0.66)
    left, right = 0.08 - wide, 0.72 + wide
    for x in (0.28, 0.5):
        pen.stroke([(x, 0.14), (x - 0.05, 0.03), (x + 0.05, -0.08), (x, -0.2)], 0.05, "paper",
                   end=0.03)
    pen.ring(right + 0.02, 0.55, (0.24, 0.26), (0.13, 0.15))
    pen.shape([(left, 0.22), (right, 0.22), (right - 0.02, 0.94), (right - 0.08, 1.0),
               (left + 0.08, 1.0), (left + 0.02, 0.94)], "main", True)
    pen.shape([(left, band), (right, band), (right, band + 0.14), (left, band + 0.14)], "light")
    pen.disc((left + right) / 2, 0.22, (right - left) / 2, 0.09, "light", True)
    pen.disc((left + right) / 2, 0.235, (right - left) / 2 - 0.05, 0.06, "coffee")


def fish(pen: Pen) -> None:
    """Fish from the side: forked tail, fins, stripes, round eye."""
    fat, fork = pen.vary(-0.04, 0.05), pen.vary(-0.04, 0.04)
    pen.blob([(0.4, 0.24), (0.5, 0.0 - fat), (0.72, 0.06), (0.8, 0.24)], "dark", True)
    pen.blob([(0.5, 0.6), (0.48, 0.82 + fat), (0.6, 0.78), (0.68, 0.64)], "dark", True)
    pen.blob([(0.3, 0.42), (0.12, 0.26), (-0.06 + fork, 0.12), (-0.02, 0.3), (0.06, 0.42),
              (-0.02, 0.54), (-0.06 + fork, 0.74), (0.12, 0.6)], "dark", True)
    pen.blob([(0.2, 0.42), (0.4, 0.24 - fat), (0.66, 0.16 - fat), (0.9, 0.24), (1.04, 0.42),
              (0.9, 0.58), (0.66, 0.68 + fat), (0.4, 0.6 + fat)], "main", True)
    for x, tall in ((0.44, 0.14), (0.6, 0.2)):
        pen.stroke([(x, 0.42 - tall), (x + 0.05, 0.42), (x, 0.42 + tall)], 0.06, "light")
    pen.stroke([(0.79, 0.28), (0.74, 0.42), (0.79, 0.56)], 0.025, "seam")
    pen.blob([(0.68, 0.46), (0.54, 0.44), (0.5, 0.54), (0.6, 0.56)], "dark", True)
    pen.eye(0.89, 0.36, 0.055)
    pen.stroke([(1.0, 0.48), (0.93, 0.5)], 0.022, "ink")


def rocket(pen: Pen) -> None:
    """Rocket: pointed nose, round window, fins, flame."""
    slim, fire = pen.vary(-0.02, 0.03), pen.vary(-0.05, 0.06)
    pen.blob([(0.36, 0.8), (0.64, 0.8), (0.62, 0.94), (0.5, 1.12 + fire), (0.38, 0.94)], "flame")
    pen.blob([(0.43, 0.8), (0.57, 0.8), (0.5, 0.99 + fire)], "spark")
    for side in (-1, 1):
        pen.shape([(0.5 + side * 0.18, 0.5), (0.5 + side * 0.4, 0.74), (0.5 + side * 0.4, 0.92),
                   (0.5 + side * 0.16, 0.8)], "dark", True)
    pen.blob([(0.5, -0.06), (0.62 + slim, 0.12), (0.7 + slim, 0.36), (0.69 + slim, 0.62),
              (0.62, 0.82), (0.38, 0.82), (0.31 - slim, 0.62), (0.3 - slim, 0.36),
              (0.38 - slim, 0.12)], "main", True)
    pen.blob([(0.5, -0.06), (0.615 + slim, 0.11), (0.64 + slim, 0.18), (0.5, 0.21),
              (0.36 - slim, 0.18), (0.385 - slim, 0.11)], "spot", True)
    pen.disc(0.5, 0.4, 0.12, tone="paper", seam=True)
    pen.disc(0.5, 0.4, 0.085, tone="pane")
    pen.stroke([(0.36, 0.7), (0.5, 0.72), (0.64, 0.7)], 0.045, "spot")


def mushroom(pen: Pen) -> None:
    """Mushroom: spotted cap on a pale stem."""
    tall, fat = pen.vary(-0.05, 0.04), pen.vary(-0.03, 0.03)
    pen.blob([(0.4 - fat, 0.46), (0.6 + fat, 0.46), (0.6 + fat, 0.76), (0.68 + fat, 0.95),
              (0.5, 1.0), (0.32 - fat, 0.95), (0.4 - fat, 0.76)], "cream", True)
    pen.blob([(0.0, 0.46), (0.06, 0.24), (0.26, 0.05 + tall), (0.5, 0.0 + tall),
              (0.74, 0.05 + tall), (0.94, 0.24), (1.0, 0.46), (0.9, 0.55), (0.5, 0.52),
              (0.1, 0.55)], "main", True)
    pen.blob([(0.1, 0.5), (0.5, 0.46), (0.9, 0.5), (0.82, 0.56), (0.5, 0.6), (0.18, 0.56)],
             "cream", True)
    for x, y, radius in ((0.48, 0.18, 0.085), (0.2, 0.32, 0.07), (0.76, 0.26, 0.075),
                         (0.6, 0.38, 0.055), (0.36, 0.4, 0.05)):
        pen.disc(x + pen.vary(-0.02, 0.02), y, radius, radius * 0.85, "spot")


# fmt: on
DRAWERS: dict[str, Callable[[Pen], None]] = {
    drawer.__name__: drawer
    for drawer in (dog, cat, scissors, car, house, boat, tree, flower, mug, fish, rocket, mushroom)
}
KINDS: tuple[str, ...] = tuple(DRAWERS)

# Degrees by which a kind leans, as (least, most); kinds not named stand within a few degrees.
LEANS: dict[str, tuple[float, float]] = {
    "scissors": (15.0, 65.0),
    "rocket": (5.0, 28.0),
    "fish": (-14.0, 10.0),
}
# Kinds that hang in the middle of the picture instead of standing on the ground.
FLOATING: frozenset[str] = frozenset({"scissors", "rocket", "fish"})
