"""A wall for those who watch: the reconstruction, the people and their scores, and the block."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, isfinite

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter

from rtrecon.display import theme, wording
from rtrecon.display.flashes import FASTEST_S
from rtrecon.display.picture import fitted, to_qimage
from rtrecon.display.screens.figures import SPAN_S, Figure, draw_curve, draw_name, draw_ring
from rtrecon.display.screens.layers import Layer
from rtrecon.display.screens.letters import CENTRE, LEFT, RIGHT, plain, write
from rtrecon.display.screens.participant import between, told
from rtrecon.types import Block, Frame, Person, Phase, Presentation, Trial

JOY_S = 4.0  # how long a firing is celebrated
MOST_PEOPLE = 8
BLOCKS = {
    Block.REST: "Rest",
    Block.REGULATE: "Regulate",
    Block.TRANSFER: "Transfer: without feedback",
    Block.SHAM: "Regulate",  # who watches must not know either
}

Stimulus = Callable[[Trial], NDArray[np.uint8] | None]


@dataclass(frozen=True)
class Spectators:
    """The table `[spectators]`.

    Attributes
    ----------
    screen : str
        A monitor's name or number, from 1; empty: the first that is not the operator's.
    title : str
    stimulus : bool
        Whether what was presented is shown beside the reconstruction.
    fade_s, hold_s, stale_s : float
        As in `[participant]`.
    """

    screen: str = ""
    title: str = ""
    stimulus: bool = False
    fade_s: float = 2.0
    hold_s: float = 3.0
    stale_s: float = 120.0

    def __post_init__(self) -> None:
        between("fade_s", self.fade_s, FASTEST_S, 60.0)
        between("hold_s", self.hold_s, 0.0, 600.0)
        between("stale_s", self.stale_s, 0.0, 36000.0)


class SpectatorScene:
    """Where there are pictures they are large, with people beside; else people have the wall.

    Parameters
    ----------
    settings : Spectators
    stimulus : callable or None
        The picture that was presented in a trial.
    """

    background = QColor(theme.BACKGROUND)

    def __init__(self, settings: Spectators, stimulus: Stimulus | None = None) -> None:
        self._settings = settings
        self._stimulus = stimulus if settings.stimulus else None
        self._stimuli: tuple[Trial | None, NDArray[np.uint8] | None] = (None, None)
        self._curves: dict[str, deque[tuple[float, float | None]]] = defaultdict(
            lambda: deque(maxlen=4000)
        )
        self._numbers: dict[str, int] = {}
        self._fired: dict[str, tuple[int, float]] = {}
        self._block = (float("nan"), 0.0)  # its end, and when it was first seen

    def rest(self, size: QSizeF) -> list[Layer]:
        """One quiet line."""
        letter = 0.035 * size.height()
        words = "nothing is shown at the moment"
        return [_words("", QRectF(0, 0, size.width(), size.height()), words, letter, theme.DIM)]

    def layers(self, presentation: Presentation, size: QSizeF, now: float) -> list[Layer]:
        """All that may be seen."""
        self._follow(presentation, now)
        w, h = size.width(), size.height()
        edge = 0.05 * h
        layers = self._head(presentation, QRectF(edge, 0.025 * h, w - 2 * edge, 0.07 * h))
        body = QRectF(edge, 0.11 * h, w - 2 * edge, 0.74 * h)
        foot = QRectF(edge, 0.875 * h, w - 2 * edge, 0.1 * h)
        people = presentation.people[:MOST_PEOPLE] if "score" in presentation.shows else ()
        pictures = "reconstruction" in presentation.shows
        if pictures:
            share = 1.0 if not people else 0.74 if self._stimulus else 0.66
            place = QRectF(body.left(), body.top(), share * body.width(), body.height())
            layers += self._pictures(presentation.frame, place)
            body.setLeft(place.right() + edge)
        for person, place in zip(people, _places(body, len(people), pictures), strict=True):
            layers += self._person(presentation, person, place, now)
        return layers + self._foot(presentation, foot, now)

    def _follow(self, presentation: Presentation, now: float) -> None:
        """Remember what was told, which a presentation does not."""
        for name, score in presentation.scores.items():
            if self._numbers.get(name) != score.number:
                self._numbers[name] = score.number
                self._curves[name].append((now, told(score)))
            while self._curves[name] and now - self._curves[name][0][0] > SPAN_S:
                self._curves[name].popleft()
        for name, count in presentation.fires.items():
            if self._fired.get(name, (0, 0.0))[0] != count:
                self._fired[name] = (count, now)
        if self._block[0] != presentation.until:
            self._block = (presentation.until, now)

    def _head(self, presentation: Presentation, place: QRectF) -> list[Layer]:
        pictures = "reconstruction" in presentation.shows
        usual = "Live reconstruction" if pictures else "Live feedback"
        title = plain(self._settings.title) or usual
        letter = 0.52 * place.height()
        layers = [_words("", place, title, letter, theme.TEXT, LEFT, bold=True)]
        if presentation.phase is not Phase.RUNNING:
            layers.append(_words("", place, presentation.phase.value, letter, theme.DIM, RIGHT))
        return layers

    def _pictures(self, frame: Frame | None, place: QRectF) -> list[Layer]:
        caption = 0.14 * place.height()
        count = 2 if self._stimulus else 1
        gap = 0.04 * place.height()
        side = min(place.height() - caption, (place.width() - gap * (count - 1)) / count)
        left = place.center().x() - (count * side + (count - 1) * gap) / 2
        squares = [QRectF(left + n * (side + gap), place.top(), side, side) for n in range(count)]
        words = QRectF(place.left(), place.top() + side, place.width(), caption)
        if frame is None:
            waiting = "no picture yet: the brain's response takes a few seconds"
            return [_words("", place, waiting, 0.04 * place.height(), theme.DIM)]
        layers = [_picture("reconstruction", squares[0], frame.serial, frame.image)]
        if count == 2:
            layers += self._presented(frame.decoded.trial, squares[1])
        doubt = wording.picture_is(frame.decoded) == wording.PICTURE_IS_NOT
        line, colour = wording.picture_is(frame.decoded), theme.ORANGE if doubt else theme.DIM
        first = QRectF(words.left(), words.top(), words.width(), 0.52 * caption)
        second = QRectF(words.left(), first.bottom(), words.width(), 0.42 * caption)
        letter = 0.3 * caption
        # Not its age as well: words that change with every picture would always be fading.
        about = wording.which(frame.decoded.trial)
        layers.append(_words("", first, about, letter, theme.TEXT))
        layers.append(_words("", second, line, 0.9 * letter, colour))
        return layers

    def _presented(self, trial: Trial, place: QRectF) -> list[Layer]:
        if self._stimuli[0] != trial:
            assert self._stimulus is not None
            self._stimuli = (trial, self._stimulus(trial))
        image = self._stimuli[1]
        if image is None:
            return [_words("", place, "stimulus not known", 0.05 * place.height(), theme.DIM)]
        return [_picture("stimulus", place, trial.number, image)]

    def _person(
        self, presentation: Presentation, person: Person, place: QRectF, now: float
    ) -> list[Layer]:
        """Ring above, then name and dots, then the curve."""
        figure = self._figure(presentation, person, now)
        words = 0.16 if place.height() > place.width() else 0.24  # small places need large letters
        ring_h = min((0.78 - words) * place.height(), place.width())
        ring = QRectF(place.left(), place.top(), place.width(), ring_h)
        name = QRectF(place.left(), ring.bottom(), place.width(), words * place.height())
        curve = QRectF(place.left(), name.bottom(), place.width(), 0.18 * place.height())
        curve.adjust(0.08 * place.width(), 0, -0.08 * place.width(), 0)
        points = tuple(self._curves[person.name])
        tick = int(2 * now) if points else 0
        colour = figure.colour
        return [
            Layer("score", ring, figure, lambda p, r: draw_ring(p, r, figure)),
            Layer("", name, (figure.name, figure.fires), lambda p, r: draw_name(p, r, figure)),
            Layer("score", curve, tick, lambda p, r: draw_curve(p, r, colour, points, now)),
        ]

    def _figure(self, presentation: Presentation, person: Person, now: float) -> Figure:
        """In steps that can be seen, so that what cannot be seen is not drawn."""
        level = told(presentation.scores.get(person.name))
        count, since = self._fired.get(person.name, (0, now))
        joy = max(0.0, 1 - (now - since) / JOY_S) if count else 0.0
        colour = person.colour if QColor(person.colour).isValid() else theme.SKY
        level = None if level is None else round(level, 2)
        return Figure(plain(person.name), colour, level, round(5 * joy) / 5, count)

    def _foot(self, presentation: Presentation, place: QRectF, now: float) -> list[Layer]:
        """What the block is, what it asks, and how long it lasts."""
        layers = []
        third = place.width() / 4
        letter = 0.36 * place.height()
        if presentation.block is not None:
            left = QRectF(place.left(), place.top(), third, place.height())
            name = BLOCKS[presentation.block]
            layers.append(_words("", left, name, letter, theme.TEXT, LEFT, bold=True))
        if "instruction" in presentation.shows and (asked := plain(presentation.instruction)):
            middle = QRectF(place.left() + third, place.top(), 2 * third, place.height())
            layers.append(_words("instruction", middle, asked, letter, theme.TEXT))
        left_s = presentation.until - now
        if isfinite(left_s) and left_s > 0:
            layers += self._time_left(place, third, left_s)
        return layers

    def _time_left(self, place: QRectF, width: float, left_s: float) -> list[Layer]:
        """A line that gets shorter, above the words: nothing here has to be read in a hurry."""
        end, since = self._block
        share = min(1.0, left_s / max(end - since, 1e-3))
        right = QRectF(place.right() - width, place.top(), width, place.height())
        line = QRectF(place.left(), place.top() - 3, place.width(), 3)
        words = (
            f"{ceil(left_s / 10) * 10} s left" if left_s <= 60 else f"{ceil(left_s / 60)} min left"
        )
        steps = round(200 * share)

        def draw(painter: QPainter, place: QRectF) -> None:
            painter.fillRect(place, QColor(theme.EDGE))
            done = QRectF(place)
            done.setWidth(place.width() * steps / 200)
            painter.fillRect(done, QColor(theme.DIM))

        letter = 0.36 * place.height()
        return [
            _words("", right, words, letter, theme.DIM, RIGHT),
            Layer("", line, steps, draw),
        ]


def _places(body: QRectF, people: int, column: bool) -> list[QRectF]:
    """A place for each: below each other beside a picture, else side by side."""
    n = max(1, people)
    if column:
        rows = n if n <= 3 else -(-n // 2)
        columns = -(-n // rows)
    else:
        columns = n if n <= 4 else -(-n // 2)
        rows = -(-n // columns)
    width, height = body.width() / columns, body.height() / rows
    return [
        QRectF(body.left() + i % columns * width, body.top() + i // columns * height, width, height)
        for i in range(people)
    ]


def _picture(what: str, place: QRectF, key: int, image: NDArray[np.uint8]) -> Layer:
    def draw(painter: QPainter, place: QRectF) -> None:
        picture = to_qimage(image)
        painter.drawImage(fitted(picture, place), picture)

    return Layer(what, place, (what, key), draw)


def _words(
    what: str,
    place: QRectF,
    words: str,
    letter: float,
    colour: str,
    align: Qt.AlignmentFlag = CENTRE,
    bold: bool = False,
) -> Layer:
    return Layer(
        what, place, (words, colour), lambda p, r: write(p, r, words, letter, colour, align, bold)
    )
