"""One person's EEG stream, found, opened, and found again when it was lost."""

import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pylsl
from numpy.typing import NDArray
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtrecon.connect import POLL_S, Clock
from rtrecon.eeg.signal import Signal, check, signal_of
from rtrecon.errors import BadStream, Mismatch, StreamMissing
from rtrecon.network import check_claim

log = logging.getLogger(__name__)

GAP_S = 0.25  # stamps that differ by so much more, or less, than they should are not of one piece
SILENT_S = 0.5  # after so long without a sample a stream counts as silent
BUFFER_BYTES = 64e6  # what LSL may keep of one stream until it is read
_FORGOTTEN_S = 2.0  # for so long LSL lists a stream whose program is gone
_OPEN_S = 3.0
_PIECE_S = 0.25  # the most that is pulled at once
_SECOND_S = 0.7  # another stream of the same name gets so long to be found


@dataclass(frozen=True)
class Chunk:
    """Samples without a gap inside.

    Attributes
    ----------
    samples : (n, n_channels), as sent
    stamps : float64 (n,)
        Local LSL clock, s.
    sent : float64 (n,)
        The stamps as they were sent, on the sender's clock.
    received : float
        Local LSL clock, s.
    gap : bool
        Whether samples are missing before it.
    """

    samples: NDArray[np.generic]
    stamps: NDArray[np.float64]
    sent: NDArray[np.float64]
    received: float
    gap: bool = False

    @property
    def n_bytes(self) -> int:
        """Of samples and stamps."""
        return self.samples.nbytes + self.stamps.nbytes + self.sent.nbytes

    def after(self, n: int) -> "Chunk":
        """It without its first n samples."""
        if not n:
            return self
        cut = {name: getattr(self, name)[n:] for name in ("samples", "stamps", "sent")}
        return replace(self, **cut, gap=False)


class EegInlet:
    """The samples of one stream. Iterate nothing: `pull` what has come. Owned by one thread.

    LSL's own recovery is not used: it does not find a source that comes back under another source
    id, nor say that anything happened. Here a lost stream is looked for by its name.

    Parameters
    ----------
    name : str
        Of the stream.
    wait_s : float
        How long to look for it.
    stop : threading.Event

    Attributes
    ----------
    signal : Signal
    gaps : int
        How often samples were missing.
    last_received : float
        When the newest sample came, or the stream was opened (LSL clock, s).

    Raises
    ------
    StreamMissing, BadStream
    """

    def __init__(self, name: str, wait_s: float, stop: threading.Event) -> None:
        self.name, self.gaps = name, 0
        self._search = pylsl.ContinuousResolver("name", name, forget_after=_FORGOTTEN_S)
        self._opened = _Opened(_found(self._search, name, wait_s, stop))
        self.signal = self._opened.signal
        self.last_received = pylsl.local_clock()
        self._expected: float | None = None  # the next sample's stamp
        self._reopening: threading.Thread | None = None
        self._reopened: queue.SimpleQueue[_Opened | None] = queue.SimpleQueue()
        self._lost = self._told_silent = False
        self._refused: set[str] = set()

    @property
    def silent(self) -> bool:
        """Whether nothing has come for a while."""
        return pylsl.local_clock() - self.last_received > SILENT_S

    def pull(self) -> Iterator[Chunk]:
        """What has come since the last time, in pieces without gaps; never waits."""
        self._watch()
        most = int(_PIECE_S * self.signal.rate_hz * self.signal.speed)
        for _ in range(8):  # then another person's turn
            samples, sent = self._new(most)
            if not len(sent):
                return
            if self._told_silent:
                log.warning("stream '%s' is back", self.name)
                self._told_silent = False
            self.last_received = pylsl.local_clock()
            sent = np.where(np.isfinite(sent), sent, self.last_received)
            stamps = sent + self._opened.clock.correction()
            yield from self._pieces(samples, stamps, sent)

    def close(self) -> None:
        """Let go of the stream."""
        if self._reopening is not None:
            self._reopening.join()
            late = self._reopened.get()
            if late is not None:
                late.close()
        self._opened.close()

    def _new(self, most: int) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        if not self._lost:
            try:
                samples, stamps = self._opened.inlet.pull_chunk(0.0, most, as_numpy=True)
                return samples, np.asarray(stamps, np.float64)
            except LostError:
                self._lost = True
                self._tell_silent("ended")
        return np.empty((0, self.signal.n_channels)), np.empty(0)

    def _pieces(
        self,
        samples: NDArray[np.generic],
        stamps: NDArray[np.float64],
        sent: NDArray[np.float64],
    ) -> Iterator[Chunk]:
        """Cut where the stamps jump."""
        step_s = 1 / (self.signal.rate_hz * self.signal.speed)
        before = stamps[0] - step_s if self._expected is None else self._expected - step_s
        self._expected = float(stamps[-1]) + step_s
        gaps = gaps_in(stamps, before, step_s)
        for begin, end in zip([0, *gaps], [*gaps, len(stamps)], strict=True):
            if end > begin:
                piece = slice(begin, end)
                gap = begin in gaps
                self.gaps += gap
                yield Chunk(samples[piece], stamps[piece], sent[piece], self.last_received, gap)

    def _tell_silent(self, how: str) -> None:
        if not self._told_silent:
            self._told_silent = True
            log.warning("stream '%s' %s: no scores until it is back", self.name, how)

    def _watch(self) -> None:
        """Look for the stream where it is lost, or silent while another of its name is there."""
        if self._reopening is not None:
            self._take_reopened()
        elif self._lost or self.silent:
            if not self._lost and self._expected is not None:
                self._tell_silent("is silent")
            for info in self._search.results():
                if info.uid() not in self._refused and self._may_be_it(info):
                    self._reopening = threading.Thread(
                        target=self._reopen, args=(info,), name="rtrecon-eeg-reopen"
                    )
                    self._reopening.start()
                    return

    def _may_be_it(self, info: pylsl.StreamInfo) -> bool:
        """Another stream of the name; or the same, where only the connection had broken off."""
        long_since = pylsl.local_clock() - self.last_received > 2 * _FORGOTTEN_S
        return info.uid() != self._opened.uid or (self._lost and long_since)

    def _reopen(self, info: pylsl.StreamInfo) -> None:
        """In a thread of its own: it takes up to seconds, which other people must not wait."""
        opened = None
        try:
            opened = _Opened(info)
        except (StreamMissing, RuntimeError) as error:  # listed still, though it is gone
            log.debug("stream '%s' is not back yet: %s", self.name, error)
        except BadStream as error:
            log.warning("stream '%s' is back and cannot be used: %s", self.name, error)
            self._refused.add(info.uid())
        finally:  # it is waited for
            self._reopened.put(opened)

    def _take_reopened(self) -> None:
        try:
            opened = self._reopened.get_nowait()
        except queue.Empty:
            return
        assert self._reopening is not None
        self._reopening.join()
        self._reopening = None
        if opened is None:
            return
        if not self.signal.fits(opened.signal):
            log.warning(
                "stream '%s' is back with other channels, rate or format: start it as it was, or "
                "the session anew", self.name,
            )  # fmt: skip
            self._refused.add(opened.uid)
            opened.close()
            return
        self._opened.close()
        self._opened, self._lost = opened, False


