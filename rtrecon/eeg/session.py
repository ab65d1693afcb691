"""An EEG session: several people's streams, one schedule, one thread that works them out."""

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pylsl

from rtrecon.eeg.index import Reading
from rtrecon.eeg.record import EegRecorder
from rtrecon.eeg.seat import Quality, Seat
from rtrecon.eeg.timeline import Timeline
from rtrecon.marker_inlets import MarkerInlets
from rtrecon.protocol.blocks import Blocks, Moment
from rtrecon.protocol.settings import ProtocolSettings
from rtrecon.stages import watch_scores_shown, watch_told
from rtrecon.standing import weighty
from rtrecon.types import Block, Event, Firing, Painted, Phase, Presentation, Score, Status
from rtrecon.watchdogs import Standstill, Watchdogs, fault, standstill

log = logging.getLogger(__name__)

POLL_S = 0.005
TAIL_S = 0.3  # after the last block: what is still on its way belongs to it
NO_SIGNAL_S = 0.5  # how often it is scored that there is no signal
FAULTS_IN_A_ROW = 20
WITHDRAWN = "a participant has stopped: screens are blank, nothing is recorded any more"
KEPT = 20_000  # scores that wait for a window


class Told(Protocol):
    """Who is told of scores and firings: `Outputs`. All return at once."""

    def score(self, score: Score) -> None:
        """Tell a score."""
        ...

    def fire(self, firing: Firing) -> None:
        """Tell a firing."""
        ...


