"""The head: skull, ears, eyes, nose and mouth, in units of half the face's width.

x runs right and y down from the middle of the face; the chin is near 1.2, the crown near -1.25.
"""

from __future__ import annotations

from simulator.drawing.pen import Pen
from simulator.faces.face import Face

# fmt: off
# One point a line would stretch the outlines over pages.

CHILDREN = ("girl", "boy")
OLD = ("grandmother", "grandfather")


def skull(pen: Pen, face: Face) -> None:
    """Ears, the face itself and the light on one half of it."""
    child = face.kind in CHILDREN
    jaw = pen.vary(-0.10, 0.10) + (0.10 if child else 0.0)
    long = pen.vary(-0.10, 0.08) - (0.10 if child else 0.0)
    for side in (-1, 1):
        pen.disc(side * 0.97, 0.05, 0.17, 0.27, "skin")
        pen.disc(side * 1.0, 0.07, 0.085, 0.16, "skin dark")
    pen.blob([(-0.96, -0.35), (-0.66, -1.0), (0, -1.24), (0.66, -1.0), (0.96, -0.35),
              (0.92, 0.22), (0.64 + jaw, 0.84), (0, 1.2 + long), (-0.64 - jaw, 0.84),
              (-0.92, 0.22)], "skin")
    for side in (-1, 1):
        pen.disc(side * 0.56, 0.36, 0.21, 0.15, "cheek")


def eyes(pen: Pen, face: Face) -> None:
    """Two eyes with brows; a pirate has one and a patch."""
    big = 1.22 if face.kind in CHILDREN else 1.0
    apart, height, gaze = pen.vary(0.37, 0.44), pen.vary(-0.1, 0.0), pen.vary(-0.05, 0.05)
    wide = 1.25 if face.mouth == "surprised" else 0.8 if face.mouth == "laughing" else 1.0
    raised = 0.12 if face.mouth == "surprised" else 0.0
    for side in (-1, 1):
        x = side * apart
        pen.disc(x, height, 0.22 * big, 0.165 * big * wide, "paper")
        pen.disc(x + gaze, height + 0.01, 0.125 * big, tone="eye")
        pen.disc(x + gaze, height + 0.01, 0.065 * big, tone="ink")
        pen.disc(x + gaze + 0.05, height - 0.05, 0.035 * big, tone="paper")
        lid = height - 0.15 * big * wide
        pen.stroke([(x - 0.23 * big, lid + 0.1), (x, lid - 0.02), (x + 0.23 * big, lid + 0.1)],
                   0.055, "ink")
        brow = height - 0.37 - raised
        frown = 0.1 if face.mouth == "serious" else -0.02
        pen.stroke([(x + side * 0.22, brow + 0.06), (x, brow - 0.02),
                    (x - side * 0.22, brow + frown)], 0.095, "hair dark", end=0.07)
    if face.kind in OLD:
        for side in (-1, 1):
            pen.stroke([(side * 0.22, 0.2), (side * apart, 0.27), (side * 0.62, 0.2)], 0.035,
                       "skin dark")
        pen.stroke([(-0.36, -0.68), (0, -0.71), (0.36, -0.68)], 0.035, "skin dark")
    if face.kind == "pirate":
        pen.stroke([(-0.98, -0.5), (apart, height), (0.98, 0.1)], 0.06, "ink")
        pen.disc(apart, height, 0.3, 0.27, "ink")


def nose(pen: Pen, face: Face) -> None:
    """The nose, small in children."""
    size = 0.7 if face.kind in CHILDREN else pen.vary(0.9, 1.2)
    pen.stroke([(-0.02, 0.02), (0.1 * size, 0.3 * size), (0.11 * size, 0.4 * size),
                (-0.08 * size, 0.43 * size)], 0.06, "skin dark")
    pen.disc(0.0, 0.34 * size, 0.07 * size, 0.06 * size, "skin light")


def mouth(pen: Pen, face: Face) -> None:
    """The mouth as it is held."""
    y, half = 0.72, pen.vary(0.3, 0.38)
    if face.mouth == "smiling":
        pen.stroke([(-half - 0.04, y - 0.1), (-0.2, y + 0.05), (0, y + 0.08), (0.2, y + 0.05),
                    (half + 0.04, y - 0.1)], 0.1, "lips")
    elif face.mouth == "laughing":
        pen.blob([(-half - 0.1, y - 0.16), (0, y - 0.11), (half + 0.1, y - 0.16), (0.27, y + 0.16),
                  (0, y + 0.25), (-0.27, y + 0.16)], "mouth")
        pen.blob([(-half, y - 0.12), (0, y - 0.09), (half, y - 0.12), (0.22, y + 0.01),
                  (-0.22, y + 0.01)], "paper")
        pen.disc(0, y + 0.17, 0.15, 0.06, "lips")
    elif face.mouth == "serious":
        pen.stroke([(-half + 0.06, y + 0.02), (0, y - 0.02), (half - 0.06, y + 0.03)], 0.09, "lips")
    else:
        pen.disc(0, y + 0.05, 0.19, 0.24, "lips")
        pen.disc(0, y + 0.05, 0.125, 0.17, "mouth")


def glasses(pen: Pen, face: Face) -> None:
    """Two dark rims, a bridge and their arms."""
    if not face.glasses:
        return
    size = pen.vary(0.3, 0.36)
    for side in (-1, 1):
        pen.ring(side * 0.42, -0.03, (size + 0.05, size + 0.02), (size - 0.03, size - 0.06), "ink")
        pen.stroke([(side * (0.42 + size), -0.06), (side * 0.98, -0.1)], 0.07, "ink")
    pen.stroke([(-0.12, -0.08), (0, -0.13), (0.12, -0.08)], 0.07, "ink")
