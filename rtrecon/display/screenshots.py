"""Pictures of the whole window, kept where nobody watches it."""

import logging
from pathlib import Path

from PySide6.QtWidgets import QWidget

FIRST = 6

logger = logging.getLogger(__name__)


class Screenshots:
    """`window-01.png` to `window-06.png` for the first trials, then `window-latest.png`, renewed.

    Parameters
    ----------
    folder : Path
        Made at the first picture.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken = 0

    def take(self, window: QWidget) -> Path:
        """Write the window as it is now."""
        self.taken += 1
        name = f"{self.taken:02d}" if self.taken <= FIRST else "latest"
        path = self.folder / f"window-{name}.png"
        if not (_made(self.folder) and window.grab().save(str(path))):
            logger.warning("cannot write %s: is the disk full or the folder read-only?", path)
        return path


def _made(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return True
