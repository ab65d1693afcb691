"""Hair, beards and what is worn on the head, in the head's units (see `head`)."""

from __future__ import annotations

from collections.abc import Callable

from simulator.drawing.pen import Pen

# fmt: off
# One point a line would stretch the outlines over pages.

Draws = Callable[[Pen], None]


def long_hair(pen: Pen) -> None:
    """Falls behind the shoulders."""
    low, wide = pen.vary(1.6, 2.0), pen.vary(0.0, 0.2)
    pen.blob([(0, -1.5), (0.85, -1.25), (1.25, -0.5), (1.28 + wide, 0.5), (1.3 + wide, low),
              (0.6, low + 0.1), (-0.6, low + 0.1), (-1.3 - wide, low), (-1.28 - wide, 0.5),
              (-1.25, -0.5), (-0.85, -1.25)], "hair dark")


def plaits(pen: Pen) -> None:
    """Two plaits, each three knots and a bow."""
    out = pen.vary(0.0, 0.2)
    pen.blob([(0, -1.45), (0.9, -1.15), (1.16, -0.3), (1.1, 0.3), (-1.1, 0.3), (-1.16, -0.3),
              (-0.9, -1.15)], "hair dark")
    for side in (-1, 1):
        for step in range(4):
            x, y = side * (1.2 + out * step / 2), 0.3 + 0.34 * step
            pen.disc(x, y, 0.25 - 0.015 * step, 0.23, "hair")
            pen.stroke([(x - 0.14, y - 0.06), (x, y + 0.08), (x + 0.14, y - 0.06)], 0.045,
                       "hair dark")
        x, y = side * (1.2 + out * 2), 1.62
        pen.shape([(x - 0.24, y - 0.15), (x + 0.24, y + 0.15), (x + 0.24, y - 0.15),
                   (x - 0.24, y + 0.15)], "cloth light")
        pen.disc(x, y + 0.24, 0.13, 0.18, "hair")


def fringe(pen: Pen) -> None:
    """Hair over the forehead to just above the brows."""
    pen.blob([(-1.08, 0.05), (-1.12, -0.6), (-0.75, -1.25), (0, -1.48), (0.75, -1.25),
              (1.12, -0.6), (1.08, 0.05), (0.92, -0.3), (0.7, -0.58), (0.25, -0.54), (0, -0.6),
              (-0.25, -0.54), (-0.7, -0.58), (-0.92, -0.3)], "hair")
    for x in (-0.5, 0.0, 0.5):
        pen.stroke([(x * 0.8, -1.25), (x, -0.7)], 0.05, "hair dark")
    pen.stroke([(-0.55, -1.12), (0, -1.28), (0.5, -1.15)], 0.08, "hair light")


def parted(pen: Pen) -> None:
    """Hair parted on one side, both halves falling past the temples."""
    side = 1 if pen.vary(-1, 1) > 0 else -1
    pen.blob([(side * 0.35, -1.36), (side * 0.9, -1.12), (side * 1.2, -0.4), (side * 1.16, 0.6),
              (side * 0.98, 0.5), (side * 0.9, -0.3), (side * 0.6, -0.82)], "hair")
    pen.blob([(side * 0.45, -1.36), (-side * 0.3, -1.46), (-side * 0.9, -1.14),
              (-side * 1.2, -0.4), (-side * 1.16, 0.6), (-side * 0.98, 0.5), (-side * 0.92, -0.1),
              (-side * 0.6, -0.6), (0, -0.86)], "hair")
    pen.stroke([(side * 0.2, -1.24), (-side * 0.5, -1.06), (-side * 0.98, -0.5)], 0.08,
               "hair light")


def short(pen: Pen) -> None:
    """Short hair with a quiff."""
    lift = pen.vary(0.0, 0.15)
    pen.blob([(-1.06, -0.1), (-1.12, -0.7), (-0.8, -1.3), (-0.1, -1.5 - lift), (0.6, -1.42 - lift),
              (1.06, -0.9), (1.06, -0.1), (0.93, -0.4), (0.8, -0.76), (0.3, -0.9), (-0.4, -0.8),
              (-0.84, -0.72), (-0.94, -0.4)], "hair")
    pen.stroke([(-0.6, -1.12), (0.0, -1.3), (0.55, -1.22)], 0.09, "hair light")


