"""A session followed over LSL: what its windows need, seen from elsewhere, and nothing it minds."""

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtrecon.config import Settings
from rtrecon.connect import Clock
from rtrecon.errors import BadStream
from rtrecon.mailbox import Mailbox
from rtrecon.network import check_claim, expose
from rtrecon.remote.messages import KINDS, State, Stimulus, message_of
from rtrecon.types import (
    Brain,
    Comparison,
    Decoded,
    Event,
    Frame,
    Marker,
    Painted,
    Phase,
    Presentation,
    Status,
    Trial,
)
from rtrecon.wire import VIEW_TYPE, marker_info, marker_stream, text_of, view_stream

log = logging.getLogger(__name__)

UNHEARD_S = 3.0  # without a sign of life; a session gives one every second
ROLES: Mapping[str, frozenset[str]] = {
    "operator": frozenset(KINDS),
    "spectator": frozenset({"state", "frame", "stimulus"}),
    "participant": frozenset({"state", "frame"}),
}
"""Which messages each is told of; the rest is dropped unread."""

_POLL_S = 0.1
_CONNECT_S = 2.0
_BUFFER_S = 2
_AVOID_S = 6.0  # LSL lists a stream whose program is gone for about so long
_NOTHING = State(Status(Phase.UNHEARD), Presentation(Phase.UNHEARD, blank=True))


