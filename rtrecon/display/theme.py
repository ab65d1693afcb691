"""The look: a dark room, few colours, and letters that grow with the window.

The colours that mean something are Okabe and Ito's, which colour-blind people tell apart
(https://jfly.uni-koeln.de/color/); every one of them comes with a word or a shape as well.
"""
# ruff: noqa: N802  (Qt names what it calls)

from html import escape

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QWidget

BACKGROUND = "#0f1317"
PANEL = "#171d23"
EDGE = "#2b343d"
TEXT = "#e9eef3"
DIM = "#9aa7b4"
ORANGE = "#e69f00"
SKY = "#56b4e9"
GREEN = "#009e73"
YELLOW = "#f0e442"
VERMILLION = "#ff6a13"  # theirs is #d55e00, too dark for letters on a dark ground
GREY = "#6b7885"


def letter_px(width_px: int, height_px: int) -> int:
    """Size of plain text for a window; on a full screen it can be read from two metres."""
    return max(13, min(30, round(min(height_px / 57, width_px / 98))))


class Words(QLabel):
    """Plain text on one line; nothing in it is ever taken for mark-up."""

    def __init__(self, text: str = "", role: str = "text", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.say(text)

    def say(self, text: str) -> None:
        """Show `text`; costs nothing when it is there already."""
        line = " ".join(text.split())
        if line != self.text():
            self.setText(line)


class Text(Words):
    """Words from streams and files: where they do not fit they get an ellipsis.

    A long name never pushes the window wider. A headline shrinks first, and is cut in the middle,
    because numbers stand at its end; with `setWordWrap`, what does not fit is left out.
    """

    def minimumSizeHint(self) -> QSize:
        """As narrow as the layout wants."""
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what fits."""
        painter = QPainter(self)
        room = self.contentsRect()
        painter.setPen(self.palette().windowText().color())
        if self.wordWrap():
            painter.drawText(room, self.alignment() | Qt.TextFlag.TextWordWrap, self.text())
            return
        cut = Qt.TextElideMode.ElideRight
        if self.property("role") == "headline":
            cut = Qt.TextElideMode.ElideMiddle
            painter.setFont(self._shrunk(room.width()))
        line = painter.fontMetrics().elidedText(self.text(), cut, room.width())
        painter.drawText(room, self.alignment(), line)

    def _shrunk(self, width: int) -> QFont:
        font = QFont(self.font())
        needed = max(1, self.fontMetrics().horizontalAdvance(self.text()))
        font.setPixelSize(int(font.pixelSize() * max(0.6, min(1.0, width / needed))))
        return font


def explain(widget: QWidget, text: str) -> None:
    """Let a widget say this where the mouse rests: as it stands, and wrapped.

    Qt would guess whether it is mark-up.
    """
    widget.setToolTip(f"<p>{escape(text)}</p>" if text else "")


def mark(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the style sheet looks at."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
        widget.update()


def style_sheet(letter: int) -> str:
    """The whole window's style, for letters of so many pixels."""
    return f"""
    QWidget {{ background: {BACKGROUND}; color: {TEXT}; font-size: {letter}px; }}
    QFrame[role="panel"] {{ background: {PANEL}; border: 1px solid {EDGE}; border-radius: 8px; }}
    QFrame[role="panel"] QWidget {{ background: {PANEL}; }}
    QLabel {{ border: none; }}
    QLabel[role="name"] {{ font-size: {round(letter * 1.35)}px; font-weight: bold; }}
    QLabel[role="title"], QLabel[role="dim"] {{ color: {DIM}; }}
    QLabel[role="small"] {{ color: {DIM}; font-size: {round(letter * 0.88)}px; }}
    QLabel[role="unit"] {{ color: {DIM}; font-size: {round(letter * 0.88)}px;
        padding-left: 5px; }}
    QLabel[role="headline"] {{ font-size: {round(letter * 1.75)}px; font-weight: bold; }}
    QLabel[doubt="true"] {{ color: {ORANGE}; }}
    QLabel[role="caption"] {{ font-size: {round(letter * 1.2)}px; color: {DIM}; }}
    QLabel[role="caption"][late="true"] {{ color: {ORANGE}; }}
    QFrame[role="trouble"], QLabel[role="trouble"] {{ background: {ORANGE}; color: {BACKGROUND};
        border-radius: 6px; font-size: {round(letter * 1.25)}px; font-weight: bold; }}
    QFrame[role="trouble"][loses="true"], QLabel[role="trouble"][loses="true"] {{
        background: {VERMILLION}; }}
    QLabel[role="count"] {{ font-size: {round(letter * 1.35)}px; font-weight: bold;
        padding: 0 5px; border-radius: 4px; }}
    QLabel[role="count"][alarm="true"] {{ background: {VERMILLION}; color: {BACKGROUND}; }}
    QLabel[role="pill"] {{ background: {GREY}; color: {BACKGROUND}; font-weight: bold;
        font-size: {round(letter * 1.2)}px; padding: 0 {letter}px;
        min-height: {letter * 2}px; max-height: {letter * 2}px; border-radius: {letter}px; }}
    QLabel[phase="WAITING"] {{ background: {SKY}; }}
    QLabel[phase="RUNNING"] {{ background: {GREEN}; }}
    QLabel[phase="SILENT"], QLabel[phase="UNHEARD"], QLabel[phase="PAUSED"] {{
        background: {ORANGE}; }}
    QLabel[role="key"] {{ font-weight: bold; color: {SKY}; }}
    QLabel[role="heading"] {{ font-weight: bold; }}
    QMainWindow::separator {{ background: {BACKGROUND}; width: 8px; height: 8px; }}
    QMainWindow::separator:hover {{ background: {GREY}; }}
    QWidget[role="bar"] QLabel {{ color: {DIM}; }}
    QPushButton[role="hide"] {{ background: transparent; border: none; color: {GREY};
        padding: 0 6px; }}
    QPushButton[role="hide"]:hover {{ color: {TEXT}; }}
    QTabBar {{ background: {BACKGROUND}; border: none; qproperty-drawBase: 0; }}
    QTabBar::tab {{ background: {BACKGROUND}; color: {DIM}; padding: 2px {letter}px;
        border: 1px solid transparent; border-bottom: 2px solid transparent; }}
    QTabBar::tab:selected {{ color: {TEXT}; border-bottom: 2px solid {SKY}; }}
    QTabBar::tab:hover {{ color: {TEXT}; }}
    QMenu {{ background: {PANEL}; border: 1px solid {EDGE}; padding: 4px; }}
    QMenu::item {{ padding: 4px {letter * 2}px; }}
    QMenu::item:selected {{ background: {EDGE}; }}
    QMenu::item:disabled {{ color: {GREY}; }}
    QMenu::separator {{ background: {EDGE}; height: 1px; margin: 4px 8px; }}
    QScrollBar:vertical {{ background: {PANEL}; width: 10px; }}
    QScrollBar::handle:vertical {{ background: {EDGE}; min-height: 20px; border-radius: 4px; }}
    QScrollBar::add-line:vertical, QScrollBar::sub-line:vertical {{ height: 0; }}
    QLabel[phase="FAILED"] {{ background: {VERMILLION}; }}
    QPushButton {{ background: {EDGE}; color: {TEXT}; border: 1px solid #3d4954;
        border-radius: 6px; padding: 5px 16px; font-weight: bold; }}
    QPushButton:hover {{ background: #3a4651; }}
    QPushButton:pressed {{ background: #465460; }}
    QPushButton:disabled {{ color: {GREY}; background: {PANEL}; border-color: {EDGE}; }}
    QPushButton[role="step"] {{ padding: 2px 0; min-width: {round(letter * 1.7)}px; }}
    QLabel[role="step"] {{ font-weight: bold; min-width: {round(letter * 1.9)}px; }}
    QSlider {{ background: transparent; min-width: {letter * 6}px; }}
    QSlider::groove:horizontal {{ background: {EDGE}; height: 4px; border-radius: 2px; }}
    QSlider::sub-page:horizontal {{ background: {SKY}; height: 4px; border-radius: 2px; }}
    QSlider::handle:horizontal {{ background: {TEXT}; width: {letter}px;
        margin: -{letter // 2 - 2}px 0; border-radius: {letter // 2}px; }}
    QCheckBox {{ spacing: 8px; }}
    QCheckBox::indicator {{ width: {letter - 4}px; height: {letter - 4}px;
        border: 2px solid {DIM}; border-radius: 4px; }}
    QCheckBox::indicator:checked {{ background: {SKY}; border-color: {SKY}; }}
    QPlainTextEdit[role="log"] {{ border: none; font-family: sans-serif;
        font-size: {round(letter * 0.88)}px; }}
    QPlainTextEdit {{ background: {PANEL}; border: 1px solid {EDGE}; font-family: monospace; }}
    QToolTip {{ background: {EDGE}; color: {TEXT}; border: 1px solid {GREY}; padding: 4px; }}
    """
