"""A square in a corner of the monitor that a photodiode watches."""

from enum import Enum
from math import inf

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter

SHARE = 0.06  # of the screen's height
SLOWEST_S = 0.4
"""Two toggles are at least so far apart: three changes in a second, and six would be allowed."""


class Corner(Enum):
    """Where the patch is, seen on the monitor itself and not in a mirror."""

    NONE = "none"
    TOP_LEFT = "top left"
    TOP_RIGHT = "top right"
    BOTTOM_LEFT = "bottom left"
    BOTTOM_RIGHT = "bottom right"


class Patch:
    """Turns from black to white, or back, with the first paint of a new picture.

    It does not fade, so that a photodiode sees an edge. A picture that comes too soon after a
    toggle leaves it as it is.
    """

    def __init__(self, corner: Corner) -> None:
        self._corner = corner
        self.white = False
        self._frame = -1
        self._toggled = -inf

    def follow(self, frame: int, now: float) -> None:
        """Take note of the picture that is painted now."""
        if frame == self._frame or frame < 0:
            return
        self._frame = frame
        if now - self._toggled >= SLOWEST_S:
            self.white, self._toggled = not self.white, now

    def place(self, screen: QRect) -> QRect:
        """Where it is on a screen."""
        side = round(SHARE * screen.height())
        square = QRect(0, 0, side, side)
        if self._corner in (Corner.TOP_RIGHT, Corner.BOTTOM_RIGHT):
            square.moveRight(screen.right())
        if self._corner in (Corner.BOTTOM_LEFT, Corner.BOTTOM_RIGHT):
            square.moveBottom(screen.bottom())
        return square

    def draw(self, painter: QPainter, screen: QRect) -> None:
        """Paint it over what is there."""
        colour = Qt.GlobalColor.white if self.white else Qt.GlobalColor.black
        painter.fillRect(self.place(screen), colour)
