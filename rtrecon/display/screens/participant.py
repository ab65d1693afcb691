"""What the person in the scanner sees: what the protocol allows, and nothing else."""

from collections.abc import Hashable
from dataclasses import dataclass
from math import isfinite

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QKeySequence, QPainter, QPen

from rtrecon.display.flashes import FASTEST_S
from rtrecon.display.picture import fitted, to_qimage
from rtrecon.display.presented import WITHDRAW_KEY
from rtrecon.display.screens.layers import Layer
from rtrecon.display.screens.letters import plain, write
from rtrecon.display.screens.patch import Corner
from rtrecon.errors import BadConfig
from rtrecon.types import Presentation, Score

INK = "#d8d8d8"


@dataclass(frozen=True)
class Participant:
    """The table `[participant]`. Sizes are shares of the screen's height.

    Attributes
    ----------
    screen : str
        A monitor's name or number, from 1; empty: the first that is not the operator's.
    mirrored : bool
        Whether left and right are exchanged, for a mirror that does not do so itself.
    background : str
        "#rrggbb".
    picture : float
        Side of the reconstruction.
    letters : float
        Height of the instruction's letters.
    numbers : bool
        Whether the score stands beside its gauge in percent.
    person : str
        Whose score; empty: the first person's.
    photodiode : Corner
    fade_s : float
        How long black to white takes; never less than 1.9 s.
    hold_s : float
        How long the last picture stays after a fault, before the fixation cross.
    stale_s : float
        A run from which nothing new has come for so long is taken for faulty; 0: never.
    stop : str
        The key, as Qt names it, by which the participant stops ("F8", "1"): screens are blank from
        then on, and nothing is recorded.
    """

    screen: str = ""
    mirrored: bool = False
    background: str = "#202020"
    picture: float = 0.68
    letters: float = 0.055
    numbers: bool = False
    person: str = ""
    photodiode: Corner = Corner.NONE
    fade_s: float = 2.0
    hold_s: float = 3.0
    stale_s: float = 60.0
    stop: str = WITHDRAW_KEY

    def __post_init__(self) -> None:
        if not QColor(self.background).isValid():
            raise BadConfig(f"background = {self.background!r}: must be a colour such as '#202020'")
        key = QKeySequence(self.stop)
        if key.count() != 1 or not key.toString():
            raise BadConfig(f"stop = {self.stop!r}: must be a key such as 'F8' or '1'")
        between("picture", self.picture, 0.1, 1.0)
        between("letters", self.letters, 0.02, 0.2)
        between("fade_s", self.fade_s, FASTEST_S, 60.0)
        between("hold_s", self.hold_s, 0.0, 600.0)
        between("stale_s", self.stale_s, 0.0, 36000.0)


def between(key: str, value: float, least: float, most: float) -> None:
    """Refuse what is outside a range."""
    if not least <= value <= most:
        raise BadConfig(f"{key} = {value:g}: must be {least:g} to {most:g}")


