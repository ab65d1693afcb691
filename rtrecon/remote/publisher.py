"""What a session tells its views, from a thread that only looks at it."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Protocol

import pylsl

from rtrecon.mailbox import Mailbox
from rtrecon.network import expose
from rtrecon.remote.messages import Message, State, Stimulus, text_of
from rtrecon.types import Comparison, Decoded, Frame, Presentation, Status, Trial
from rtrecon.wire import VIEW_TYPE, view_stream

log = logging.getLogger(__name__)

LOOK_S = 0.05  # between two looks at the session
REPEAT_S = 1.0  # everything again, for those that join later and as a sign of life
_BUFFER_S = 2  # kept for a view that does not read; then the oldest goes
FORMAT = "rtrecon-view-1"


class Published(Protocol):
    """A session that views may follow; everything is cheap, never blocks, any thread.

    What else of `rtrecon.display.watched.Watched` it has is told as well.
    """

    @property
    def status(self) -> Status:
        """A frozen snapshot."""
        ...

    @property
    def presentation(self) -> Presentation:
        """What may be put before a participant now."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        ...


class Publisher:
    """The outlet of docs/wire.md, "The view stream", in a thread of its own.

    It looks at the session as its own window does, twenty times a second, and tells what is new;
    whatever the session's threads do meanwhile, none of them waits for it. It tells no more than
    that window shows. While nobody listens it does nothing.

    Parameters
    ----------
    name : str
        Of the volume stream.
    session : Published

    Attributes
    ----------
    looks : int
        Moves as long as the thread does.
    """

    def __init__(self, name: str, session: Published) -> None:
        self._session = session
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(
            _info(name), max_buffered=_BUFFER_S
        )
        expose(view_stream(name), "guesses, pictures, stimuli and scores")
        self._said: dict[str, tuple[int, str]] = {}  # by kind: a number of what, and the message
        self._state: State | None = None
        self._repeat_at = 0.0
        self._failing: set[str] = set()
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="rtrecon-view-tell", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> str:
        """What views are not told, for the operator; empty where they are told everything."""
        failing = " and no ".join(sorted(self._failing))
        return f"no {failing} is told to remote screens: log.txt says why" if failing else ""

    def close(self) -> None:
        """Say how the session stands a last time, and take the stream off the network."""
        self._stop.set()
        self._thread.join(timeout=5.0)
        self._outlet = None

    def _tell(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(LOOK_S)
            self.looks += 1
            if self._outlet is None or not self._outlet.have_consumers():
                self._repeat_at = 0.0
                continue
            again = pylsl.local_clock() >= self._repeat_at
            if again:
                self._repeat_at = pylsl.local_clock() + REPEAT_S
            for say in (self._say_stimulus, self._say_frame, self._say_comparison, self._say_state):
                self._attempt(say, again)

    def _attempt(self, say: Callable[[bool], None], again: bool) -> None:
        """A view must not cost a session anything: what cannot be said is told once."""
        what = say.__name__.removeprefix("_say_")
        try:
            say(again)
        except Exception as error:
            if what not in self._failing:
                log.error("no %s is told to views: %s: %s", what, type(error).__name__, error)
            self._failing.add(what)
        else:
            self._failing.discard(what)

    def _say_stimulus(self, again: bool) -> None:
        """Before the frame that it belongs to."""
        session, frame = self._session, _frame_of(self._session)
        trial = frame.decoded.trial if frame else session.status.trial
        if trial is not None:
            self._say("stimulus", trial.number, lambda: _stimulus_of(session, trial), again)

    def _say_frame(self, again: bool) -> None:
        if (frame := _frame_of(self._session)) is not None:
            self._say("frame", frame.serial, lambda: frame, again)

    def _say_comparison(self, again: bool) -> None:
        comparison: Comparison | None = getattr(self._session, "comparison", None)
        if comparison is not None:
            self._say("comparison", _key(comparison), lambda: comparison, again)

    def _say_state(self, again: bool) -> None:
        trial, picture = self._said.get("stimulus", (-1, ""))
        state = _state_of(self._session, trial if picture else -1)
        before, self._state = self._state, state
        if again or before is None or not _same(state, before):
            self._push("state", text_of(state), again)

    def _say(self, kind: str, key: int, make: Callable[[], Message | None], again: bool) -> None:
        """A picture, made anew where its key is another."""
        before, text = self._said.get(kind, (-1, ""))
        if key != before:
            message = make()
            text = "" if message is None else text_of(message)
        self._push(kind, text, again, key)

    def _push(self, kind: str, text: str, again: bool, key: int = 0) -> None:
        """What is new once, and all of it again for those that join later."""
        new = self._said.get(kind) != (key, text)
        self._said[kind] = key, text
        if text and (new or again) and self._outlet is not None:
            self._outlet.push_sample([text])


@contextmanager
def told_to_views(name: str, session: Published, wanted: bool = True) -> Iterator[Publisher | None]:
    """Whatever runs, told to remote screens meanwhile, unless that is not wanted."""
    with closing(Publisher(name, session)) if wanted else nullcontext() as publisher:
        yield publisher


def _same(a: State, b: State) -> bool:
    """Whether neither tells more than the other; arrays are not compared."""
    return a.decoded is b.decoded and replace(a, decoded=None) == replace(b, decoded=None)


def _info(name: str) -> pylsl.StreamInfo:
    """Of a declared rate: for an irregular one liblsl keeps a hundred messages, not a second's."""
    stream = view_stream(name)
    info = pylsl.StreamInfo(stream, VIEW_TYPE, 1, 1 / LOOK_S, pylsl.cf_string, f"rtrecon-{stream}")
    info.desc().append_child("encoding").append_child_value("format", FORMAT)
    synchronization = info.desc().append_child("synchronization")
    synchronization.append_child_value("can_drop_samples", "true")
    return info


def _frame_of(session: Any) -> Frame | None:
    frames: Mailbox[Frame] | None = getattr(session, "frames", None)
    return frames.newest if frames is not None else session.presentation.frame


def _stimulus_of(session: Any, trial: Trial) -> Stimulus | None:
    image = session.stimulus(trial) if hasattr(session, "stimulus") else None
    return None if image is None else Stimulus(trial.number, image)


def _key(comparison: Comparison) -> int:
    """Another for each volume, and for each picture that joins."""
    there = (comparison.z_only is not None) + 2 * (comparison.control is not None)
    return 4 * comparison.decoded.volume + there


def _state_of(session: Any, stimulus: int) -> State:
    """As it stands. A session without decoder has no more than status and presentation."""
    decoded: Decoded | None = getattr(session, "decoded", None)
    presentation = session.presentation
    told = (
        "settings",
        "candidates",
        "stream_text",
        "decoder_text",
        "generator_text",
        "tr_s",
        "speed",
        "uncompared",
    )
    return State(
        session.status,
        replace(presentation, frame=None),
        presentation.frame.serial if presentation.frame else 0,
        stimulus,
        session.ended,
        decoded,
        **{name: getattr(session, name) for name in told if hasattr(session, name)},
    )
