"""What a session's keeper does: listens to the same streams, holds what is not on disk, and takes over.

It ends with the session's goodbye and has written nothing then. If the pipe breaks without one, the
session's process is no more: the folder is cut to what is whole, and recording goes on with the first
that is not on disk, until the run is over (docs/decisions/0010). What is listened to and recorded is the
business of a `Kept`: volumes (`rtrecon.kept_volumes`) or samples of EEG (`rtrecon.eeg.kept`).
"""

import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import pylsl

from rtrecon.errors import BadConfig, BadDataset, BadStream, StreamMissing
from rtrecon.log_file import log_file
from rtrecon.priority import give_way
from rtrecon.types import Event, Marker, Phase, Status, VolumeCounts

log = logging.getLogger(__name__)

LISTEN, HEARS, RECORDED, OVER, GOODBYE = b"L", b"H", b"R", b"O", b"B"  # what the session says
LISTENS = b"L"  # the answer, with the number of marker streams that are heard; else why it does not
MOST_BYTES = 1 << 16
SILENT_S = 120.0  # after so long without anything the run is over, where the session had no limit
FIND_S = 5.0  # a stream that is there is found within
WHY = "the session's process ended without a word"
_WITHDRAWN = "a participant has stopped: nothing is recorded any more"
_AGAIN_S = 0.5  # how soon a folder that cannot be opened is tried again


class Listening(Protocol):
    """The streams of a session, heard as one: what comes, and markers; ends when the run is over.

    Attributes
    ----------
    until_idle_s : float or None
        End after so long without anything.
    last_received : float
        LSL clock, s.
    silent : bool
        Nothing comes, and perhaps nothing is heard.
    """

    until_idle_s: float | None
    last_received: float
    silent: bool

    @property
    def marker_outlets(self) -> tuple[str, ...]:
        """Uids of the outlets that markers come from."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None:
        """Let go of the streams."""
        ...


class Records(Protocol):
    """What writes a session's folder: `SessionWriter` of either kind."""

    def status(self, status: Status) -> None:
        """Keep where the session stands from now on."""
        ...

    def withdraw(self) -> None:
        """Keep nothing that comes from now on."""
        ...

    def summary(self, summary: Mapping[str, Any]) -> None:
        """Have summary.json written on closing."""
        ...

    def close(self) -> None:
        """Write what waits, and close the files."""
        ...


class Kept(Protocol):
    """What is special to a kind of session. Used under one lock, but for `listen`.

    Attributes
    ----------
    loads : str
        As in `rtrecon.children.children`.
    unit : str
        What is counted: "volumes", "samples".
    count : int
        How many were recorded after the session's end.
    """

    loads: str
    unit: str
    count: int

    @property
    def counts(self) -> VolumeCounts:
        """What became of the volumes, where there are any."""
        ...

    @property
    def markers(self) -> Sequence[Marker]:
        """Those on disk, once it is resumed."""
        ...

    def listen(
        self, streams: Sequence[str], stop: threading.Event, after: Callable[[str], bool]
    ) -> Listening:
        """Hear the streams that the session hears; markers are named after the first.

        Raises
        ------
        StreamMissing, BadStream
        """
        ...

    def hold(self, item: Any) -> None:
        """Keep what came in memory, until it is known to be on disk."""
        ...

    def forget(self, newest: Any) -> None:
        """All is on disk up to this: what the session's recorder calls its `newest`."""
        ...

    def resume(self, folder: Path) -> Records:
        """Open a folder that a killed session left, cut to what is whole.

        Raises
        ------
        OSError, BadConfig, BadDataset
        """
        ...

    def held(self) -> list[Any]:
        """What was held and is not on disk, once it is resumed."""
        ...

    def record(self, item: Any) -> None:
        """Record one more of what was held."""
        ...

    def take(self, item: Any) -> None:
        """Record what has just come, unless it is on disk."""
        ...

    def ends(self) -> float:
        """When the run is over whatever still comes (LSL clock, s), once it is resumed."""
        ...

    def summary(self) -> dict[str, Any]:
        """What summary.json says, as far as the folder tells."""
        ...


def keep(pipe: Connection, kept: type[Kept], lsl_configuration: str | None) -> None:
    """The process, from its beginning to its end.

    Parameters
    ----------
    pipe : Connection
        To the session's process.
    kept : type of Kept
        Of the kind of session.
    lsl_configuration : str or None
        File that liblsl reads.
    """
    if lsl_configuration is not None:
        os.environ["LSLAPICFG"] = lsl_configuration
    give_way()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):  # whoever reads what the session says must not wait for this process
        os.dup2(nowhere, standard)
    logging.getLogger("rtrecon").handlers[:] = [logging.NullHandler()]
    _Keeping(pipe, kept()).run()


