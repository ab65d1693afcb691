"""A picture made of layers, of which only those that changed are drawn again."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QTransform

from rtrecon.display.flashes import Tile
from rtrecon.types import Presentation

Draw = Callable[[QPainter, QRectF], None]


@dataclass(frozen=True)
class Layer:
    """One thing on a screen. It is drawn anew where `place` or `content` changes.

    Attributes
    ----------
    what : str
        Of `Presentation.shows`; empty for what is no content of the protocol's.
    place : QRectF
        Nothing is drawn outside it.
    content : hashable
        Stands for what `draw` draws.
    """

    what: str
    place: QRectF
    content: Hashable
    draw: Draw = field(compare=False)


class Scene(Protocol):
    """What a kind of screen makes of a presentation. Sizes in logical pixels."""

    background: QColor

    def layers(self, presentation: Presentation, size: QSizeF, now: float) -> list[Layer]:
        """What is to be seen, from the back to the front; `now` on the LSL clock."""
        ...

    def rest(self, size: QSizeF) -> list[Layer]:
        """What is to be seen where nothing may be."""
        ...


class Composite:
    """What is wanted on the screen, drawn into memory.

    Parameters
    ----------
    size : QSize
        In pixels of the picture.
    scale : float
        Pixels of the picture a logical pixel.
    background : QColor
    mirrored : bool
        Left and right exchanged, words too.
    """

    def __init__(self, size: QSize, scale: float, background: QColor, mirrored: bool) -> None:
        self._background = background
        self._image = QImage(size, QImage.Format.Format_RGB32)
        self._image.fill(background)
        self.pixels = pixels(self._image)
        self._layers: Sequence[Layer] = ()
        self._whole = False  # after a fault: what is in memory cannot be trusted
        self._logical = QTransform.fromScale(scale, scale)
        if mirrored:
            self._logical *= QTransform(-1, 0, 0, 1, size.width(), 0)

    def draw(self, layers: Sequence[Layer]) -> list[Tile]:
        """Draw what changed; returns the rows and columns where that is."""
        if self._whole:
            changed = [QRectF(self._image.rect())]
        else:
            places = {id(layer): layer.place for layer in _difference(self._layers, layers)}
            changed = [self._logical.mapRect(place) for place in places.values()]
        self._whole = True
        for place in changed:
            self._draw_in(place, layers)
        self._whole, self._layers = False, layers
        return [_tile(place) for place in changed]

    def _draw_in(self, place: QRectF, layers: Sequence[Layer]) -> None:
        painter = QPainter(self._image)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.setClipRect(place.toAlignedRect())
            painter.fillRect(place.toAlignedRect(), self._background)
            for layer in layers:
                if self._logical.mapRect(layer.place).intersects(place):
                    painter.setTransform(self._logical)
                    painter.setClipRect(layer.place, Qt.ClipOperation.IntersectClip)
                    layer.draw(painter, layer.place)
                    painter.resetTransform()
                    painter.setClipRect(place.toAlignedRect())
        finally:
            painter.end()


def pixels(image: QImage) -> NDArray[np.uint8]:
    """The memory of an RGB32 image: uint8 (height, width, 4), blue first."""
    return np.frombuffer(image.bits(), np.uint8).reshape(image.height(), image.width(), 4)


def _difference(one: Sequence[Layer], other: Sequence[Layer]) -> list[Layer]:
    return [a for a in one if a not in other] + [b for b in other if b not in one]


def _tile(place: QRectF) -> Tile:
    rect = place.toAlignedRect()
    top, left = max(0, rect.top()), max(0, rect.left())
    return slice(top, max(top, rect.bottom() + 1)), slice(left, max(left, rect.right() + 1))
