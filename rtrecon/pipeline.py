"""The threads of a session: one ingests, losslessly; one draws, always the newest."""

import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.artifact import Artifact
from rtrecon.compare import Compare
from rtrecon.config import Settings
from rtrecon.draw import Draw
from rtrecon.feedback import Feedback
from rtrecon.generators import Generator
from rtrecon.ingest import Ingest
from rtrecon.mailbox import Mailbox
from rtrecon.models import STUCK_S
from rtrecon.protocol.scoring import Scoring
from rtrecon.receive import Receiver
from rtrecon.record import Recorder
from rtrecon.sham import Coded
from rtrecon.stages import watch_display, watch_drawing, watch_receiver, watch_told
from rtrecon.standing import Standing
from rtrecon.stimuli import find_pictures, read_picture
from rtrecon.streams import told
from rtrecon.summary import Summary
from rtrecon.types import (
    Brain,
    Comparison,
    Decoded,
    Frame,
    Painted,
    Phase,
    Presentation,
    Status,
    Trial,
)
from rtrecon.watchdogs import Watchdogs
from rtrecon.worker import Worker

log = logging.getLogger(__name__)

WITHDRAWN = "the participant has stopped: screens are blank, nothing is recorded any more"
CODED = "not shown where feedback goes by a code: it would tell"


