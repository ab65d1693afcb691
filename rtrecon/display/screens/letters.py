"""Words on a screen: plain text, never mark-up, made to fit."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

MOST_LETTERS = 300
SMALLEST_PX = 8
CENTRE = Qt.AlignmentFlag.AlignCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def plain(words: str) -> str:
    """Untrusted text on few lines, without what cannot be seen."""
    seen = "".join(letter if letter.isprintable() else " " for letter in words[:MOST_LETTERS])
    return " ".join(seen.split())


def write(
    painter: QPainter,
    place: QRectF,
    words: str,
    letter_px: float,
    colour: str,
    align: Qt.AlignmentFlag = CENTRE,
    bold: bool = False,
) -> None:
    """Write words into a place; where they do not fit they get smaller."""
    flags = int(align | Qt.TextFlag.TextWordWrap)
    font = QFont(painter.font())
    font.setBold(bold)
    font.setPixelSize(max(SMALLEST_PX, round(letter_px)))
    while font.pixelSize() > SMALLEST_PX:
        needed = QFontMetricsF(font).boundingRect(place, flags, words)
        if needed.width() <= place.width() and needed.height() <= place.height():
            break
        font.setPixelSize(font.pixelSize() - max(1, font.pixelSize() // 12))
    painter.setFont(font)
    painter.setPen(QColor(colour))
    painter.drawText(place, flags, words)
