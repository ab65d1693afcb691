"""What a session's keeper does: listens to the same streams, holds what is not on disk, and takes over.

It ends with the session's goodbye and has written nothing then. If the pipe breaks without one, the
session's process is no more: the folder is cut to what is whole, and recording goes on with the first
volume that is not on disk, until the run is over (docs/decisions/0010).
"""

import json
import logging
import os
import signal
import struct
import threading
from contextlib import ExitStack, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

import pylsl

from rtrecon.errors import BadConfig, BadDataset, BadStream, StreamMissing
from rtrecon.held import Counted, Held, OnDisk
from rtrecon.log_file import log_file
from rtrecon.priority import give_way
from rtrecon.receive import Receiver
from rtrecon.record import Recorder
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Geometry, Marker, Phase, Status, Volume

log = logging.getLogger(__name__)

LISTEN, HEARS, RECORDED, OVER, GOODBYE = b"L", b"H", b"R", b"O", b"B"  # what the session says
LISTENS = b"L"  # the answer, with the number of marker streams that are heard; else why it does not
RECORDED_AS = struct.Struct("<qd")  # number and stamp of the newest volume on disk
MOST_BYTES = 1 << 16
SILENT_S = 120.0  # after so long without a volume the run is over, where the session had no limit
WHY = "the session's process ended without a word"
_FIND_S = 5.0
_AGAIN_S = 0.5  # how soon a folder that cannot be opened is tried again


def keep(pipe: Connection, lsl_configuration: str | None) -> None:
    """The process, from its beginning to its end.

    Parameters
    ----------
    pipe : Connection
        To the session's process.
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
    _Keeping(pipe).run()


class _Keeping:
    """One thread takes what comes; another hears the session, and takes over after its death."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._stop, self._asked = threading.Event(), threading.Event()
        self._alone = threading.Event()  # the session is no more
        self._changing = threading.Lock()
        self._held = Held()
        self._heard: set[str] = set()  # uids of the outlets that the session hears
        self._owes = False  # an answer
        self._stream, self._folder = "", Path()
        self._until_idle_s = SILENT_S
        self._ends = float("inf")  # LSL clock: without a stream until then the run is over
        self._counted, self._kept = Counted(), 0
        self._receiver: Receiver | None = None
        self._recorder: Recorder | None = None
        self._disk: OnDisk | None = None  # what was there at the takeover
        self._geometry: Geometry | None = None  # of what is recorded on
        self._log = ExitStack()
        for number in (signal.SIGINT, signal.SIGTERM):  # a terminal's go to all of its processes
            signal.signal(number, self._asked_to_end)

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
            except Exception:
                if self._recorder is None:
                    raise  # another keeper is begun
                log.exception("what came could not be recorded on")
                break
        hearing.join()
        if self._recorder is not None:
            self._finish(self._recorder)

    def _receive(self) -> None:
        receiver = Receiver(self._stream, _FIND_S, None, self._stop, after=self._hears)
        if not self._fits(receiver.geometry):
            receiver.close()
            self._stop.wait(_AGAIN_S)
            raise BadStream(
                f"stream '{self._stream}' sends other volumes than those of the session"
            )
        with self._changing:
            self._receiver = receiver
            self._held.near_s = receiver.geometry.tr_s / receiver.geometry.speed / 2
            if self._recorder is not None:
                receiver.until_idle_s = self._until_idle_s
        self._say(LISTENS + b"0")
        try:
            for item in receiver:
                self._take(item)
                if self._owes:
                    self._answer(receiver)
        finally:
            receiver.close()

    def _fits(self, geometry: Geometry) -> bool:
        """Whether such volumes can be put to those that the session left."""
        ours = self._geometry
        return ours is None or (ours.shape, ours.tr_s) == (geometry.shape, geometry.tr_s)

    def _hears(self, outlet: str) -> bool:
        """A scanner or program may begin once it is heard, and that has to be by the session."""
        return self._alone.is_set() or outlet in self._heard

    def _take(self, item: Volume | Marker) -> None:
        with self._changing:
            if self._recorder is None or self._disk is None:
                self._held.add(item)
            elif not self._disk.has(item, self._held.near_s):
                self._record(item)

    def _answer(self, receiver: Receiver) -> None:
        """Say that volumes are heard here too; whoever waits for it in vain begins another keeper."""
        self._owes = False
        self._say(LISTENS + b"%d" % len(receiver.marker_outlets))

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
            self._take_over()
        finally:
            if self._recorder is None:
                self._stop.set()
            self._asked.set()

    def _understand(self, kind: bytes, what: bytes) -> None:
        if kind == LISTEN:
            self._stream, folder, until_idle_s = json.loads(what)
            self._folder, self._until_idle_s = Path(folder), until_idle_s or SILENT_S
            self._asked.set()
        elif kind == HEARS:
            self._heard.add(what.decode())
        elif kind == RECORDED:
            with self._changing:
                self._held.forget(*RECORDED_AS.unpack(what))
                receiver = self._receiver
            self._owes = True
            if receiver is not None and not receiver.silent:  # else with the next volume
                self._answer(receiver)
        elif kind == OVER:
            self._stop.set()

    def _take_over(self) -> None:
        """Go on in the session's folder, if it has one and is not complete."""
        self._ends = pylsl.local_clock() + self._until_idle_s
        recorder = self._opened()
        if recorder is None:
            return
        with self._changing:
            session = open_session_folder(self._folder)
            for item in session.all():
                self._counted.add(item)
            self._disk, self._geometry = OnDisk(session), session.geometry
            held = self._held.not_on(self._disk)
            waited = sum(isinstance(item, Volume) for item in held)
            log.warning("%s: process %d records on; %d volume(s) waited", WHY, os.getpid(), waited)
            recorder.status(
                Status(Phase.RUNNING, f"{WHY}: recorded on without it", "", self._stream)
            )
            for number, _ in self._held.dropped:
                recorder.lost(f"volume {number}", "too much waited in memory")
            self._recorder = recorder
            for item in held:
                self._record(item)
            if self._receiver is not None:
                self._receiver.last_received = pylsl.local_clock()
                self._receiver.until_idle_s = self._until_idle_s

    def _opened(self) -> Recorder | None:
        """The folder, cut to what is whole; tried again where its disk is away. None: nothing to do."""
        while not (self._folder / "summary.json").exists():
            try:
                geometry = open_session_folder(self._folder).geometry
                recorder = Recorder(self._folder, geometry, {}, resumed=True)
                self._log.enter_context(log_file(self._folder))
                return recorder
            except (OSError, BadConfig, BadDataset):
                if self._stop.wait(_AGAIN_S) or pylsl.local_clock() > self._ends:
                    return None
        return None

    def _record(self, item: Volume | Marker) -> None:
        assert self._recorder is not None
        self._counted.add(item)
        if isinstance(item, Marker):
            self._recorder.marker(item)
        else:
            self._recorder.volume(item)
            self._kept += 1

    def _finish(self, recorder: Recorder) -> None:
        """Complete the folder, as far as that can be without the session's decoder."""
        log.warning(
            "the run is over: %d volume(s) were recorded after the session's end", self._kept
        )
        counts = self._counted.counts
        shown = open_session_folder(self._folder).table("frames.tsv")
        recorder.status(Status(Phase.ENDED, WHY, "", self._stream, counts))
        recorder.summary({
            "volumes": asdict(counts),
            "frames": {"shown": len(shown), "superseded": None},
            "kept_by": {"why": WHY, "process": os.getpid(), "volumes": self._kept},
        })  # fmt: skip
        recorder.close()
        self._log.close()