class Pipeline:
    """One live session, from a connected receiver to frames in a mailbox.

    `start` begins it, `stop` asks for its end, `ended` says that all threads are done and the
    folder is complete. Properties may be read from any thread; whoever shows the frames takes
    them from `frames` and reports each painted one to `shown`.

    Parameters
    ----------
    receiver : Receiver
        Connected; its stream fits the artifact.
    artifact : Artifact
    generator : Generator
        Fits the artifact.
    painter : Worker
        The thread that owns the generator; whoever made it closes it.
    recorder : Recorder
    settings : Settings
    fixed : collection of str
        Settings that the user chose: they are kept as long as there is memory for them.
    stimuli : Path or None
        Folder of the pictures that markers may name.
    free_viewing : bool
        Whether to show what was seen about 5 s ago, whatever markers say.
    feedback : Feedback or None
        Where what is decoded is sent on; whoever made it closes it.
    coded : Coded or None
        What a code stands for; whoever watches is told the code alone.
    scoring : Scoring or None
        The feedback protocol, where there is one; it is closed with the run.
    compares : bool
        Whether comparisons are drawn in spare time; never where feedback goes by a code.
    """

    def __init__(
        self,
        receiver: Receiver,
        artifact: Artifact,
        generator: Generator,
        painter: Worker,
        recorder: Recorder,
        settings: Settings,
        fixed: Collection[str] = (),
        stimuli: Path | None = None,
        free_viewing: bool = False,
        feedback: Feedback | None = None,
        coded: Coded | None = None,
        scoring: Scoring | None = None,
        compares: bool = False,
    ) -> None:
        self.frames: Mailbox[Frame] = Mailbox()
        self.candidates = artifact.candidates
        self.tr_s, self.speed = receiver.geometry.tr_s, receiver.geometry.speed
        self.stream_text = told(receiver.geometry)
        self.decoder_text = f"{artifact.name}, {len(artifact.voxels)} voxels"
        self.generator_text = f"{generator.name}, {generator.size_px} px"
        self.takes = generator.takes
        self.comparison: Comparison | None = None
        self._receiver, self._recorder = receiver, recorder
        self._standing = Standing(receiver.name, lambda: recorder.status(self.status))
        self._scoring = scoring
        if scoring is not None:
            scoring.say = self._standing.say
        self._yoked = coded.yoked if coded else None
        if coded is not None:
            self._blind(coded)
            fixed = generator.takes  # that pictures became cheaper would tell that they are drawn
        newest: Mailbox[Decoded] = Mailbox()
        self._newest = self._yoked or newest
        interval_s = self.tr_s / self.speed
        self._coded, self._compare = coded is not None, None
        if compares and coded is None:
            self._compare = Compare(
                generator, artifact, interval_s, lambda: newest.peek() is not None, self._compared
            )
        self._draw = Draw(
            generator, settings, fixed, interval_s, newest, self.frames,
            self._standing.say, self._standing.fault, recorder.settings, self._compare,
        )  # fmt: skip
        recorder.settings(settings)
        self.watchdogs = Watchdogs(
            interval_s, lambda now: self._standing.change(troubles=now), self._standing.say
        )
        self._summary = Summary(artifact.candidates)
        self._ingest = Ingest(
            receiver, artifact, recorder, self._newest, self._standing, self._summary,
            free_viewing=free_viewing, yoked=self._yoked, feedback=feedback, scoring=scoring,
            withdraw=self.withdraw,
        )  # fmt: skip
        self._watch(generator, newest)
        self._stimuli = find_pictures(stimuli)
        self._stop = receiver.stop
        self._shown_volume = -1
        self._painter = painter
        self._drawing: Future[None] | None = None
        self._ending = threading.Thread(target=self._end, name="rtrecon-end", daemon=True)
        self._done = threading.Event()
        self._withdrawn = threading.Event()
        self.at_withdrawal: list[Callable[[], None]] = [recorder.withdraw]  # who else records
        receiver.say = self._standing.say  # last: its own threads may have something to say at once

    def start(self) -> None:
        """Start the threads; the receiver is read from now on."""
        self._standing.change(phase=Phase.WAITING)
        self.watchdogs.start()
        log.info("waiting for the first volume of '%s' (%s)", self._receiver.name, self.stream_text)
        self._ingest.start()
        self._drawing = self._painter.submit(self._show_until_closed)
        self._ending.start()

    def stop(self) -> None:
        """Ask for the end and return at once."""
        self._stop.set()

    @property
    def pausable(self) -> bool:
        """Whoever has it may pause it."""
        return True

    def pause(self, on: bool) -> None:
        """Make and show no new pictures for a while, and tell nobody anything.

        Volumes are received, decoded and recorded all the same.
        """
        if on == self._standing.now.paused or self.ended:
            return
        log.info("paused: volumes are recorded, pictures are not made" if on else "goes on")
        self._standing.change(paused=on)
        self.frames.hold(on)

    def withdraw(self) -> None:
        """The participant stops: blank all screens, tell and record nothing more, end the run.

        What was recorded before stays; whether it may is for people to talk about.
        """
        if self._withdrawn.is_set() or self.ended:
            return
        self._withdrawn.set()
        self.frames.clear()
        self._standing.change(phase=Phase.WITHDRAWN, message=WITHDRAWN)
        for stop_recording in self.at_withdrawal:
            stop_recording()
        log.warning(WITHDRAWN)
        self._stop.set()
        self._ingest.withdraw()
        self.comparison = None

    @property
    def ended(self) -> bool:
        """Whether all threads are done and the session's folder is complete."""
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
        return self._standing.now.phase is Phase.FAILED

    @property
    def withdrawn(self) -> bool:
        """Whether the participant has stopped it."""
        return self._withdrawn.is_set()

    @property
    def status(self) -> Status:
        """A snapshot of how the session stands."""
        status = self._standing.now
        if status.phase is Phase.RUNNING and self._receiver.silent:
            status = replace(status, phase=Phase.SILENT)
        return replace(
            status, volumes=self._receiver.counts, superseded=self.superseded,
            shown=self._summary.shown_frames, recording=self._recorder.fault,
        )  # fmt: skip

    @property
    def presentation(self) -> Presentation:
        """What may be put before a participant or spectators now."""
        status = self.status
        blank = status.paused or status.phase.over
        shown = Presentation(status.phase, self.frames.newest, blank=blank)
        return shown if self._scoring is None else self._scoring.present(shown, pylsl.local_clock())

    @property
    def decoded(self) -> Decoded | None:
        """The newest that may be shown; None before there is any, and after a withdrawal."""
        return self._ingest.decoded

    @property
    def brain(self) -> Brain | None:
        """Where the decoders read; None until there is a volume to see behind them."""
        return self._ingest.brain

    @property
    def settings(self) -> Settings:
        """How pictures are made; assigning swaps it whole, from the next image on."""
        return self._draw.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._draw.settings = settings

    @property
    def uncompared(self) -> str:
        """Why there is no control beside the picture; empty where there is one, or may be soon."""
        if self._coded:
            return CODED
        return "" if self._compare is None else self._compare.absent

    @property
    def superseded(self) -> int:
        """Decoded volumes never drawn and frames never painted, since newer ones were there."""
        return self._newest.superseded + self.frames.superseded

    def shown(self, frame: Frame) -> None:
        """Take note of a frame that was painted, `times.painted` filled in."""
        self._summary.shown(frame)
        self._recorder.frame(frame)
        age_ms = 1e3 * (frame.times.painted - frame.times.received)
        if frame.decoded.volume != self._shown_volume:
            self._shown_volume = frame.decoded.volume
            self._standing.change(first_frame_ms=age_ms)
        if frame.final:
            self._standing.change(final_frame_ms=age_ms)

    def presented(self, painted: Painted) -> None:
        """Take note of what the participant was shown, and when."""
        self._recorder.painted(painted)

    def stimulus(self, trial: Trial) -> NDArray[np.uint8] | None:
        """The picture (height, width, 3) that was presented; None where it is not at hand."""
        file = self._stimuli.get(trial.stim_file)
        return None if file is None else read_picture(file)

    def _blind(self, coded: Coded) -> None:
        """Say the code and no more; settings, which change only real pictures, change nothing."""
        self.takes = frozenset()
        self.generator_text += f", feedback by code {coded.code}"
        log.info("feedback by code %s", coded.code)
        coded.write(self._recorder.folder)

    def _watch(self, generator: Generator, newest: Mailbox[Decoded]) -> None:
        """What stands still, or fails, is told; by a code nothing is told of how pictures come."""
        watch_told(self.watchdogs, "record", self._recorder)
        watch_receiver(self.watchdogs, self._receiver, lambda: self._ingest.alive)
        if not self._coded:
            watch_drawing(self.watchdogs, self._draw, newest, generator)
        watch_display(self.watchdogs, self.frames)

    def _compared(self, what: str, comparison: Comparison, settings: Settings) -> None:
        if self._withdrawn.is_set():
            return
        self.comparison = comparison
        self._recorder.comparison(what, comparison, settings)

    def _show_until_closed(self) -> None:
        if self._yoked is None:
            self._draw.until_closed()
        else:
            self._yoked.until_closed(self.frames, self._recorder.yoked)

    def _end(self) -> None:
        """Wait for both threads, then say that the session has ended; whatever fails, it has."""
        try:
            self._let_go()
        except Exception as error:
            self._standing.fault("the session did not end as it should", error, 1)
        finally:
            if not (self.withdrawn or self.failed):
                self._standing.change(phase=Phase.ENDED)
            self._done.set()

    def _let_go(self) -> None:
        self._ingest.join()
        if self._scoring is not None:
            self._scoring.close()
        self._newest.close()
        assert self._drawing is not None
        if wait([self._drawing], STUCK_S).not_done:
            log.error("the generator does not answer for %g s: ended without it", STUCK_S)
        elif (error := self._drawing.exception()) is not None:
            log.error("drawing ended before its time", exc_info=error)
        self.watchdogs.close()
        self.frames.close()
        self._receiver.close()

    def finish(self) -> None:
        """End the session if it has not, write the summary and close the record.

        Call when nothing is shown any more.
        """
        self.stop()
        if self._ending.ident is not None:
            self._done.wait()
        else:
            if self._scoring is not None:
                self._scoring.close()
            self._receiver.close()
        summary = self._summary.as_json(self._receiver.counts, self.superseded)
        self._recorder.summary(summary | {"withdrawn": self.withdrawn})
        self._recorder.close()


def show_headless(pipeline: Pipeline) -> None:
    """Take the frames without a window until the session has ended."""
    pipeline.start()
    while not (pipeline.ended and pipeline.frames.peek() is None):
        frame = pipeline.frames.take(timeout_s=0.2)
        if frame is not None:
            painted = replace(frame.times, painted=pylsl.local_clock())
            pipeline.shown(replace(frame, times=painted))
