"""The Qt binding itself: a release that miscounts references ends a session after minutes."""

import sys

from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot


def test_calls_cost_no_references(qtbot: QtBot) -> None:
    """PySide6 6.12 on Python 3.11 drops one of None at each call that returns nothing.

    The interpreter dies of it ("deallocating None") a few thousand calls later; 6.11 does not.
    """
    widget = QWidget()
    qtbot.addWidget(widget)
    before = sys.getrefcount(None)
    for _ in range(1000):
        widget.setEnabled(True)
    assert sys.getrefcount(None) > before - 500
