"""One person among spectators' eyes: a ring and a glow in the person's colour, and a curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QRadialGradient

from rtrecon.display import theme
from rtrecon.display.screens.letters import write

SPAN_S = 90.0  # of the curve
GAP_S = 6.0  # between its newest and its oldest end
MOST_DOTS = 8
RING, GLOW = 0.40, 0.50  # radii, as shares of the ring's place


@dataclass(frozen=True)
class Figure:
    """What is known of one person.

    Attributes
    ----------
    level : float or None
        What is told now, 0 to 1.
    joy : float
        1 when a trigger has just fired, 0 some seconds later.
    fires : int
        How often it has fired.
    """

    name: str
    colour: str
    level: float | None
    joy: float = 0.0
    fires: int = 0


def draw_ring(painter: QPainter, place: QRectF, figure: Figure) -> None:
    """The level as an arc from twelve o'clock, and as the strength of the glow inside."""
    side = min(place.width(), place.height())
    middle, radius = place.center(), RING * side
    colour = QColor(figure.colour)
    _glow(painter, middle, radius, colour, figure.level or 0.0)
    if figure.joy:
        _halo(painter, middle, side, colour, figure.joy)
    ring = QRectF(middle.x() - radius, middle.y() - radius, 2 * radius, 2 * radius)
    pen = QPen(_faint(colour, 0.22), 0.035 * side, c=Qt.PenCapStyle.RoundCap)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(pen)
    painter.drawEllipse(ring)
    if figure.level is not None:
        pen.setColor(colour)
        painter.setPen(pen)
        painter.drawArc(ring, 90 * 16, round(-figure.level * 360 * 16))


def _glow(painter: QPainter, middle: QPointF, radius: float, colour: QColor, level: float) -> None:
    gradient = QRadialGradient(middle, radius)
    for at, share in ((0.0, 1.0), (0.45, 0.72), (0.8, 0.22), (1.0, 0.0)):
        gradient.setColorAt(at, _faint(colour, share * (0.10 + 0.82 * level)))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(gradient)
    painter.drawEllipse(middle, radius, radius)


def _halo(painter: QPainter, middle: QPointF, side: float, colour: QColor, joy: float) -> None:
    gradient = QRadialGradient(middle, GLOW * side)
    for at, share in ((0.74, 0.0), (0.82, 0.8), (0.9, 0.35), (1.0, 0.0)):
        gradient.setColorAt(at, _faint(colour, share * joy))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(gradient)
    painter.drawEllipse(middle, GLOW * side, GLOW * side)


def draw_name(painter: QPainter, place: QRectF, figure: Figure) -> None:
    """Name, and a dot for each time the trigger has fired."""
    half = place.height() / 2
    words = QRectF(place.left(), place.top(), place.width(), 1.1 * half)
    write(painter, words, figure.name, 0.8 * half, theme.TEXT)
    dots = QRectF(place.left(), words.bottom(), place.width(), 0.9 * half)
    if figure.fires > MOST_DOTS:
        write(painter, dots, f"fired {figure.fires} times", 0.5 * half, theme.DIM)
        return
    step, radius = 0.62 * half, 0.16 * half
    left = dots.center().x() - step * (figure.fires - 1) / 2
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(figure.colour))
    for n in range(figure.fires):
        painter.drawEllipse(QPointF(left + n * step, dots.center().y()), radius, radius)


def draw_curve(
    painter: QPainter,
    place: QRectF,
    colour: str,
    points: Sequence[tuple[float, float | None]],
    now: float,
) -> None:
    """What was told in the last 90 s, 0 to 1, written from left to right and over again.

    It does not scroll: what is written stays where it is, since all that moves fades here. It
    breaks where nothing was told.
    """
    painter.setPen(QPen(QColor(theme.EDGE), 1))
    for height in (0.0, 1.0):
        y = _y(place, height)
        painter.drawLine(QPointF(place.left(), y), QPointF(place.right(), y))
    path, last = QPainterPath(), inf
    for time, level in points:
        share = time % SPAN_S / SPAN_S
        if level is None or now - time > SPAN_S - GAP_S:
            last = inf
            continue
        point = QPointF(place.left() + share * place.width(), _y(place, level))
        (path.lineTo if share > last else path.moveTo)(point)
        last = share
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(QColor(colour), max(1.5, 0.025 * place.height()), c=Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.drawPath(path)


def _y(place: QRectF, level: float) -> float:
    return place.bottom() - (0.06 + 0.88 * level) * place.height()


def _faint(colour: QColor, share: float) -> QColor:
    faint = QColor(colour)
    faint.setAlphaF(max(0.0, min(1.0, share)))
    return faint
