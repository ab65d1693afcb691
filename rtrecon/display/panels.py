"""Panels around the pictures: moved, hidden, floated and put back; where they lie is remembered."""
# ruff: noqa: N802  (Qt names what it calls)

import json
from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QByteArray, QSettings, QSize, Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QPushButton,
    QTabBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from rtrecon.display.theme import Words

VERSION = 1
"""Of the remembered layout: raised when panels change so much that an old one makes no sense."""
LAYOUT, SHARES = "operator/layout", "operator/shares"


def remembered() -> QSettings:
    """Where layouts are kept from one start to the next, on this computer for this user."""
    ini, user = QSettings.Format.IniFormat, QSettings.Scope.UserScope
    return QSettings(ini, user, "rtrecon", "rtrecon")


class Panel(QDockWidget):
    """One panel. Its bar with the name goes where a tab says the name already."""

    def __init__(self, name: str, title: str, contents: Sequence[QWidget], host: QWidget) -> None:
        super().__init__(title, host)
        self.setObjectName(name)
        frame = QFrame()
        frame.setProperty("role", "panel")
        rows = QVBoxLayout(frame)
        rows.setContentsMargins(10, 6, 10, 6)
        rows.setSpacing(4)
        for widget in contents:
            rows.addWidget(widget, stretch=int(not isinstance(widget, Words)))
        self.setWidget(frame)
        self.bar = _Bar(title, self.hide)
        self.setTitleBarWidget(self.bar)


class _Bar(QWidget):
    """The name, to be dragged by; a double click floats the panel."""

    def __init__(self, title: str, hide: Callable[[], object]) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.tabs_px = 0  # of the tabs that say the name in its place
        self._hide = QPushButton("\N{MULTIPLICATION SIGN}")
        self._hide.setProperty("role", "hide")
        self._hide.setToolTip("Hide this panel (View shows it again)")
        self._hide.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._hide.clicked.connect(hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 0, 2)
        row.addWidget(Words(title, "title"), stretch=1)
        row.addWidget(self._hide)

    def fold(self, tabs_px: int) -> None:
        """Take no room under tabs of such a height; 0: there are none, take what the name needs."""
        if tabs_px != self.tabs_px:
            self.tabs_px = tabs_px
            for widget in self.findChildren(QWidget):
                widget.setVisible(not tabs_px)
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Nothing, folded."""
        return QSize(0, 0) if self.tabs_px else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Nothing, folded."""
        return QSize(0, 0) if self.tabs_px else super().minimumSizeHint()


Shares = Mapping[str, tuple[float, float]]


