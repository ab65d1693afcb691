"""Files that may still be growing become pieces: tried again until they are whole or given up."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from rtrecon.bridge.piece import Foreign, Piece, Unfinished
from rtrecon.errors import BadInput

log = logging.getLogger(__name__)

FIRST_RETRY_S, LAST_RETRY_S = 0.02, 1.0
GIVE_UP_S = 10.0  # a file that ends too early and has not changed for so long is cut off
_SHOWN = 3  # files of no use that are named; the others are only counted


@dataclass
class _Waiting:
    """A file that ended too early when it was last read."""

    size: int
    since: float  # it has had this size
    pause_s: float
    due: float


class Intake:
    """Reads each changed file once it is whole. No thread, no clock of its own.

    Parameters
    ----------
    read : callable
        Path to pieces; raises `Foreign` or `Unfinished`.
    """

    def __init__(self, read: Callable[[Path], Sequence[Piece]]) -> None:
        self._read = read
        self._waiting: dict[Path, _Waiting] = {}
        self.counts = Counter[str]()  # foreign, truncated

    def take(self, changed: Sequence[Path], now: float) -> Iterator[Piece]:
        """The pieces of the changed files, and of those that are due for another try."""
        due = [path for path, waiting in self._waiting.items() if waiting.due <= now]
        new = dict.fromkeys(changed)
        for path in [*new, *(path for path in due if path not in new)]:
            yield from self._try(path, now, again=path not in new)

    def _try(self, path: Path, now: float, again: bool) -> Sequence[Piece]:
        try:
            about = path.stat()
        except OSError:  # a name it only had while it was written
            self._waiting.pop(path, None)
            return ()
        if not S_ISREG(about.st_mode):
            return ()
        try:
            pieces = self._read(path) if about.st_size else None
        except (Unfinished, OSError):  # Windows locks files that are being written
            pieces = None
        except BadInput as error:
            self._useless(path, error)
            pieces = ()
        if pieces is None:
            self._not_yet(path, about.st_size, now, again)
            return ()
        self._waiting.pop(path, None)
        return pieces

    def _not_yet(self, path: Path, size: int, now: float, again: bool) -> None:
        known = self._waiting.get(path)
        if known is None or known.size != size or not again:
            self._waiting[path] = _Waiting(size, now, FIRST_RETRY_S, now + FIRST_RETRY_S)
        elif now - known.since >= GIVE_UP_S:
            del self._waiting[path]
            self.counts["truncated"] += 1
            log.warning(
                "'%s' ends too early (%d bytes) and has not grown for %g s: taken as cut off",
                path, size, GIVE_UP_S,
            )  # fmt: skip
        else:
            known.pause_s = min(2 * known.pause_s, LAST_RETRY_S)
            known.due = now + known.pause_s

    def _useless(self, path: Path, error: BadInput) -> None:
        self.counts["foreign"] += 1
        level = logging.INFO if isinstance(error, Foreign) else logging.WARNING
        if self.counts["foreign"] <= _SHOWN:
            log.log(level, "'%s' is left out: %s", path.name, error)
        if self.counts["foreign"] == _SHOWN:
            log.info("further files of no use are counted and not named")
