"""Where panels lie unless somebody moves them."""

from PySide6.QtCore import Qt

from rtrecon.display.panels import Panels, Shares

SHARES = {
    "evolution": (0.39, 0.235),
    "latency": (0.30, 0.235),
    "candidates": (0.31, 0.30),
    "confidence": (0.31, 0.37),
    "brain": (0.31, 0.33),
}


def by_default(panels: Panels) -> Shares:
    """Below the pictures how they grew, and how fast; to their right what they rest on."""
    below, right = Qt.DockWidgetArea.BottomDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
    across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
    at = panels.panels
    panels.addDockWidget(below, at["evolution"])
    panels.splitDockWidget(at["evolution"], at["latency"], across)
    panels.addDockWidget(right, at["candidates"])
    panels.splitDockWidget(at["candidates"], at["confidence"], down)
    panels.splitDockWidget(at["confidence"], at["brain"], down)
    for front, behind in (
        ("confidence", ("motion", "timing")),
        ("latency", ("log", "score")),
    ):
        for name in behind:
            panels.tabifyDockWidget(at[front], at[name])
        at[front].raise_()
    return SHARES