class Panels(QMainWindow):
    """The pictures in the middle, panels to their right and below.

    However large the window is, a panel keeps its share of it.

    Parameters
    ----------
    centre : QWidget
        Always there.
    memory : QSettings or None
        Where the layout is kept; None: it is not.
    """

    def __init__(self, centre: QWidget, memory: QSettings | None = None) -> None:
        super().__init__()
        self.setWindowFlags(Qt.WindowType.Widget)  # a part of a window, and none itself
        self.setCentralWidget(centre)
        # Not animated: on the way panels would have sizes that nobody gave them.
        self.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks
        )
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        for corner in (Qt.Corner.TopRightCorner, Qt.Corner.BottomRightCorner):
            self.setCorner(corner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.panels: dict[str, Panel] = {}
        self.menu = QMenu("View", self)
        self._memory = memory
        self._arrange: Callable[[], Shares] = dict
        self._shares: dict[str, tuple[float, float]] = {}  # of the width and height of all
        self._afloat: list[Panel] = []  # hidden with the window
        self._sized = QSize()  # what they were last shared out for
        self._sharing, self._folding = (_later(self, do) for do in (self._share, self._fold))

    def add(self, name: str, title: str, *contents: QWidget, keys: str = "") -> Panel:
        """Add a panel, widgets from the top; `name` is what layouts remember it by."""
        panel = Panel(name, title, contents, self)
        self.panels[name] = panel
        action = panel.toggleViewAction()
        action.setText(f"{title}\t{keys}" if keys else title)
        self.menu.addAction(action)
        for signal in (panel.dockLocationChanged, panel.topLevelChanged, panel.visibilityChanged):
            signal.connect(self._fold_soon)
        return panel

    def offer(self, name: str, there: bool) -> None:
        """Show a panel and its place in the menu only where there is something to show in it."""
        panel = self.panels[name]
        panel.toggleViewAction().setVisible(there)
        panel.setVisible(there)
        if there:
            panel.raise_()

    def toggle(self, name: str) -> None:
        """Bring a panel to the front, or hide it where it is in front already."""
        panel = self.panels[name]
        if in_front(panel):
            panel.hide()
        elif panel.toggleViewAction().isVisible():
            panel.show()
            panel.raise_()

    def arrange(self, default: Callable[[], Shares]) -> None:
        """Put all panels where they are remembered; else by `default`, which places them and
        returns each one's share of width and height.
        """
        self._arrange = default
        self._shares = dict(default())
        kept = None if self._memory is None else self._memory.value(LAYOUT)
        if isinstance(kept, QByteArray) and self.restoreState(kept, VERSION):
            self._shares |= _read_shares(self._memory.value(SHARES) if self._memory else None)
        self._share_soon()

    def reset(self) -> None:
        """Put all panels where they are by default, and forget what was remembered."""
        if self._memory is not None:
            self._memory.remove(LAYOUT)
            self._memory.remove(SHARES)
        for panel in self.panels.values():
            panel.setFloating(False)
            panel.setVisible(panel.toggleViewAction().isVisible())
        self._shares = dict(self._arrange())
        self._share_soon()

    def remember(self) -> None:
        """Keep where panels lie."""
        if self._memory is not None:
            self._memory.setValue(LAYOUT, self.saveState(VERSION))
            self._memory.setValue(SHARES, json.dumps(self._shares))
            self._memory.sync()

    def tick(self) -> None:
        """Take note of what panels were made larger or smaller by hand."""
        if self.size() != self._sized:
            return
        for name, panel in self.panels.items():
            if in_front(panel) and not panel.isFloating():
                height = panel.height() + panel.bar.tabs_px
                self._shares[name] = (panel.width() / self.width(), height / self.height())

    def hideEvent(self, event: QHideEvent) -> None:
        """Remember where panels lie; those that float go with the window."""
        if not event.spontaneous():  # a window that is made small is still there
            self.remember()
            self._afloat = [p for p in self.panels.values() if p.isFloating() and p.isVisible()]
            for panel in self._afloat:
                panel.hide()

    def showEvent(self, event: QShowEvent) -> None:
        """Bring back those that float."""
        for panel in self._afloat:
            panel.show()
        self._afloat = []

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the room out anew, once it is known how much there is."""
        super().resizeEvent(event)
        self._share_soon()

    def _share_soon(self) -> None:
        self._sized = QSize()  # until then what sizes there are are nobody's wish
        self._sharing.start()
        self._folding.start()

    def _share(self) -> None:
        if (layout := self.layout()) is not None:
            layout.activate()
        shown = {
            panel: self._shares[name]
            for name, panel in self.panels.items()
            if name in self._shares and in_front(panel) and not panel.isFloating()
        }
        sizes = [(self.width() * w, self.height() * h) for w, h in shown.values()]
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        self.resizeDocks(list(shown), [round(w) for w, _ in sizes], across)
        self.resizeDocks(list(shown), [round(h) for _, h in sizes], down)
        self._sized = self.size()

    def _fold_soon(self) -> None:
        if self.isVisible():  # closing hides all panels, and ends in no layout
            self._folding.start()

    def _fold(self) -> None:
        bars = self.findChildren(QTabBar)
        tabs_px = max((bar.height() for bar in bars if in_front(bar)), default=1)
        for panel in self.panels.values():
            beside = [other for other in self.tabifiedDockWidgets(panel) if not other.isHidden()]
            panel.bar.fold(tabs_px if beside else 0)


def in_front(panel: QWidget) -> bool:
    """Whether it can be seen, and is not behind a tab."""
    return panel.isVisible() and not panel.visibleRegion().isEmpty()


def _later(owner: QWidget, do: Callable[[], None]) -> QTimer:
    """Done once, when Qt has laid out what changed, however often it is started until then."""
    timer = QTimer(owner)
    timer.setSingleShot(True)
    timer.timeout.connect(do)
    return timer


def _read_shares(kept: object) -> dict[str, tuple[float, float]]:
    """As `remember` wrote them; whatever else is there is left out."""
    try:
        told = json.loads(str(kept))
        return {
            str(name): (float(width), float(height))
            for name, (width, height) in told.items()
            if 0 < width <= 1 and 0 < height <= 1
        }
    except (ValueError, TypeError, AttributeError):
        return {}