def describe_eeg(name: str, wait_s: float, stop: threading.Event) -> tuple[Signal, float]:
    """What a stream says of itself, and what to add to its stamps to have them on the local clock, s.

    nan: its clock does not answer. Nobody's samples are asked for.

    Raises
    ------
    StreamMissing, BadStream
    """
    search = pylsl.ContinuousResolver("name", name, forget_after=_FORGOTTEN_S)
    info = _found(search, name, wait_s, stop)
    check(info)
    inlet = pylsl.StreamInlet(info, max_buflen=1, recover=False)
    try:
        signal = signal_of(inlet.info(timeout=_OPEN_S))
    except (LslTimeoutError, LostError) as error:
        raise _silent(name) from error
    try:
        return signal, float(inlet.time_correction(timeout=_OPEN_S))
    except (LslTimeoutError, LostError):
        return signal, float("nan")


def open_inlets(names: Sequence[str], wait_s: float, stop: threading.Event) -> list[EegInlet]:
    """Several people's, all at the same time: each takes a second or two. All or none.

    Raises
    ------
    StreamMissing, BadStream, Mismatch
    """
    with ThreadPoolExecutor(len(names), "rtrecon-eeg-open") as pool:
        opening = [pool.submit(EegInlet, name, wait_s, stop) for name in names]
    inlets = [future.result() for future in opening if future.exception() is None]
    try:
        for future in opening:
            future.result()
        if len({inlet.signal.speed for inlet in inlets}) > 1:
            speeds = ", ".join(f"'{i.name}' {i.signal.speed:g}" for i in inlets)
            raise Mismatch(f"the streams are replayed at different speeds ({speeds}): use one")
    except BaseException:
        for inlet in inlets:
            inlet.close()
        raise
    return inlets


def gaps_in(stamps: NDArray[np.float64], before: float, step_s: float) -> list[int]:
    """Before which of the stamps samples are missing.

    Parameters
    ----------
    stamps : float64 (n,)
    before : float
        The stamp before the first.
    step_s : float
        From one to the next.
    """
    steps = np.diff(stamps, prepend=before)
    return [int(place) for place in np.flatnonzero(np.abs(steps - step_s) > GAP_S)]


class _Opened:
    """An open stream with its description and clock. The constructor waits for the sender."""

    def __init__(self, info: pylsl.StreamInfo) -> None:
        check(info)  # before anything is made in its size
        rate, channels = info.nominal_srate(), info.channel_count()
        buffer_s = min(60, max(2, int(BUFFER_BYTES / (rate * channels * 8))))
        check_claim(info, buffer_s)
        self.uid = info.uid()
        self.inlet = pylsl.StreamInlet(info, max_buflen=buffer_s, recover=False)
        try:
            self.signal: Signal = signal_of(self.inlet.info(timeout=_OPEN_S))
            self.clock = Clock(self.inlet)
            self.inlet.open_stream(timeout=_OPEN_S)
        except (LslTimeoutError, LostError) as error:
            raise _silent(info.name()) from error

    def close(self) -> None:
        self.inlet.close_stream()


def _silent(name: str) -> StreamMissing:
    return StreamMissing(f"stream '{name}' does not answer: start its source again")


def _found(
    search: pylsl.ContinuousResolver, name: str, wait_s: float, stop: threading.Event
) -> pylsl.StreamInfo:
    deadline = pylsl.local_clock() + wait_s
    while not (found := search.results()) and pylsl.local_clock() < deadline:
        if stop.wait(POLL_S):
            break
    stop.wait(_SECOND_S)
    found = search.results()
    if not found:
        others = pylsl.resolve_byprop("type", "EEG", 1, 1.0)
        names = ", ".join(sorted({f"'{info.name()}'" for info in others}))
        there = f"there is {names}" if names else "no EEG stream is on the network"
        raise StreamMissing(
            f"no EEG stream '{name}' within {wait_s:g} s ({there}): start the amplifier's stream, or "
            "name another in [[person]] stream"
        )
    if len({info.uid() for info in found}) > 1:
        hosts = ", ".join(sorted(info.hostname() for info in found))
        raise BadStream(f"{len(found)} streams are named '{name}' (on {hosts}): stop or rename one")
    return found[0]
