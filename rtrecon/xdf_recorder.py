"""All streams of a session in one XDF file, beside the session and without its knowledge.

As LabRecorder does it: the senders' own stamps, and the clock offsets that were measured; a
reader (pyxdf) puts the two together.
"""

import logging
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import BinaryIO

import pylsl
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtrecon import wire
from rtrecon.connect import POLL_S, open_volumes
from rtrecon.errors import Error
from rtrecon.network import check_claim
from rtrecon.xdf import XdfWriter

log = logging.getLogger(__name__)

OFFSET_S = 5.0  # between two measurements of a sender's clock
BOUNDARY_S = 10.0
_SEARCH_S = 0.2
_WAIT_S = 5.0  # for an answer from a stream
_BUFFER_S = 60
_TAIL_S = 2.0
_MOST_HEADER = 16 << 20
_MOST_STREAMS = 64  # whoever is on the network can make more, and each has a thread
_CHUNK_VALUES = 1 << 16  # a volume comes alone, other streams some samples at once
_CHUNK_SAMPLES = 1024
_GONE = (LslTimeoutError, LostError)


class XdfRecorder:
    """Records streams from threads of its own until `close`. Whatever fails is told in the log.

    Recorded are the volume stream, the streams whose names begin with its name and a hyphen, and
    those asked for; one that appears later joins. Each has an inlet and a thread, so that none
    waits for another.

    Parameters
    ----------
    file : Path
        Must not exist.
    stream : str
        Name of the volume stream.
    others : collection of str
        Names or types of further streams.
    markers_taken : threading.Event, optional
        The marker stream is opened after this: a sender that waits for somebody to listen must
        not begin because of us.
    """

    def __init__(
        self,
        file: Path,
        stream: str,
        others: Collection[str] = (),
        markers_taken: threading.Event | None = None,
    ) -> None:
        self._file, self._stream, self._others = file, stream, frozenset(others)
        self._markers_taken = markers_taken
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._recorded: set[str] = set()  # names of streams that are open
        self._writing = threading.Lock()
        self._writer = self._open()
        self._thread = threading.Thread(target=self._search, name="rtrecon-xdf", daemon=True)
        self._thread.start()

    def wait_for(self, stream: str, timeout_s: float) -> bool:
        """Whether a stream of that name is being recorded within that time."""
        with self._changed:
            self._changed.wait_for(
                lambda: stream in self._recorded or self._stop.is_set(), timeout_s
            )
            return stream in self._recorded

    def withdraw(self) -> None:
        """End the file here, whatever is on its way."""
        self._stop.set()
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def close(self) -> None:
        """Take what has come by now, and end the file. Call while the streams still exist."""
        self._stop.set()
        self._thread.join()
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _open(self) -> XdfWriter | None:
        try:
            file: BinaryIO = self._file.open("xb", buffering=0)  # type: ignore[assignment]
            return XdfWriter(file)
        except OSError as error:
            log.error("%s cannot be written: %s: no XDF recording", self._file, error.strerror)
            return None

    def _write(self, append: Callable[..., None], *what: object) -> None:
        """Append, as long as the disk takes it."""
        with self._writing:
            if self._writer is None:
                return
            try:
                append(self._writer, *what)
            except OSError as error:
                log.error("%s ends here: %s", self._file, error.strerror)
                self._writer.close()
                self._writer = None

    def _search(self) -> None:
        """The thread that looks for streams and gives each one a thread."""
        search = pylsl.ContinuousResolver()
        threads: dict[tuple[str, str], threading.Thread] = {}
        boundary = pylsl.local_clock() + BOUNDARY_S
        while self._writer is not None and not self._stop.wait(_SEARCH_S):
            for found in filter(self._wanted, search.results()):
                # a restarted source with a source id goes on in its old inlet
                key = found.name(), found.source_id() or found.uid()
                if key not in threads and len(threads) < _MOST_STREAMS:
                    threads[key] = self._begin(found, len(threads) + 1)
            if pylsl.local_clock() > boundary:
                self._write(XdfWriter.boundary)
                boundary += BOUNDARY_S
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        for thread in threads.values():
            thread.join()

    def _wanted(self, found: pylsl.StreamInfo) -> bool:
        name = found.name()
        if found.type() == wire.TAKEN_TYPE:  # a receiver's receipts: of the transport alone
            return False
        if found.type() == wire.VIEW_TYPE and name not in self._others:  # all of it is recorded
            return False
        ours = name == self._stream or name.startswith(f"{self._stream}-")
        return ours or bool({name, found.type()} & self._others)

    def _begin(self, found: pylsl.StreamInfo, number: int) -> threading.Thread:
        thread = threading.Thread(
            target=self._record, args=(found, number), name=f"rtrecon-xdf-{number}", daemon=True
        )
        thread.start()
        return thread

    def _record(self, found: pylsl.StreamInfo, number: int) -> None:
        """The thread of one stream, from its description to its end."""
        try:
            inlet = self._inlet(found)
            info = inlet.info(timeout=_WAIT_S)
            if not self._may_open(found.name()):
                return
            inlet.open_stream(timeout=_WAIT_S)
            header = info.as_xml()
            if len(header) > _MOST_HEADER:
                raise ValueError(f"its description has {len(header):,} characters")
            self._write(XdfWriter.stream, number, header)
        except (*_GONE, Error, ValueError) as error:
            log.warning(
                "stream '%s' is not recorded to XDF: %s", found.name(), error or "it is gone"
            )
            return
        with self._changed:
            self._recorded.add(found.name())
            self._changed.notify_all()
        log.info("stream '%s' is recorded to %s", found.name(), self._file.name)
        try:
            self._take(inlet, number, info.channel_count())
        except LostError:
            log.warning("stream '%s' is gone: its XDF recording ends", found.name())
        self._write(XdfWriter.footer, number)
        inlet.close_stream()

    def _inlet(self, found: pylsl.StreamInfo) -> pylsl.StreamInlet:
        """An inlet whose stamps nobody touches, with a queue that fits the stream."""
        if found.type() == wire.VOLUME_TYPE:
            return open_volumes(found)[1]
        check_claim(found, _BUFFER_S)
        return pylsl.StreamInlet(found, max_buflen=_BUFFER_S, recover=True)

    def _may_open(self, name: str) -> bool:
        """Wait until the session has the markers; False when the recording ends before."""
        taken = self._markers_taken
        if taken is None or name != wire.marker_stream(self._stream):
            return True
        while not (self._stop.is_set() or taken.wait(POLL_S)):
            pass
        return taken.is_set()

    def _take(self, inlet: pylsl.StreamInlet, number: int, channels: int) -> None:
        """Write what comes until asked to stop, and then what is still there."""
        most = max(1, min(_CHUNK_SAMPLES, _CHUNK_VALUES // channels))
        self._measure(inlet, number)  # however short the recording is
        due = pylsl.local_clock() + OFFSET_S
        while not self._stop.is_set():
            self._pull(inlet, number, most)
            if pylsl.local_clock() >= due:
                self._measure(inlet, number)
                due += OFFSET_S
        deadline = pylsl.local_clock() + _TAIL_S  # a stream that flows on would keep us for ever
        while self._pull(inlet, number, most) and pylsl.local_clock() < deadline:
            pass

    def _pull(self, inlet: pylsl.StreamInlet, number: int, most: int) -> bool:
        """Write what has come, or soon comes; returns whether there was any."""
        values, stamps = inlet.pull_chunk(POLL_S, max_samples=most, min_samples=1, as_numpy=True)
        self._write(XdfWriter.samples, number, stamps, values)
        return len(stamps) > 0

    def _measure(self, inlet: pylsl.StreamInlet, number: int) -> None:
        """Note the sender's clock; where it does not answer in time the next turn will."""
        try:
            offset = float(inlet.time_correction(timeout=1.0))
        except _GONE:
            return
        time = pylsl.local_clock() - offset
        self._write(XdfWriter.clock_offset, number, time, offset)
