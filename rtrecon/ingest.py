"""The thread through which every volume and marker of a session goes; none is left out."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtrecon.artifact import Artifact
from rtrecon.decode import Decode
from rtrecon.feedback import Feedback
from rtrecon.mailbox import Mailbox
from rtrecon.protocol.scoring import Scoring
from rtrecon.quality import STARTS_UP
from rtrecon.receive import Receiver
from rtrecon.record import Recorder
from rtrecon.sham import Yoked
from rtrecon.standing import FAULTS_IN_A_ROW, Standing
from rtrecon.summary import Summary
from rtrecon.types import UNMARKED, Arrival, Brain, Decoded, Event, Marker, Phase, Volume

log = logging.getLogger(__name__)


class Ingest:
    """Records what comes, works on it, and hands on what was decoded, the newest of it.

    `decoded` and `brain` may be read from any thread.

    Parameters
    ----------
    receiver : Receiver
    artifact : Artifact
    recorder : Recorder
    newest : Mailbox of Decoded, or Yoked
        For whoever draws; closed when nothing more comes.
    standing : Standing
    summary : Summary
    free_viewing : bool
    yoked : Yoked or None
        What is shown and told instead of what was decoded.
    feedback : Feedback or None
    scoring : Scoring or None
        It is finished with the run.
    withdraw : callable
        Called when a marker says that the participant stops.
    """

    def __init__(
        self,
        receiver: Receiver,
        artifact: Artifact,
        recorder: Recorder,
        newest: Mailbox[Decoded] | Yoked,
        standing: Standing,
        summary: Summary,
        *,
        free_viewing: bool,
        yoked: Yoked | None,
        feedback: Feedback | None,
        scoring: Scoring | None,
        withdraw: Callable[[], None],
    ) -> None:
        self.decoded: Decoded | None = None
        self.brain: Brain | None = None  # until a volume is there, where there is no reference
        if artifact.reference is not None:
            self.brain = _brain(artifact, artifact.reference, artifact.affine)
        self._receiver, self._artifact, self._recorder = receiver, artifact, recorder
        self._newest, self._standing, self._summary = newest, standing, summary
        self._yoked, self._feedback, self._scoring = yoked, feedback, scoring
        self._told_to_stop, self._withdrawn = withdraw, threading.Event()
        self._preprocess = artifact.preprocess(receiver.geometry.affine, free_viewing)
        self._decode = Decode(artifact)
        self._thread = threading.Thread(target=self._receive, name="rtrecon-ingest", daemon=True)

    def start(self) -> None:
        """Read the receiver from now on."""
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing more comes; returns whether it is so."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def withdraw(self) -> None:
        """Take nothing more, and forget what was decoded."""
        self._withdrawn.set()
        self.decoded = None

    @property
    def alive(self) -> bool:
        """Whether it is at work."""
        return self._thread.is_alive()

    def _receive(self) -> None:
        """Whatever fails in it or behind it, what comes goes on being recorded."""
        faults = 0
        for item in self._items():
            if self._withdrawn.is_set():
                break
            try:
                if self._take(item):
                    faults = 0
            except Exception as error:  # one bad volume must not end a scan: told, counted, bounded
                faults += 1
                what = "a marker" if isinstance(item, Marker) else f"volume {item.number}"
                self._standing.fault(f"{what} could not be worked on", error, faults)
        if self._scoring is not None:
            self._scoring.finish(self._standing.now.paused)
        self._newest.close()
        if self._withdrawn.is_set():
            self.decoded = None  # of what was worked on at that moment

    def _items(self) -> Iterator[Volume | Marker]:
        """What comes; should receiving itself fail, it is begun again where it was."""
        faults = 0
        while faults < FAULTS_IN_A_ROW:
            try:
                for item in self._receiver:
                    faults = 0
                    yield item
                return
            except Exception as error:  # a fault of ours, or of a library's: the scan goes on
                faults += 1
                self._standing.fault("receiving failed and is begun again", error, faults)

    def _take(self, item: Volume | Marker) -> bool:
        """Record it and work on it; whether a volume was worked on."""
        if isinstance(item, Marker):
            self._take_marker(item)
            return False
        self._recorder.volume(item)
        if not item.fault:
            self._take_volume(item)
        return not item.fault

    def _take_marker(self, marker: Marker) -> None:
        self._recorder.marker(marker)
        if marker.event is Event.WITHDRAW:
            self._told_to_stop()
            return
        self._preprocess.mark(marker)
        if self._scoring is not None:
            self._scoring.marker(marker, self._standing.now.paused)
        if self.decoded is not None and self.decoded.trial.number != UNMARKED:
            self._tell(self.decoded)
        if marker.event is Event.RUN_END:
            log.info("the run's end marker came")

    def _tell(self, decoded: Decoded) -> None:
        """One line for a trial that another one follows."""
        log.info(
            "trial %d, %s: decoded as %s (%.0f %%, chance %.0f %%)",
            decoded.trial.number, decoded.trial.trial_type, decoded.predicted,
            100 * decoded.confidence, 100 / len(self._artifact.candidates),
        )  # fmt: skip

    def _tell_quality(self, arrival: Arrival) -> None:
        """What counts less is for the log; what is left out, but for a run's start, for the operator."""
        if arrival.reason:
            excluded = arrival.weight == 0 and not arrival.reason.startswith(STARTS_UP)
            tell = self._standing.say if excluded else log.info
            tell(f"volume {arrival.number} counts {100 * arrival.weight:.0f} %: {arrival.reason}")

    def _take_volume(self, volume: Volume) -> None:
        if self.brain is None:
            self.brain = _brain(self._artifact, volume.data, self._receiver.geometry.affine)
        pattern = self._preprocess.add(volume)
        shown: Decoded | None = None
        latency_ms = float("nan")
        if pattern is not None:
            decoded = self._decode(pattern)
            shown = decoded if self._yoked is None else self._yoked.instead_of(decoded)
            self.decoded = shown or self.decoded
            if not self._standing.now.paused:
                self._newest.put(decoded)
                if self._feedback is not None and shown is not None:
                    self._feedback.send(shown)
            self._summary.decoded(decoded)
            self._recorder.decoded(decoded, pattern)
            latency_ms = 1e3 * (decoded.times.decoded - decoded.times.received)
        arrival = self._preprocess.arrival
        assert arrival is not None
        self._recorder.arrival(arrival)
        self._tell_quality(arrival)
        arrival = replace(arrival, decoded_ms=latency_ms)
        self._standing.change(trial=self._preprocess.trial, arrival=arrival)
        if self._standing.now.phase is Phase.WAITING:
            self._standing.change(phase=Phase.RUNNING)
        if self._scoring is not None:
            trial, paused = self._preprocess.trial, self._standing.now.paused
            self._scoring.volume(volume, trial, shown, pattern, paused)


def _brain(artifact: Artifact, volume: NDArray[np.generic], affine: NDArray[np.float64]) -> Brain:
    early = np.zeros_like(artifact.c.voxels) if artifact.z is None else artifact.z.voxels
    return Brain(volume, affine, artifact.voxels, early, ventral=artifact.c.voxels)