class Follower:
    """A running session as `Watched` and `Presented` have it, read only.

    One thread looks for the session's view stream, reads it, and looks again when it falls silent;
    it never gives up. What a view asks of the session (start, stop, other settings) is not sent; the
    one thing that goes back is that the participant stops. Properties may be read from any thread.

    Parameters
    ----------
    name : str
        Of the session's volume stream.
    role : "operator", "participant" or "spectator"
        A participant never gets the stimulus, and only operators what was decoded; of what the
        protocol does not show, nobody gets more than an operator.

    Attributes
    ----------
    frames : Mailbox[Frame]
    stream_text, decoder_text, generator_text : str
    tr_s, speed : float
        As there; the first says where that is.
    session : str
        Which session is heard: another after a restart; empty before the first.
    bad : int
        Messages that broke the contract, and were skipped.
    comparison : Comparison or None
    """

    takes: frozenset[str] = frozenset()  # read only: no setting is offered
    brain: Brain | None = None  # too large to be told
    pausable = False

    def __init__(self, name: str, role: str = "operator") -> None:
        self.name, self.role = name, role
        self.frames: Mailbox[Frame] = Mailbox()
        self.session, self.bad = "", 0
        self.stream_text = self.decoder_text = self.generator_text = ""
        self.tr_s = self.speed = 1.0
        self.comparison: Comparison | None = None
        self._kinds = ROLES[role]
        self._state = _NOTHING
        self._frame: Frame | None = None
        self._presented: Frame | None = None
        self._stimulus: Stimulus | None = None
        self._texts: dict[str, str] = {}  # pictures come again and again: each is unpacked once
        self._heard_at = -np.inf
        self._avoid: dict[str, float] = {}  # sources that did not answer, until when
        self._stop = threading.Event()
        self._left = False
        self._withdrawal: threading.Thread | None = None
        self._thread = threading.Thread(
            target=self._follow, name="rtrecon-view-follow", daemon=True
        )
        self._thread.start()

    @property
    def heard(self) -> bool:
        """Whether the session has given a sign of life of late."""
        return bool(pylsl.local_clock() - self._heard_at < UNHEARD_S)

    @property
    def status(self) -> Status:
        """The newest; phase UNHEARD while the session is looked for."""
        status = self._state.status
        if self._fresh:
            return status
        line = (
            f"looking for session '{self.name}' on the network; it may well go on without this view"
        )
        return replace(status, phase=Phase.UNHEARD, message=line)

    @property
    def presentation(self) -> Presentation:
        """The newest, for all but operators without what may not be seen; blank while unheard."""
        presentation = replace(self._state.presentation, frame=self._presented)
        if self._withdrawal is not None:
            return replace(presentation, phase=Phase.WITHDRAWN, frame=None, blank=True)
        if self.role != "operator":
            presentation = _allowed(presentation)
        if self._fresh:
            return presentation
        return replace(presentation, phase=Phase.UNHEARD, blank=True)

    @property
    def ended(self) -> bool:
        """Whether the session has ended, or this view has been left."""
        return self._state.ended or self._left

    @property
    def decoded(self) -> Decoded | None:
        """The newest decoded, without z, c and pattern."""
        return self._state.decoded if self.role == "operator" else None

    @property
    def uncompared(self) -> str:
        """Why nothing stands beside the picture; empty where something does, or may soon."""
        return self._state.uncompared

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names aligned with `Decoded.probabilities`."""
        return self._state.candidates

    @property
    def settings(self) -> Settings:
        """How pictures are made there; assigning changes nothing."""
        return self._state.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        log.warning("a view is read only: settings are changed where the session runs")

    def start(self) -> None:
        """Nothing: the session is started where it runs."""

    def pause(self, on: bool) -> None:
        """Nothing: it is paused where it runs."""

    def withdraw(self) -> None:
        """The participant stops: blank here at once, and the session is told by a marker."""
        if self._withdrawal is None:
            self._withdrawal = threading.Thread(
                target=self._tell_withdrawal, name="rtrecon-view-withdraw", daemon=True
            )
            self._withdrawal.start()

    def _tell_withdrawal(self) -> None:
        """Offer the marker until the session has heard it."""
        outlet = pylsl.StreamOutlet(marker_info(self.name, source_id=""))
        expose(marker_stream(self.name), "that the participant stops")
        text = text_of(Marker(Event.WITHDRAW))
        while not (self._state.status.phase.over or self._stop.is_set()):
            if outlet.wait_for_consumers(_POLL_S):
                outlet.push_sample([text])
                self._stop.wait(_POLL_S)
        if self._state.status.phase is not Phase.WITHDRAWN:
            log.error("the session may not have heard that the participant stops: stop it there")

    def stop(self) -> None:
        """Leave the session as it is: this view is over."""
        self._left = True

    def shown(self, frame: Frame) -> None:
        """Nothing: the session records what its own window shows."""

    def presented(self, painted: Painted) -> None:
        """Nothing: the session records what its own screens paint."""

    def stimulus(self, trial: Trial) -> NDArray[np.uint8] | None:
        """The picture presented in the trial whose pictures are shown."""
        known = self._stimulus
        return known.image if known is not None and known.trial == trial.number else None

    def close(self) -> None:
        """Let go of the stream."""
        if self._withdrawal is not None:  # it has to be heard first
            self._withdrawal.join(timeout=10.0)
        self._stop.set()
        self._thread.join(timeout=10.0)

    @property
    def _fresh(self) -> bool:
        return self.heard or (self._state.ended and bool(self.session))

    def _follow(self) -> None:
        """The thread: look, hear until it falls silent, look again."""
        while not self._stop.is_set():
            if (found := self._find()) is not None:
                with suppress(LostError, LslTimeoutError):
                    self._hear(found)
                self._avoid[found.uid()] = pylsl.local_clock() + _AVOID_S

    def _find(self) -> pylsl.StreamInfo | None:
        """A view stream of that name, the newest first; None when this view is closed."""
        search = pylsl.ContinuousResolver("name", view_stream(self.name), forget_after=_AVOID_S)
        while not self._stop.wait(_POLL_S):
            now = pylsl.local_clock()
            found = [info for info in search.results() if _usable(info)]
            found = [info for info in found if self._avoid.get(info.uid(), -np.inf) < now]
            if found:
                return max(found, key=lambda info: info.created_at())
        return None

    def _hear(self, found: pylsl.StreamInfo) -> None:
        """Read until the session falls silent, its stream is lost, or this view is closed."""
        inlet = pylsl.StreamInlet(found, max_buflen=_BUFFER_S, recover=False)
        inlet.open_stream(timeout=_CONNECT_S)
        self._forget()
        clock = Clock(inlet)
        correction_s, measured, since = clock.correction(), pylsl.local_clock(), pylsl.local_clock()
        while not self._stop.is_set():
            now = pylsl.local_clock()
            if now - max(since, self._heard_at) > UNHEARD_S:
                log.warning("session '%s' is not heard: it is looked for", self.name)
                return
            if now - measured > 1.0:
                correction_s, measured = clock.correction(), now
            try:
                sample, _ = inlet.pull_sample(timeout=_POLL_S)
            except UnicodeDecodeError as error:
                self._skip(BadStream(f"a view's message is no text: {error}"))
                continue
            if sample is not None:
                self._take(sample[0], correction_s, found)

    def _be_asked_again(self) -> None:
        """Another run: who stopped the one before sees this one, and may stop it as well."""
        if self._withdrawal is not None and not self._withdrawal.is_alive():
            self._withdrawal = None

    def _forget(self) -> None:
        """Pictures of another session are no pictures of this one, and a participant may have stopped."""
        self._frame = self._presented = self._stimulus = self.comparison = None
        self._texts.clear()
        self.frames.take()

    def _take(self, text: str, shift_s: float, found: pylsl.StreamInfo) -> None:
        if text in self._texts.values():
            return
        try:
            message = message_of(text, shift_s, self._kinds)
        except BadStream as error:
            self._skip(error)
            return
        if message is not None:
            self._keep(message, found)
            if not isinstance(message, State):
                self._texts[type(message).__name__] = text

    def _keep(self, message: Any, found: pylsl.StreamInfo) -> None:
        if isinstance(message, State):
            self._keep_state(message, found)
        elif isinstance(message, Stimulus):
            self._stimulus = message
        elif isinstance(message, Comparison):
            self.comparison = message
        else:
            self._frame = message
        self._settle()

    def _keep_state(self, state: State, found: pylsl.StreamInfo) -> None:
        where = f"read only, from {found.hostname()}"
        self.stream_text = "  ·  ".join(filter(None, (where, state.stream_text)))
        self.decoder_text, self.generator_text = state.decoder_text, state.generator_text
        self.tr_s, self.speed = state.tr_s, state.speed
        self._state = state
        if state.status.phase is Phase.WITHDRAWN:
            self._forget()
        if self.session != found.uid():
            self._be_asked_again()
            log.info("session '%s' is heard, from %s", self.name, found.hostname())
            self.session = found.uid()  # after the rest, which a window that sees it reads
        self._heard_at = pylsl.local_clock()

    def _settle(self) -> None:
        """Show a picture once what belongs to it is there: the state, and its stimulus."""
        frame, state = self._frame, self._state
        if state.presented == 0:
            self._presented = None
        elif frame is not None and frame.serial == state.presented:
            self._presented = frame
        if frame is None or self.role != "operator" or frame is self.frames.newest:
            return
        trial = frame.decoded.trial
        if state.stimulus != trial.number or self.stimulus(trial) is not None:
            self.frames.put(frame)

    def _skip(self, error: BadStream) -> None:
        self.bad += 1
        if self.bad == 1:
            log.warning("skipped, as all like it from now on: %s", error)


def _allowed(presentation: Presentation) -> Presentation:
    """Without what the protocol does not show at the moment."""
    shows = presentation.shows
    return replace(
        presentation,
        frame=presentation.frame if "reconstruction" in shows else None,
        scores=presentation.scores if "score" in shows else {},
        instruction=presentation.instruction if "instruction" in shows else "",
    )


def _usable(info: pylsl.StreamInfo) -> bool:
    string = info.channel_format() == pylsl.cf_string and info.channel_count() == 1
    if not string or info.type() != VIEW_TYPE:
        return False
    try:
        check_claim(info, _BUFFER_S)
    except BadStream:
        return False
    return True
