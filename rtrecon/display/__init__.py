"""Windows and screens. Qt stops at this door: nothing else in rtrecon imports it."""

from rtrecon.display.screenshots import Screenshots
from rtrecon.display.shown import show_until_closed
from rtrecon.display.watched import Watched
from rtrecon.display.window import OperatorWindow

__all__ = ["OperatorWindow", "Screenshots", "Watched", "show_until_closed"]
