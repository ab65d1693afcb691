"""The newest decoded -> frames, as dear as memory and time allow."""

import time
from collections.abc import Callable, Collection

from rtrecon import budget
from rtrecon.compare import Compare
from rtrecon.config import Settings
from rtrecon.errors import GeneratorLost
from rtrecon.generators import Generator
from rtrecon.mailbox import Mailbox
from rtrecon.reconstruct import Reconstruct
from rtrecon.standing import FAULTS_IN_A_ROW
from rtrecon.types import Decoded, Frame

LATE_IN_A_ROW = 3  # pictures that took longer than a repetition time: the next are made cheaper


class Draw:
    """Draws what is newest until no more comes. Works in the thread that owns the generator.

    Parameters
    ----------
    generator : Generator
    settings : Settings
    fixed : collection of str
        Settings that the user chose: they are kept as long as there is memory for them.
    interval_s : float
        Between two volumes, on the clock of this session.
    newest : Mailbox[Decoded]
    frames : Mailbox[Frame]
        Where pictures go.
    say : callable
        Told what the operator has to know.
    fault : callable
        Told what could not be done, the error and how many there were in a row.
    swapped : callable
        Told new settings before anything is drawn with them.
    compare : Compare or None
        Draws what stands beside a finished picture.

    Attributes
    ----------
    settings : Settings
        Swapped whole, by any thread; holds from the next image on.
    beats : int
        Counts steps of pictures: while one is drawn it moves.
    late : int
        How many pictures in a row took longer than the interval.
    seconds : float
        What the last picture took.
    """

    def __init__(
        self,
        generator: Generator,
        settings: Settings,
        fixed: Collection[str],
        interval_s: float,
        newest: Mailbox[Decoded],
        frames: Mailbox[Frame],
        say: Callable[[str], None],
        fault: Callable[[str, Exception, int], None],
        swapped: Callable[[Settings], None],
        compare: Compare | None = None,
    ) -> None:
        self._settings, self._swapped = settings, swapped
        self._reconstruct = Reconstruct(generator)
        self._takes, self._fixed = generator.takes, frozenset(fixed)
        self._interval_s = interval_s
        self._newest, self._frames = newest, frames
        self._say, self._fault = say, fault
        self._compare = compare
        self.beats = self.late = 0
        self.seconds = 0.0

    @property
    def settings(self) -> Settings:
        """How pictures are made."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._swapped(settings)
        self._settings = settings

    def until_closed(self) -> None:
        """Draw until the mailbox is closed and empty."""
        faults = 0
        while not (self._newest.closed and self._newest.peek() is None):
            decoded = self._newest.take(timeout_s=None)
            self.beats += 1
            if decoded is None or faults >= FAULTS_IN_A_ROW:
                continue
            try:
                self._one(decoded)
                faults = 0
            except Exception as error:  # the scan goes on without this picture
                faults += 1
                self._fault(f"volume {decoded.volume} could not be drawn", error, faults)
                if isinstance(error, GeneratorLost):  # what is newest by then is drawn next
                    error.again(lambda: self._newest.closed)

    def _one(self, decoded: Decoded) -> None:
        """Draw it; where there is no memory for it, draw it cheaper."""
        while True:
            try:
                return self._frames_of(decoded)
            except Exception as error:
                settings = budget.lighter(self.settings, self._takes)
                if settings is None or not budget.out_of_memory(error):
                    raise
            # Outside of the handler, whose error would keep the memory.
            self._make_lighter(settings, "out of memory")

    def _frames_of(self, decoded: Decoded) -> None:
        started = time.perf_counter()
        for frame in self._reconstruct(decoded, self.settings, self._newer):
            self._frames.put(frame)
            newer = self._newer()
            if newer is not None and newer.trial.number != decoded.trial.number:
                return  # a picture of the last trial is worth nothing in the next
        seconds = time.perf_counter() - started
        self.note_time(seconds)
        if self._compare is not None:
            self._compare(frame, seconds)

    def _newer(self) -> Decoded | None:
        """What waits; asked at each step."""
        self.beats += 1
        return self._newest.peek()

    def note_time(self, seconds: float) -> None:
        """Fall back when pictures suddenly take too long; what the user has fixed stays."""
        self.seconds = seconds
        self.late = self.late + 1 if seconds > self._interval_s else 0
        if not self.late or self.late % LATE_IN_A_ROW:
            return
        settings = budget.lighter(self.settings, self._takes - self._fixed)
        if settings is not None:
            every = f"volumes come every {self._interval_s:.2g} s"
            self._make_lighter(settings, f"pictures take {seconds:.2g} s, {every}")

    def _make_lighter(self, settings: Settings, why: str) -> None:
        before, self.settings = self.settings, settings
        self._say(f"{why}: from now on {budget.told(settings)}, not {budget.told(before)}")
