"""A full screen on which everything fades and nothing but its scene is ever seen."""
# ruff: noqa: N802  (Qt names what it calls)

import logging
from collections.abc import Callable
from math import ceil, floor

from pylsl import local_clock
from PySide6.QtCore import QPoint, QRect, QSize, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QGuiApplication,
    QImage,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
    QScreen,
)
from PySide6.QtWidgets import QWidget

from rtrecon.display.flashes import Fades, Tile
from rtrecon.display.presented import Presented
from rtrecon.display.screens.calm import Calm
from rtrecon.display.screens.layers import Composite, Layer, Scene
from rtrecon.display.screens.paint_log import PaintLog
from rtrecon.display.screens.patch import Patch
from rtrecon.types import Presentation

log = logging.getLogger(__name__)

TICK_MS = 16
MOST_PIXELS = 2_200_000  # more are painted as blocks of 2 x 2 and so on: a full screen stays cheap


class Canvas(QWidget):
    """Shows a scene, sixty times a second, through `Fades`; all in Qt's thread.

    It never has a title, a cursor or a menu, and asks for no focus where an operator's window
    stands beside it. No key does anything here; which were pressed is told by `pressed`.

    Parameters
    ----------
    presented : Presented
    scene : Scene
    calm : Calm
    fade_s : float
        How long black to white takes.
    mirrored : bool
    patch : Patch or None
        The photodiode's.
    logged : bool
        Whether the session is told what was painted.
    clock : callable
        Seconds on the LSL clock.
    """

    closed = Signal()
    pressed = Signal(int)

    def __init__(
        self,
        presented: Presented,
        scene: Scene,
        calm: Calm,
        *,
        fade_s: float = 2.0,
        mirrored: bool = False,
        patch: Patch | None = None,
        logged: bool = False,
        clock: Callable[[], float] = local_clock,
    ) -> None:
        super().__init__()
        self._presented, self._scene, self._calm = presented, scene, calm
        self._fade_s, self._mirrored, self._patch = fade_s, mirrored, patch
        self._clock = clock
        self._log = PaintLog(presented.presented if logged else lambda painted: None)
        self._broken = self._drew = False
        self._monitor: QScreen | None = None
        self._size, self._scale = QSizeF(), 1.0
        self._fades: Fades | None = None
        self.setWindowFlags(Qt.WindowType.Window | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._timer.start(TICK_MS)

    def keep_from_focus(self) -> None:
        """Leave keyboard and focus to the window beside."""
        self.setWindowFlag(Qt.WindowType.WindowDoesNotAcceptFocus)
        self.setWindowFlag(Qt.WindowType.WindowStaysOnTopHint)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def fill(self, monitor: QScreen) -> None:
        """Cover a whole monitor; where that is taken away, close, and cover no other."""
        self._monitor = monitor
        application = QGuiApplication.instance()
        assert isinstance(application, QGuiApplication)
        application.screenRemoved.connect(self._lose)
        self.setGeometry(monitor.geometry())
        self.setScreen(monitor)
        self.setWindowState(Qt.WindowState.WindowFullScreen)
        self.show()  # showFullScreen would take the focus

    def _lose(self, monitor: QScreen) -> None:
        if monitor is self._monitor:
            log.error("a monitor was taken away: its screen is closed")
            self.close()

    def tick(self) -> None:
        """Look at the session once, and have painted what is new or on its way.

        What was drawn now is painted a tick later, so that neither holds up Qt's thread for long.
        """
        now = self._clock()
        try:
            if self._fades is not None:
                self._drew = not self._drew and self._follow(now)
                if self._fades.due(now) and not self._drew:
                    for part in self._fades.moving_parts():
                        self.update(self._logical(part))
        except Exception:
            self._survive("the screen cannot follow the session")

    def _follow(self, now: float) -> bool:
        """Draw what is to be seen; returns whether anything of it changed."""
        presentation = self._calm.look(now)
        if presentation is not None and not presentation.blank:
            try:
                return self._fine(self._scene.layers(presentation, self._size, now), presentation)
            except Exception:
                self._calm.fault(now, "the screen cannot draw what it should show")
        elif presentation is not None:
            return self._fine(self._scene.rest(self._size), presentation)
        return self._calm.over(now) and self._want(self._scene.rest(self._size), None)

    def _fine(self, layers: list[Layer], presentation: Presentation) -> bool:
        drew = self._want(layers, presentation)
        self._calm.fine()
        return drew

    def _want(self, layers: list[Layer], presentation: Presentation | None) -> bool:
        assert self._fades is not None
        parts = self._composite.draw(layers)
        for part in parts:
            self._fades.want(self._composite.pixels, part)
        if parts:
            self._log.want(layers, presentation)
        return bool(parts)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the next picture on the way, and note the time."""
        try:
            if self._fades is not None:
                self._paint(self._fades, event.region())
        except Exception:
            self._survive("the screen cannot be painted")

    def _paint(self, fades: Fades, region: QRegion) -> None:
        """What moves may only do so where it is painted now."""
        now = self._clock()
        moving = (self._logical(part) & self.rect() for part in fades.moving_parts())
        seen = all(QRegion(part).subtracted(region).isEmpty() for part in moving)
        news = seen and fades.due(now)
        if news:
            fades.step(now)
        painter = QPainter(self)
        try:
            painter.drawImage(QPoint(0, 0), self._picture)
            if self._patch is not None:
                if news:
                    self._patch.follow(self._log.frame, now)
                self._patch.draw(painter, self.rect())
        finally:
            painter.end()
        if news:
            white = self._patch.white if self._patch is not None else None
            self._log.painted(self._clock(), fades.settled, white)

    def _survive(self, what: str) -> None:
        """Whatever is wrong is told to the log, once, and never here."""
        if not self._broken:
            self._broken = True
            log.exception(what)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Begin anew on a surface of another size, from what is painted already."""
        try:
            self._resize()
        except Exception:
            self._survive("the screen cannot be resized")

    def _resize(self) -> None:
        ratio = self.devicePixelRatio()
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        grain = max(1, ceil((width * height / MOST_PIXELS) ** 0.5))
        size = QSize(ceil(width / grain), ceil(height / grain))
        same = self._fades is not None and self._scale == ratio / grain
        self._scale, self._size = ratio / grain, QSizeF(self.width(), self.height())
        self._composite = Composite(size, self._scale, self._scene.background, self._mirrored)
        empty = self._composite.pixels
        if same:
            assert self._fades is not None
            self._fades = self._fades.resized(empty)
        else:
            self._fades = Fades(empty, self._fade_s)
        painted = self._fades.picture
        self._picture = QImage(
            painted.data, size.width(), size.height(), 4 * size.width(), QImage.Format.Format_RGB32
        )  # the same memory
        self._picture.setDevicePixelRatio(self._scale)

    def _logical(self, part: Tile) -> QRect:
        """Where rows and columns of the picture are on the widget, and a pixel more."""
        rows, columns = part
        top, bottom = floor(rows.start / self._scale), ceil(rows.stop / self._scale)
        left, right = floor(columns.start / self._scale), ceil(columns.stop / self._scale)
        return QRect(left, top, right - left + 1, bottom - top + 1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do nothing, whatever is pressed, but tell whoever listens."""
        event.accept()
        self.pressed.emit(event.key())

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close at once: the session does not depend on it."""
        self._timer.stop()
        event.accept()
        self.closed.emit()
