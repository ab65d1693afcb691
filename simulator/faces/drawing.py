"""A face as a picture: what is behind it, shoulders, head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.drawing.canvas import Canvas
from simulator.drawing.palette import RGB
from simulator.drawing.pen import Pen
from simulator.faces import hair, head
from simulator.faces.face import Face
from simulator.faces.paints import SKIES, mixed, paints

_SUPERSAMPLING = 3


def render(face: Face, size_px: int = 128) -> NDArray[np.uint8]:
    """Draw a face: (size_px, size_px, 3), always the same for the same face."""
    # Streams of their own keep a face as it is when only its surroundings change.
    place_rng, pose_rng, part_rng, paint_rng = (
        np.random.default_rng([face.seed, i]) for i in range(4)
    )
    canvas = Canvas(size_px * _SUPERSAMPLING)
    _background(canvas, face.place, place_rng)
    colours, pose = paints(face, paint_rng), _Pose.drawn(pose_rng)
    for pen, turned in _layers(face, part_rng):
        for part in pen.parts:
            canvas.shape(pose(part.points, turned), colours[part.tone])
    return np.asarray(canvas.image.reduce(_SUPERSAMPLING))


@dataclass(frozen=True)
class _Pose:
    """Where the head is, how large, and how it is held: it turns about the neck."""

    x: float
    y: float
    scale: float
    tilt: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> _Pose:
        return cls(
            float(rng.uniform(0.46, 0.54)),
            float(rng.uniform(0.53, 0.56)),
            float(rng.uniform(0.218, 0.238)),
            float(np.clip(rng.normal(0, 0.05), -0.12, 0.12)),
        )

    def __call__(self, points: NDArray[np.float64], turned: bool) -> NDArray[np.float64]:
        if turned:
            cos, sin, neck = np.cos(self.tilt), np.sin(self.tilt), np.array([0, 1.2])
            points = (points - neck) @ np.array([[cos, sin], [-sin, cos]]) + neck
        return points * self.scale + (self.x, self.y)


def _layers(face: Face, rng: np.random.Generator) -> list[tuple[Pen, bool]]:
    """Back hair, shoulders and head, back to front; whether each turns with the head."""
    behind, shoulders, front = Pen(rng), Pen(rng), Pen(rng)
    for draw in hair.BEHIND.get(face.kind, ()):
        draw(behind)
    _shoulders(shoulders, face)
    head.skull(front, face)
    for draw in hair.BEARDS.get(face.kind, ()):
        draw(front)
    for draw_part in (head.mouth, head.nose, head.eyes, head.glasses):
        draw_part(front, face)
    for draw in hair.ABOVE[face.kind]:
        draw(front)
    return [(behind, True), (shoulders, False), (front, True)]


def _shoulders(pen: Pen, face: Face) -> None:
    wide = pen.vary(1.45, 1.7) - (0.25 if face.kind in head.CHILDREN else 0.0)
    pen.blob([(-wide, 3.2), (-wide, 2.0), (-wide * 0.8, 1.66), (-0.4, 1.42), (0.4, 1.42),
              (wide * 0.8, 1.66), (wide, 2.0), (wide, 3.2)], "cloth")  # fmt: skip
    pen.shape([(-0.36, 0.8), (0.36, 0.8), (0.4, 1.5), (0, 1.86), (-0.4, 1.5)], "skin dark")
    pen.stroke(
        [(-0.44, 1.42), (-0.3, 1.7), (0, 1.92), (0.3, 1.7), (0.44, 1.42)], 0.14, "cloth dark"
    )


def _background(canvas: Canvas, place: str, rng: np.random.Generator) -> None:
    upper, lower, third = (mixed(c, _shade(rng), 0.1) for c in SKIES[place])
    canvas.sky(upper, lower)
    if place in {"meadow", "sand", "snow"}:
        edge = rng.uniform(0.55, 0.75) + 0.03 * np.sin(np.linspace(0, 5, 30) + rng.uniform(0, 6))
        canvas.ground(edge, third, mixed(third, (60, 60, 80), 0.12))
    elif place == "sky":
        for x, y in ((rng.uniform(0.02, 0.2), rng.uniform(0.1, 0.4)),
                     (rng.uniform(0.8, 0.98), rng.uniform(0.1, 0.4))):  # fmt: skip
            for step in (-1, 0, 1):
                canvas.disc(x + 0.08 * step, y, 0.09 - 0.02 * abs(step), third, 0.05)
    else:
        x = float(rng.choice([rng.uniform(0.08, 0.2), rng.uniform(0.8, 0.92)]))
        canvas.disc(x, float(rng.uniform(0.12, 0.24)), 0.09, third)


def _shade(rng: np.random.Generator) -> RGB:
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    return red, green, blue