class ParticipantScene:
    """Reconstruction, score, instruction and fixation cross, as far as they are allowed."""

    def __init__(self, settings: Participant) -> None:
        self._settings = settings
        self.background = QColor(settings.background)

    def rest(self, size: QSizeF) -> list[Layer]:
        """The fixation cross."""
        return [self._fixation(size)]

    def layers(self, presentation: Presentation, size: QSizeF, now: float) -> list[Layer]:
        """What is allowed and there; where that is nothing, the fixation cross."""
        shows = presentation.shows
        layers = []
        if "reconstruction" in shows and presentation.frame is not None:
            layers.append(self._reconstruction(presentation, size))
        if "score" in shows:
            layers.append(self._score(presentation, size, bool(layers)))
        if "instruction" in shows and (words := plain(presentation.instruction)):
            layers.append(self._instruction(words, size))
        if "fixation" in shows or not layers:
            layers.append(self._fixation(size))
        return layers

    def _reconstruction(self, presentation: Presentation, size: QSizeF) -> Layer:
        frame = presentation.frame
        assert frame is not None

        def draw(painter: QPainter, place: QRectF) -> None:
            image = to_qimage(frame.image)
            painter.drawImage(fitted(image, place), image)

        return Layer("reconstruction", self._middle(size), frame.serial, draw)

    def _middle(self, size: QSizeF) -> QRectF:
        side = min(self._settings.picture * size.height(), size.width())
        place = QRectF(0, 0, side, side)
        place.moveCenter(QPointF(size.width() / 2, size.height() / 2))
        return place

    def _score(self, presentation: Presentation, size: QSizeF, beside: bool) -> Layer:
        score = self._whose(presentation)
        level = told(score)
        content: Hashable = None if level is None else round(level, 3)
        if not beside:
            side = 0.42 * size.height()
            ring = QRectF((size.width() - side) / 2, (size.height() - side) / 2, side, side)
            return Layer("score", ring, content, lambda p, r: self._draw_ring(p, r, level))
        picture = self._middle(size)
        width, gap = 0.03 * size.height(), 0.045 * size.height()
        room = 0.09 * size.height()  # for the number
        bar = QRectF(picture.right() + gap, picture.top(), width, picture.height())
        place = bar.adjusted(-room / 2, 0, room / 2, 0)
        return Layer("score", place, content, lambda p, r: self._draw_bar(p, bar, level))

    def _whose(self, presentation: Presentation) -> Score | None:
        wanted = self._settings.person or presentation.people[0].name
        return presentation.scores.get(wanted)

    def _draw_bar(self, painter: QPainter, bar: QRectF, level: float | None) -> None:
        foot = QRectF(bar)
        if self._settings.numbers:
            bar = bar.adjusted(0, 0, 0, -2 * bar.width())
        round_ = bar.width() / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_over(self.background, 0.14))
        painter.drawRoundedRect(bar, round_, round_)
        if level is None:
            return
        full = QRectF(bar)
        full.setTop(bar.bottom() - bar.width() - level * (bar.height() - bar.width()))
        painter.setBrush(QColor(INK))
        painter.drawRoundedRect(full, round_, round_)
        if self._settings.numbers:
            words = QRectF(foot.center().x() - 50, bar.bottom(), 100, 2 * bar.width())
            write(painter, words, f"{100 * level:.0f}", 1.2 * bar.width(), INK)

    def _draw_ring(self, painter: QPainter, place: QRectF, level: float | None) -> None:
        width = 0.05 * place.height()
        ring = place.adjusted(width, width, -width, -width)
        pen = QPen(_over(self.background, 0.14), width, c=Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(ring)
        if level is None:
            return
        pen.setColor(QColor(INK))
        painter.setPen(pen)
        painter.drawArc(ring, 90 * 16, round(-level * 360 * 16))
        if self._settings.numbers:
            words = QRectF(ring.left(), ring.center().y() + 0.12 * ring.height(), ring.width(), 0)
            words.setHeight(0.2 * ring.height())
            write(painter, words, f"{100 * level:.0f}", 0.14 * ring.height(), INK)

    def _instruction(self, words: str, size: QSizeF) -> Layer:
        """Below the picture's place, wherever a picture is or not: it must not jump."""
        top = self._middle(size).bottom()
        margin = 0.06 * size.width()
        place = QRectF(margin, top, size.width() - 2 * margin, size.height() - top)
        letter = self._settings.letters * size.height()
        return Layer("instruction", place, words, lambda p, r: write(p, r, words, letter, INK))

    def _fixation(self, size: QSizeF) -> Layer:
        """A cross with a dark edge, so that it is seen on any picture."""
        side = 0.04 * size.height()
        place = QRectF((size.width() - side) / 2, (size.height() - side) / 2, side, side)

        def draw(painter: QPainter, place: QRectF) -> None:
            for colour, width in (("#000000", 0.3 * side), (INK, 0.14 * side)):
                painter.setPen(QPen(QColor(colour), width, c=Qt.PenCapStyle.FlatCap))
                a, b, middle = 0.1 * side, 0.9 * side, place.topLeft()
                painter.drawLine(middle + QPointF(a, side / 2), middle + QPointF(b, side / 2))
                painter.drawLine(middle + QPointF(side / 2, a), middle + QPointF(side / 2, b))

        return Layer("fixation", place, "cross", draw)


def told(score: Score | None) -> float | None:
    """What a score tells, 0 to 1; None: nothing."""
    if score is None or not isfinite(score.told):
        return None
    return min(1.0, max(0.0, score.told))


def _over(background: QColor, share: float) -> QColor:
    """The background, nearer to white, or to black where it is light."""
    end = 255 if background.lightnessF() < 0.5 else 0
    red, green, blue = background.red(), background.green(), background.blue()
    return QColor(*(round(c + share * (end - c)) for c in (red, green, blue)))
