"""Whatever a stream calls itself, Qt takes none of it for mark-up."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from rtrecon.display.theme import Text, Words, explain

DISPLAY = Path(__file__).parents[2] / "rtrecon" / "display"
# They guess whether text is mark-up, or take it for it.
GUESSING = {
    "QLabel", "QMessageBox", "QErrorMessage", "QInputDialog", "QProgressDialog", "QTextEdit",
    "QTextBrowser", "QTextDocument", "QGraphicsTextItem", "QStaticText", "TextItem", "LabelItem",
    "setHtml", "setMarkdown", "appendHtml", "insertHtml", "setWhatsThis", "setStatusTip", "setTitle",
    "setLabel", "showText",
}  # fmt: skip


def offences(tree: ast.AST) -> Iterator[str]:
    """Labels and tooltips are made in theme.py; a tooltip may say what stands in the sources."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        name = call.func.id if isinstance(call.func, ast.Name) else name
        fixed = all(isinstance(given, ast.Constant) for given in call.args)
        if name in GUESSING or (name == "setToolTip" and not fixed):
            yield f"line {call.lineno}: {name}"


def test_labels_and_tooltips_are_made_in_one_place() -> None:
    for file in sorted(DISPLAY.rglob("*.py")):
        if file.name != "theme.py":
            assert list(offences(ast.parse(file.read_text(encoding="utf-8")))) == [], file


@pytest.mark.parametrize(
    "bad",
    [
        "QLabel()",
        "a.setToolTip(f'{name}')",
        "QMessageBox(x)",
        "pg.TextItem(x)",
        "QToolTip.showText(p, x)",
    ],
)
def test_the_check_sees_them(bad: str) -> None:
    assert list(offences(ast.parse(bad)))


@pytest.mark.parametrize("kind", [Words, Text])
def test_mark_up_is_shown_as_it_stands(qtbot: QtBot, kind: type[Words]) -> None:
    evil = "<h1>now</h1><img src='/etc/passwd'>"
    label = kind(evil)
    qtbot.addWidget(label)
    assert label.textFormat() is Qt.TextFormat.PlainText
    assert label.text() == evil
    explain(label, evil)
    shown = QLabel(label.toolTip())  # as Qt reads a tooltip
    qtbot.addWidget(shown)
    shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    shown.setSelection(0, len(evil))
    assert shown.selectedText() == evil
    explain(label, "")
    assert label.toolTip() == ""
