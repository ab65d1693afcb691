"""What is said during a session, kept in its folder."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rtrecon.printable import PrintableFormatter


@contextmanager
def log_file(folder: Path) -> Iterator[None]:
    """What is said meanwhile goes to log.txt as well."""
    handler = _LogFile(folder / "log.txt", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("rtrecon")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()


class _LogFile(logging.FileHandler):
    """On a full disk what is said stays in memory, for a while, and is written later."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing: that the disk is full is told already."""