class _Keeping:
    """One thread takes what comes; another hears the session, and takes over after its death."""

    def __init__(self, pipe: Connection, kept: Kept) -> None:
        self._pipe, self._kept = pipe, kept
        self._stop, self._asked = threading.Event(), threading.Event()
        self._alone = threading.Event()  # the session is no more
        self._changing = threading.Lock()
        self._heard: set[str] = set()  # uids of the outlets that the session hears
        self._owes = False  # an answer
        self._streams: Sequence[str] = ()
        self._folder = Path()
        self._until_idle_s = SILENT_S
        self._ends = float("inf")  # LSL clock: without a stream until then the run is over
        self._over = float("inf")  # LSL clock: and then it is over whatever comes
        self._listening: Listening | None = None
        self._recorder: Records | None = None
        self._withdrawn = False
        self._log = ExitStack()
        for number in (signal.SIGINT, signal.SIGTERM):  # a terminal's go to all of its processes
            signal.signal(number, self._asked_to_end)
        if hasattr(signal, "SIGHUP"):  # the terminal's end is the session's, and not the scan's
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _asked_to_end(self, *_: object) -> None:
        if self._alone.is_set():
            self._stop.set()

    def run(self) -> None:
        """Until the goodbye or the end of the run."""
        hearing = threading.Thread(target=self._hear, name="rtrecon-keeping", daemon=True)
        hearing.start()
        self._asked.wait()
        while not self._stop.is_set() and pylsl.local_clock() < self._ends:
            try:
                self._receive()
                break
            except (StreamMissing, BadStream) as error:
                self._say(str(error).encode()[:MOST_BYTES])
                self._stop.wait(_AGAIN_S)
            except Exception:
                if self._recorder is None:
                    raise  # another keeper is begun
                log.exception("what came could not be recorded on")
                break
        hearing.join()
        if self._recorder is not None:
            self._finish(self._recorder)

    def _receive(self) -> None:
        listening = self._kept.listen(self._streams, self._stop, self._hears)
        with self._changing:
            self._listening = listening
            if self._recorder is not None:
                listening.until_idle_s = self._until_idle_s
        self._say(LISTENS + b"0")
        try:
            for item in listening:
                self._take(item)
                if self._owes:
                    self._answer(listening)
        finally:
            listening.close()

    def _hears(self, outlet: str) -> bool:
        """A scanner or program may begin once it is heard, and that has to be by the session."""
        return self._alone.is_set() or outlet in self._heard

    def _take(self, item: Any) -> None:
        with self._changing:
            if self._recorder is None:
                self._kept.hold(item)
            elif pylsl.local_clock() > self._over:
                self._stop.set()
            elif not self._withdrawn:
                self._kept.take(item)
                self._heed(item)

    def _heed(self, item: Any) -> None:
        """A participant stops the recording by a marker, as in the session."""
        if not (isinstance(item, Marker) and item.event is Event.WITHDRAW):
            return
        assert self._recorder is not None
        self._withdrawn = True
        log.warning(_WITHDRAWN)
        self._recorder.status(self._status(Phase.WITHDRAWN, _WITHDRAWN))
        self._recorder.withdraw()
        self._stop.set()

    def _status(self, phase: Phase, message: str) -> Status:
        return Status(phase, message, "", self._streams[0], self._kept.counts)

    def _answer(self, listening: Listening) -> None:
        """Say that what comes is heard here too; who waits for it in vain begins another keeper."""
        self._owes = False
        self._say(LISTENS + b"%d" % len(listening.marker_outlets))

    def _say(self, what: bytes) -> None:
        with suppress(OSError):
            self._pipe.send_bytes(what)

    def _hear(self) -> None:
        """Until the goodbye, or the session's death."""
        try:
            while (said := self._pipe.recv_bytes(MOST_BYTES)) != GOODBYE:
                self._understand(said[:1], said[1:])
        except (OSError, EOFError):
            self._alone.set()
            if self._asked.is_set():  # else it was not told of any session
                self._take_over()
        finally:
            if self._recorder is None:
                self._stop.set()
            self._asked.set()

    def _understand(self, kind: bytes, what: bytes) -> None:
        if kind == LISTEN:
            self._streams, folder, until_idle_s = json.loads(what)
            self._folder, self._until_idle_s = Path(folder), until_idle_s or SILENT_S
            self._asked.set()
        elif kind == HEARS:
            self._heard.add(what.decode())
        elif kind == RECORDED:
            with self._changing:
                self._kept.forget(json.loads(what))
                listening = self._listening
            self._owes = True
            if listening is not None and not listening.silent:  # else with what comes next
                self._answer(listening)
        elif kind == OVER:
            self._stop.set()

    def _take_over(self) -> None:
        """Go on in the session's folder, if it has one and is not complete."""
        self._ends = pylsl.local_clock() + self._until_idle_s
        recorder = self._resumed()
        if recorder is None:
            return
        with self._changing:
            held, self._recorder = self._kept.held(), recorder
            waited = sum(not isinstance(item, Marker) for item in held)
            log.warning("%s: process %d records on; what waited: %d", WHY, os.getpid(), waited)
            recorder.status(self._status(Phase.RUNNING, f"{WHY}: recorded on without it"))
            self._over = self._kept.ends()
            for marker in self._kept.markers:
                self._heed(marker)
            for item in held:
                if not self._withdrawn:
                    self._kept.record(item)
                    self._heed(item)
            if self._listening is not None:
                self._listening.last_received = pylsl.local_clock()
                self._listening.until_idle_s = self._until_idle_s

    def _resumed(self) -> Records | None:
        """The folder, cut to what is whole; tried again where its disk is away. None: nothing to do."""
        while not (self._folder / "summary.json").exists():
            try:
                recorder = self._kept.resume(self._folder)
                with ExitStack() as failing:
                    failing.callback(recorder.close)
                    self._log.enter_context(log_file(self._folder))
                    failing.pop_all()
                return recorder
            except (OSError, BadConfig, BadDataset):
                if self._stop.wait(_AGAIN_S) or pylsl.local_clock() > self._ends:
                    return None
        return None

    def _finish(self, recorder: Records) -> None:
        """Complete the folder, as far as that can be without the session's decoder."""
        kept = self._kept
        log.warning(
            "the run is over: %d %s were recorded after the session's end", kept.count, kept.unit
        )
        if not self._withdrawn:
            recorder.status(self._status(Phase.ENDED, WHY))
        summary = kept.summary() | {"withdrawn": self._withdrawn}
        by = {"why": WHY, "process": os.getpid(), kept.unit: kept.count}
        recorder.summary(summary | {"kept_by": by})
        recorder.close()
        self._log.close()
