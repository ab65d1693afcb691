"""Errors of windows: each is told once, and the session goes on."""

import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

log = logging.getLogger(__name__)


class Faults:
    """Tells errors that Qt would print and forget. Qt's thread alone."""

    def __init__(self) -> None:
        self._known: set[tuple[str, int]] = set()

    def tell(self, error: BaseException) -> None:
        """Tell it with its traceback, unless one of the same place was told."""
        places = traceback.extract_tb(error.__traceback__) or [traceback.FrameSummary("", 0, "")]
        place = places[-1].filename, places[-1].lineno or 0
        if place not in self._known:
            self._known.add(place)
            # As text: a record that held the error would hold its window as well.
            trace = "".join(traceback.format_exception(error))
            what = f"{type(error).__name__}: {error}"
            log.error("the display has an error, the session goes on: %s\n%s", what, trace)

    def guarded(self, call: Callable[[], None]) -> None:
        """Call it; an error in it is told and keeps nothing else from being done."""
        try:
            call()
        except Exception as error:
            self.tell(error)


@contextmanager
def told_once() -> Iterator[None]:
    """In here, what fails in a slot or in painting is told once, and not a hundred times a second."""
    faults, before = Faults(), sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, Exception):
            faults.tell(error)
            for kept in ("last_exc", "last_value", "last_traceback"):  # which hold the window
                setattr(sys, kept, None)
        else:
            before(kind, error, trace)

    sys.excepthook = hook
    try:
        yield
    finally:
        sys.excepthook = before
