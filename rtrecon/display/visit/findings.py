"""The preflight as a list: a mark with a shape and a word, what was found, and the way out."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QGridLayout, QScrollArea, QSizePolicy, QWidget

from rtrecon.check.findings import Finding
from rtrecon.display.theme import Words

MARKS = {
    True: ("ok", "\N{BLACK CIRCLE} OK"),
    None: ("look", "\N{BLACK UP-POINTING TRIANGLE} LOOK"),
    False: ("bad", "\N{BLACK SQUARE} BAD"),
}


class Findings(QScrollArea):
    """Grows as it is looked at; scrolled by the arrow keys."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Preflight")
        self.found: list[Finding] = []
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.found = []
        rows = QWidget()
        self._grid = QGridLayout(rows)
        self._grid.setContentsMargins(12, 10, 12, 10)
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(2, 1)
        self.setWidget(rows)

    def show_all(self, found: Sequence[Finding]) -> None:
        """Add what is new."""
        for finding in found[len(self.found) :]:
            self._add(finding)

    def _add(self, finding: Finding) -> None:
        row = 2 * len(self.found)
        self.found.append(finding)
        self._grid.setRowStretch(row, 0)
        kind, word = MARKS[finding.ok]
        mark = Words(word, "mark")
        mark.setProperty("found", kind)
        mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        top = Qt.AlignmentFlag.AlignTop
        self._grid.addWidget(mark, row, 0, top)
        self._grid.addWidget(Words(finding.name, "found"), row, 1, top)
        self._grid.addWidget(_Wrapped(finding.text, "text"), row, 2)
        if finding.way_out:
            self._grid.addWidget(
                _Wrapped(f"\N{RIGHTWARDS ARROW} {finding.way_out}", "way"), row + 1, 2
            )
        self._grid.setRowStretch(row + 2, 1)


class _Wrapped(Words):
    """As many lines as its words need in the width that there is."""

    def __init__(self, text: str, role: str) -> None:
        super().__init__(text, role)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """One line: the height that is needed follows from the width."""
        return QSize(1, self.fontMetrics().height())