class EegSession:
    """A live EEG session, from connected streams to scores. Properties: from any thread.

    `start` begins it, `stop` asks for its end, `ended` says that the thread is done. Whatever
    fails behind it, raw samples go on being recorded.

    Parameters
    ----------
    stream : str
        The session's name, for its own streams.
    seats : sequence of Seat
    markers : MarkerInlets
        Closed with the session, as the seats' inlets are.
    settings : ProtocolSettings
    blocks : Blocks
    recorder : EegRecorder
    outputs : Told
    measure_text : str
        What is measured, for people to read.
    until_idle_s : float or None
        End after so long without a sample from anybody.
    stop : threading.Event

    Attributes
    ----------
    recent : deque of Score
        All scores, for a window to take from the left.
    streams : tuple of str
        The session's name and those of the people's streams.
    at_withdrawal : list of callable
        What ends recording when a participant stops.
    """

    def __init__(
        self, stream: str, seats: Sequence[Seat], markers: MarkerInlets, settings: ProtocolSettings,
        blocks: Blocks, recorder: EegRecorder, outputs: Told, measure_text: str,
        until_idle_s: float | None, stop: threading.Event,
    ) -> None:  # fmt: skip
        self.people = tuple(seat.person for seat in seats)
        self.threshold = settings.threshold
        self.blocks, self.measure_text = blocks, measure_text
        self.recent: deque[Score] = deque(maxlen=KEPT)
        self._seats = list(seats)
        self._shows = frozenset(shown.value for shown in settings.shows)
        self._recorder, self._outputs = recorder, outputs
        self.until_idle_s, self._stop = until_idle_s, stop
        self.streams = (stream, *(seat.inlet.name for seat in seats))
        self.at_withdrawal: list[Callable[[], None]] = [recorder.withdraw]
        self._markers = markers
        self._status = Status(stream=stream)
        self._changing = threading.Lock()
        self._speed = seats[0].inlet.signal.speed
        self._timeline = Timeline(nan, self._speed)
        self._number = self._turns = 0
        self._idle = Standstill()
        self._ingest = threading.Thread(target=self._run, name="rtrecon-eeg", daemon=True)
        self.watchdogs = Watchdogs(0.0, lambda now: self._change(troubles=now), self._say)
        self._watch()
        self._done = threading.Event()

    def start(self) -> None:
        """Start the schedule and the thread that reads the streams."""
        self._timeline = Timeline(pylsl.local_clock(), self._speed)
        self._change(phase=Phase.WAITING)
        self.watchdogs.start()
        self._ingest.start()

    def stop(self) -> None:
        """Ask for the end and return at once."""
        self._stop.set()

    def pause(self, on: bool) -> None:
        """Stand still, or go on: nothing is told in a pause, and the schedule does not move."""
        if on == self._status.paused or self.ended:
            return
        now = pylsl.local_clock()
        self._timeline = self._timeline.pause(now) if on else self._timeline.resume(now)
        log.info("paused: recorded and not told" if on else "goes on")
        self._change(paused=on)

    def withdraw(self) -> None:
        """A participant stops: blank all screens, tell and record nothing more, end the session."""
        if self._status.phase.over:
            return
        self._change(phase=Phase.WITHDRAWN, message=WITHDRAWN)
        for stop_recording in self.at_withdrawal:
            stop_recording()
        log.warning(WITHDRAWN)
        self._stop.set()

    @property
    def outlets(self) -> tuple[str, ...]:
        """Uids of the outlets that markers come from: of those alone somebody may wait to be heard."""
        return self._markers.outlets

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

    @property
    def started(self) -> bool:
        """Whether it was begun."""
        return self._ingest.ident is not None

    @property
    def ended(self) -> bool:
        """Whether the thread is done."""
        return self._done.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; returns whether it came."""
        return self._done.wait(timeout_s)

    @property
    def folder(self) -> Path:
        """Where the session is recorded."""
        return self._recorder.folder

    @property
    def failed(self) -> bool:
        """Whether the session ended in a fault of its own."""
        return self._status.phase is Phase.FAILED

    @property
    def status(self) -> Status:
        """A snapshot of how the session stands."""
        status = replace(self._status, recording=self._recorder.fault)
        if status.phase is Phase.RUNNING and all(seat.inlet.silent for seat in self._seats):
            status = replace(status, phase=Phase.SILENT)
        return status

    @property
    def moment(self) -> Moment:
        """Where the schedule stands."""
        return self.blocks.at(self.elapsed)

    @property
    def elapsed(self) -> float:
        """Seconds of the schedule; nan before the start."""
        return self._timeline.elapsed(pylsl.local_clock())

    @property
    def qualities(self) -> tuple[Quality, ...]:
        """How each person's signal is."""
        return tuple(replace(seat.quality, silent=seat.inlet.silent) for seat in self._seats)

    @property
    def presentation(self) -> Presentation:
        """What may be put before participants or spectators now."""
        status, moment = self._status, self.moment
        blank = status.paused or status.phase.over
        quiet = blank or moment.kind in (Block.REST, Block.TRANSFER)
        scores = {
            seat.person.name: replace(newest, told=nan) if quiet else newest
            for seat in self._seats
            if (newest := seat.newest) is not None and status.phase is not Phase.WITHDRAWN
        }
        return Presentation(
            status.phase, scores=scores, people=self.people, block=moment.kind,
            instruction=moment.instruction, until=self._timeline.lsl(moment.until),
            shows=self._shows, blank=blank,
            fires={seat.person.name: seat.scorer.firings for seat in self._seats},
            threshold=nan if self.threshold is None else self.threshold.level,
        )  # fmt: skip

    def presented(self, painted: Painted) -> None:
        """Take note of what the participant was shown, and when."""
        self._recorder.painted(painted)

    def finish(self) -> None:
        """End the session if it has not, write the summary and close the record."""
        self.stop()
        if self.started:
            self._done.wait()
        else:
            self._close_inlets()
        self._recorder.summary(self._summary())
        self._recorder.close()

    def _watch(self) -> None:
        """What stands still, or fails, is told."""
        watch_told(self.watchdogs, "record", self._recorder)
        self.watchdogs.add("receive", fault(self._unheard), logs=False)
        work = standstill(
            self._ingest.is_alive, lambda: self._turns, self.watchdogs.budget_s(0),
            lambda: "no score is worked out: what comes waits for a minute at the most",
        )  # fmt: skip
        self.watchdogs.add("decode", work)
        watch_scores_shown(
            self.watchdogs, lambda: bool(self.recent), lambda: self._number - len(self.recent)
        )

    def _unheard(self) -> str:
        silent = [seat.person.name for seat in self._seats if seat.inlet.silent]
        if self._status.phase is not Phase.RUNNING or not silent:
            return ""
        return f"no signal from {', '.join(silent)}: it is scored as missing, and waited for"

    def _run(self) -> None:
        """The ingest thread."""
        try:
            while not self._over():
                self._turns += 1
                self._take_markers()
                took = [self._take(seat) for seat in self._seats]
                if not any(took):
                    self._stop.wait(POLL_S)
        except Exception as error:  # not one of a chunk: these are met below
            self._fail(f"the session failed: {type(error).__name__}: {error}")
        finally:
            self.watchdogs.close()
            self._close_inlets()
            if not self._status.phase.over:
                self._change(phase=Phase.ENDED)
            self._done.set()

    def _over(self) -> bool:
        if self._stop.is_set():
            return True
        now, newest = pylsl.local_clock(), max(seat.inlet.last_received for seat in self._seats)
        # While the whole program stood still nobody listened, and what came then waits to be read.
        idle_s = now - self._idle.since(True, newest, now)
        if self.until_idle_s is not None and idle_s > self.until_idle_s:
            log.warning("no samples from anybody for %.0f s: ended as --until-idle says", idle_s)
            return True
        if self.elapsed <= self.blocks.duration_s + TAIL_S * self._speed:
            return False
        log.info("the last block is over")
        return True

    def _take_markers(self) -> None:
        """All are recorded; one alone is heeded: that a participant stops."""
        for marker in self._markers.pull(0):
            self._recorder.marker(marker)
            if marker.event is Event.WITHDRAW:
                self.withdraw()

    def _take(self, seat: Seat) -> bool:
        """Everything that has come from one person; returns whether there was anything."""
        came = False
        for chunk in seat.inlet.pull():
            came = True
            self._recorder.chunk(seat.place, chunk)
            try:
                for reading, acquired in seat.read(chunk):
                    self._score(seat, reading, acquired)
                seat.faults = 0
            except Exception as error:  # one chunk must not end a session: told, counted, bounded
                seat.faults += 1
                self._say(f"{seat.person.name}: no score: {type(error).__name__}: {error}")
                if seat.faults >= FAULTS_IN_A_ROW:
                    self._fail(f"{seat.person.name}: {seat.faults} faults in a row: {error}")
        if came and self._status.phase is Phase.WAITING and all(s.samples for s in self._seats):
            self._change(phase=Phase.RUNNING)
        self._say_unheard(seat)
        return came

    def _say_unheard(self, seat: Seat) -> None:
        """Devices and screens are told that there is no signal; again and again, as with scores."""
        now = pylsl.local_clock()
        if seat.inlet.silent and now - seat.unheard > NO_SIGNAL_S:
            seat.unheard = now
            self._score(seat, Reading(-1, nan, "no signal"), now)

    def _score(self, seat: Seat, reading: Reading, acquired: float) -> None:
        """Record, tell, show, in this order: what was told is in the record whatever follows."""
        elapsed = self._timeline.elapsed(acquired)
        # It came while the other streams were being opened, or is nobody's business any more.
        if elapsed < 0 or self._status.phase is Phase.WITHDRAWN:
            return
        self._number += 1
        now = pylsl.local_clock()
        score, firing = seat.scorer.score(
            reading, self._number, elapsed, acquired, now, self._status.paused
        )
        self._recorder.score(score)
        seat.summary.score(score)
        seat.scores += 1
        seat.artefacts += reading.fault.startswith("artefact")
        if firing is not None:
            self._recorder.firing(firing)
            seat.summary.firing(firing, seat.scorer.crossed)
        seat.newest = score
        self.recent.append(score)
        self._outputs.score(score)
        if firing is not None:
            self._outputs.fire(firing)
            log.info("%s: the threshold was held: firing %d", firing.person, firing.number)

    def _say(self, message: str) -> None:
        log.warning(message)
        self._change(message=message)

    def _fail(self, message: str) -> None:
        log.error(message)
        self._change(phase=Phase.FAILED, message=message, traceback=traceback.format_exc())

    def _change(self, **changes: Any) -> None:
        with self._changing:
            before, self._status = self._status, replace(self._status, **changes)
            if weighty(before) != weighty(self._status):
                self._recorder.status(self._status, elapsed=_known(self.elapsed))

    def _close_inlets(self) -> None:
        for seat in self._seats:
            seat.inlet.close()
        self._markers.close()

    def _summary(self) -> dict[str, object]:
        return {
            "began": _known(self._timeline.zero),
            "elapsed_s": _known(min(self.elapsed, self.blocks.duration_s)),
            "people": {seat.person.name: seat.as_json() for seat in self._seats},
            "withdrawn": self._status.phase is Phase.WITHDRAWN,
        }


def _known(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None