def bun(pen: Pen) -> None:
    """A knot on top; drawn behind the head."""
    pen.disc(0, -1.5, 0.52, 0.4, "hair")
    pen.stroke([(-0.26, -1.56), (0, -1.66), (0.28, -1.54)], 0.07, "hair light")


def waves(pen: Pen) -> None:
    """Soft curls about the face."""
    for x, y, size in ((-1.0, 0.0, 0.24), (1.0, 0.0, 0.24), (-1.06, -0.4, 0.28), (1.06, -0.4, 0.28),
                       (-0.86, -0.8, 0.3), (0.86, -0.8, 0.3), (-0.5, -1.06, 0.32),
                       (0.5, -1.06, 0.32), (0, -1.14, 0.34)):
        pen.disc(x, y, size, tone="hair")
        pen.stroke([(x - size / 2, y - size / 3), (x, y - size / 2), (x + size / 2, y - size / 4)],
                   0.05, "hair light")


def tufts(pen: Pen) -> None:
    """What is left above the ears of a bald man; the crown shines."""
    for side in (-1, 1):
        for x, y in ((1.02, -0.1), (1.04, -0.36), (0.94, -0.58)):
            pen.disc(side * x, y, 0.2, tone="hair")
    pen.disc(-0.25, -0.92, 0.26, 0.12, "skin light", turn=-0.3)


def mohawk(pen: Pen) -> None:
    """Spikes along the crown, the sides shaved."""
    tall = pen.vary(0.55, 0.85)
    for x in (-0.42, -0.22, 0.0, 0.22, 0.42):
        tip = -1.25 - tall * (1 - 0.9 * abs(x))
        pen.shape([(x - 0.2, -0.82), (x * 1.5, tip), (x + 0.2, -0.82)], "hair")
        pen.stroke([(x * 1.3, tip + 0.3), (x * 1.1, -1.0)], 0.06, "hair light")
    pen.blob([(-0.5, -0.95), (0, -1.3), (0.5, -0.95), (0.2, -0.72), (-0.2, -0.72)], "hair")


def full_beard(pen: Pen) -> None:
    """From ear to ear, the mouth left free."""
    low = pen.vary(1.35, 1.65)
    pen.blob([(-0.98, -0.05), (-0.84, 0.34), (-0.5, 0.5), (-0.2, 0.5), (0, 0.55), (0.2, 0.5),
              (0.5, 0.5), (0.84, 0.34), (0.98, -0.05), (0.98, 0.6), (0.66, 1.12), (0, low),
              (-0.66, 1.12), (-0.98, 0.6)], "hair")
    pen.disc(0, 0.75, 0.36, 0.2, "skin dark")
    for x in (-0.4, 0, 0.4):
        pen.stroke([(x, 1.02), (x * 0.8, low - 0.22)], 0.05, "hair dark")


def moustache(pen: Pen) -> None:
    """Two curled halves under the nose."""
    for side in (-1, 1):
        pen.blob([(0, 0.46), (side * 0.3, 0.48), (side * 0.56, 0.6), (side * 0.74, 0.48),
                  (side * 0.62, 0.7), (side * 0.34, 0.68), (0, 0.6)], "hair")


def stubble(pen: Pen) -> None:
    """A pointed beard on the chin and an ear ring."""
    pen.blob([(-0.34, 0.98), (0, 0.9), (0.34, 0.98), (0.2, 1.24), (0, 1.5), (-0.2, 1.24)], "hair")
    pen.ring(-1.02, 0.42, (0.13, 0.15), (0.07, 0.09), "gold")


