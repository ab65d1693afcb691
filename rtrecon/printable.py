"""Text from streams and files, harmless to terminals, logs and tables."""

import logging
import unicodedata

_CONTROL = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of characters, ends of lines
_TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What makes text read in another order than it is stored."""
_LONGEST = 8192  # characters of one line of a log


def printable(text: str) -> str:
    """The text on one line; what would command a terminal, or reorder a line, is a question mark."""
    line = " ".join(text.split())
    if line.isascii() and line.isprintable():
        return line
    return "".join("?" if c in _TURNING or unicodedata.category(c) in _CONTROL else c for c in line)


def printable_lines(text: str) -> str:
    """As `printable`, but lines stay lines."""
    return "\n".join(
        line[: len(line) - len(line.lstrip(" "))] + printable(line) for line in text.split("\n")
    )


class PrintableFormatter(logging.Formatter):
    """For every handler that writes to a terminal or a file: one message is one harmless line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line of a record, without its traceback."""
        return printable(super().formatMessage(record))[:_LONGEST]

    def formatException(self, ei: object) -> str:  # noqa: N802
        """Its traceback, which ends with words that may come from anywhere."""
        return printable_lines(super().formatException(ei))  # type: ignore[arg-type]