def cap(pen: Pen) -> None:
    """A cap whose peak points to one side."""
    side = 1 if pen.vary(-1, 1) > 0 else -1
    for ear in (-1, 1):
        pen.blob([(ear * 1.06, -0.7), (ear * 1.06, 0.0), (ear * 0.9, -0.3), (ear * 0.86, -0.7)],
                 "hair")
    pen.blob([(-1.14, -0.58), (-1.0, -1.2), (-0.45, -1.55), (0.45, -1.55), (1.0, -1.2),
              (1.14, -0.58), (0.5, -0.7), (-0.5, -0.7)], "cloth")
    pen.stroke([(0, -1.56), (side * 0.12, -1.2), (side * 0.12, -0.72)], 0.05, "cloth dark")
    pen.blob([(-side * 0.6, -0.72), (side * 0.2, -0.78), (side * 1.2, -0.68), (side * 1.75, -0.44),
              (side * 1.2, -0.46), (side * 0.2, -0.52), (-side * 0.6, -0.54)], "cloth dark")
    pen.disc(0, -1.57, 0.1, 0.07, "cloth light")


def crown(pen: Pen) -> None:
    """Five points of gold with gems."""
    pen.shape([(-0.92, -0.72), (-1.06, -1.5), (-0.62, -1.2), (-0.42, -1.72), (-0.2, -1.26),
               (0, -1.85), (0.2, -1.26), (0.42, -1.72), (0.62, -1.2), (1.06, -1.5),
               (0.92, -0.72)], "gold")
    pen.blob([(-0.94, -0.86), (0, -0.98), (0.94, -0.86), (0.93, -0.7), (0, -0.8), (-0.93, -0.7)],
             "gold dark")
    for x, y in ((-0.5, -1.06), (0, -1.16), (0.5, -1.06)):
        pen.disc(x, y, 0.1, 0.12, "gem")


def toque(pen: Pen) -> None:
    """A cook's tall white hat."""
    for side in (-1, 1):
        pen.blob([(side * 1.04, -0.7), (side * 1.06, -0.1), (side * 0.92, -0.3),
                  (side * 0.88, -0.7)], "hair")
    for x, y in ((-0.72, -1.5), (0.72, -1.5), (-0.3, -1.72), (0.34, -1.7)):
        pen.disc(x, y, 0.5, 0.42, "paper")
    pen.shape([(-0.94, -0.66), (-0.92, -1.4), (0.92, -1.4), (0.94, -0.66)], "paper")
    for x in (-0.5, 0.0, 0.5):
        pen.stroke([(x, -1.12), (x * 1.1, -1.6)], 0.05, "linen")
    pen.shape([(-0.97, -0.62), (-0.95, -0.98), (0.95, -0.98), (0.97, -0.62)], "linen")


def headscarf(pen: Pen) -> None:
    """A pirate's scarf with spots and a knot at one side."""
    pen.blob([(-1.08, -0.42), (-1.06, -0.98), (-0.6, -1.42), (0, -1.52), (0.6, -1.42),
              (1.06, -0.98), (1.08, -0.42), (0.5, -0.64), (0, -0.7), (-0.5, -0.64)], "scarf")
    pen.stroke([(-1.02, -0.52), (0, -0.8), (1.02, -0.52)], 0.1, "scarf dark")
    for x, y in ((-0.6, -1.06), (0, -1.24), (0.58, -1.04)):
        pen.disc(x, y, 0.1, tone="paper")
    pen.blob([(-1.0, -0.5), (-1.5, -0.5), (-1.62, -0.2), (-1.3, -0.2), (-1.36, 0.16),
              (-1.04, -0.1)], "scarf dark")


def pearls(pen: Pen) -> None:
    """Ear rings."""
    for side in (-1, 1):
        pen.disc(side * 1.04, 0.42, 0.1, tone="paper")


BEHIND: dict[str, tuple[Draws, ...]] = {  # of the head, for each kind
    "girl": (plaits,), "woman": (long_hair,), "queen": (long_hair,), "grandmother": (bun,),
}
BEARDS: dict[str, tuple[Draws, ...]] = {  # under the mouth
    "man": (full_beard,), "grandfather": (full_beard,), "pirate": (stubble,),
}
ABOVE: dict[str, tuple[Draws, ...]] = {  # in front of all
    "girl": (fringe,), "boy": (cap,), "woman": (parted,), "man": (short,),
    "grandmother": (waves, pearls), "grandfather": (tufts, moustache), "queen": (parted, crown),
    "cook": (toque, moustache), "pirate": (headscarf,), "punk": (mohawk,),
}
