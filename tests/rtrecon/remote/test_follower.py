"""A publisher and its followers over real streams, in one process."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pylsl
import pytest

from rtrecon.config import Settings
from rtrecon.remote import Follower, Publisher, follower, publisher
from rtrecon.remote.messages import message_of
from rtrecon.types import Frame, Phase, Trial
from rtrecon.wire import VIEW_TYPE, view_stream
from tests.rtrecon.remote.conftest import Told

Publish = Callable[[object], Publisher]
Follow = Callable[..., Follower]


@pytest.fixture(autouse=True)
def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the time between signs of life, and without any; tests/test_views.py has them whole."""
    monkeypatch.setattr(publisher, "REPEAT_S", 0.33)
    monkeypatch.setattr(follower, "UNHEARD_S", 1.0)


def until(holds: Callable[[], object], timeout_s: float = 20.0) -> float:
    """How long it took."""
    start, pause = pylsl.local_clock(), threading.Event()
    while not holds():
        assert pylsl.local_clock() - start < timeout_s
        pause.wait(0.005)
    return pylsl.local_clock() - start


def test_what_a_session_shows_is_seen_from_elsewhere(
    told: Told, publish: Publish, follow: Follow
) -> None:
    view = follow()
    assert view.status.phase is Phase.UNHEARD
    assert view.presentation.blank
    assert not view.ended
    told.pictures[1] = np.full((24, 24, 3), 77, np.uint8)
    told.settings = Settings(steps=7)
    publish(told)
    until(lambda: view.heard)
    frame = told.draw(9)
    seen: list[Frame | None] = []
    until(lambda: seen.append(view.frames.take()) or seen[-1])
    assert seen[-1] is not None
    np.testing.assert_array_equal(seen[-1].images, frame.images)
    assert seen[-1].decoded.trial == frame.decoded.trial
    # one machine has one clock: what is left is the error of its measurement
    assert abs(seen[-1].times.drawn - frame.times.drawn) < 0.005
    np.testing.assert_array_equal(view.stimulus(frame.decoded.trial), told.pictures[1])
    assert view.stimulus(Trial(2, "cat", 0.0, 1.0)) is None
    until(lambda: view.decoded)
    assert view.status == replace(told.status, arrival=view.status.arrival)
    assert view.settings == told.settings
    assert view.candidates == told.candidates
    assert view.presentation.frame is seen[-1]
    assert not view.presentation.blank
    assert view.stream_text.startswith("read only, from ")
    view.settings = Settings(steps=1)
    view.start()
    view.stop()
    assert told.settings == Settings(steps=7)
    assert view.ended  # this view
    assert not told.ended


def test_who_joins_late_gets_the_last_picture_at_once(
    told: Told, publish: Publish, follow: Follow
) -> None:
    publish(told)
    first = follow()
    until(lambda: first.heard)
    frame = told.draw(3)
    until(lambda: first.frames.newest)
    late = follow()
    until(lambda: late.heard)
    assert until(lambda: late.frames.newest) < 1.5
    np.testing.assert_array_equal(late.frames.newest.images, frame.images)  # type: ignore[union-attr]


def test_nothing_is_looked_at_while_nobody_listens(
    told: Told, publish: Publish, follow: Follow
) -> None:
    publish(told)
    threading.Event().wait(0.3)  # six looks
    assert told.looked == 0
    view = follow()
    until(lambda: view.heard)
    assert told.looked > 0
    view.close()
    until(lambda: quiet(told))


def quiet(told: Told) -> bool:
    before = told.looked
    threading.Event().wait(0.2)
    return told.looked == before


def test_who_is_no_operator_never_holds_what_only_operators_see(
    told: Told, publish: Publish, follow: Follow
) -> None:
    told.pictures[1] = np.full((24, 24, 3), 77, np.uint8)
    frame = told.draw(1)
    publish(told)
    operator, participant = follow(), follow("participant")
    until(lambda: operator.frames.newest and participant.presentation.frame)
    assert operator.stimulus(frame.decoded.trial) is not None
    assert participant.stimulus(frame.decoded.trial) is None
    assert participant.decoded is None
    assert participant.frames.newest is None
    told.shows = frozenset({"instruction"})
    until(lambda: participant.presentation.shows == told.shows)
    assert participant.presentation.frame is None


def test_a_session_that_falls_silent_is_said_to_be_unheard_and_found_again(
    told: Told, publish: Publish, follow: Follow
) -> None:
    """Ending its stream is what a killed session does; the next has another identity."""
    view = follow()
    first = publish(told)
    until(lambda: view.heard)
    session = view.session
    told.draw(5)
    until(lambda: view.presentation.frame)
    first.close()
    until(lambda: view.status.phase is Phase.UNHEARD)
    assert view.presentation.blank
    assert not view.ended
    publish(Told())
    assert until(lambda: view.heard) < 5.0
    assert view.session != session
    assert view.presentation.frame is None  # another session's picture is none of this one's
    assert view.frames.take() is None


def test_nothing_is_left_of_a_picture_once_the_participant_has_stopped(
    told: Told, publish: Publish, follow: Follow
) -> None:
    """Not even one that waits for its stimulus, or for a window to take it."""
    publish(told)
    view = follow()
    until(lambda: view.heard)
    told.draw(3)
    until(lambda: view.frames.peek() and view.presentation.frame)
    told.frames.clear()
    told.decoded = None
    told.become(phase=Phase.WITHDRAWN)
    until(lambda: view.status.phase is Phase.WITHDRAWN)
    until(lambda: view.decoded is None)
    assert view.frames.take() is None
    assert view.presentation.frame is None


def test_who_has_stopped_one_run_may_stop_the_next(
    told: Told, publish: Publish, follow: Follow
) -> None:
    view = follow("participant")
    first = publish(told)
    until(lambda: view.heard)
    view.withdraw()
    assert view.presentation.blank
    told.become(phase=Phase.WITHDRAWN)
    told.ended = True
    until(lambda: not view._withdrawal.is_alive())  # type: ignore[union-attr]
    assert view.presentation.phase is Phase.WITHDRAWN
    first.close()
    second = Told()
    publish(second)
    until(lambda: view.status.phase is Phase.RUNNING)
    assert not view.presentation.blank
    view.withdraw()
    assert view.presentation.blank
    second.become(phase=Phase.WITHDRAWN)
    until(lambda: not view._withdrawal.is_alive())  # type: ignore[union-attr]


def test_the_end_of_a_session_is_no_silence(told: Told, publish: Publish, follow: Follow) -> None:
    view = follow()
    outlet = publish(told)
    until(lambda: view.heard)
    told.become(phase=Phase.ENDED)
    told.ended = True
    until(lambda: view.ended)
    outlet.close()
    until(lambda: not view.heard)
    assert view.status.phase is Phase.ENDED


def test_one_without_decoder_is_seen_as_well(publish: Publish, follow: Follow) -> None:
    """Anything that has a status and a presentation."""

    class Bare:
        status, presentation, ended = Told().status, Told().presentation, False

    publish(Bare())
    view = follow("spectator")
    until(lambda: view.heard)
    assert view.status.phase is Phase.RUNNING


def test_a_session_whose_picture_fails_is_seen_without(
    told: Told, publish: Publish, follow: Follow, caplog: pytest.LogCaptureFixture
) -> None:
    """And told once in the log; the next picture is seen again."""
    broken = told.draw(1)
    told.frames.put(replace(broken, images=np.zeros(3, np.uint8)))
    publish(told)
    view = follow()
    until(lambda: view.heard)
    assert view.frames.newest is None
    told.draw(2)
    until(lambda: view.frames.newest)
    assert caplog.text.count("no frame is told to views") == 1


def test_a_stream_of_nonsense_is_counted_and_a_better_one_found(
    told: Told, publish: Publish, follow: Follow, stream_name: str
) -> None:
    name = view_stream(stream_name)
    nonsense = pylsl.StreamOutlet(
        pylsl.StreamInfo(name, VIEW_TYPE, 1, 20.0, pylsl.cf_string, "nonsense")
    )
    numbers = pylsl.StreamOutlet(
        pylsl.StreamInfo(name, VIEW_TYPE, 1, 20.0, pylsl.cf_float32, "numbers")
    )
    view = follow()
    until(lambda: nonsense.have_consumers() or numbers.have_consumers())
    assert not numbers.have_consumers()  # though it is the newer
    for text in ("", "{}", "[" * 100_000, b"\xff\xfe", json.dumps({"kind": "state"}), "null"):
        nonsense.push_sample([text])
    until(lambda: view.bad == 6)
    assert not view.heard
    publish(told)
    until(lambda: view.heard)
    assert view.status.phase is Phase.RUNNING


def test_the_stream_can_be_read_with_pylsl_alone(
    told: Told, publish: Publish, stream_name: str
) -> None:
    told.draw(2)
    publish(told)
    (found,) = pylsl.resolve_byprop("name", view_stream(stream_name), 1, 10)
    inlet = pylsl.StreamInlet(found, max_buflen=2, recover=False)
    inlet.open_stream(timeout=10)
    kinds = set()
    while kinds != {"frame", "state"}:
        (text,), _ = inlet.pull_sample(timeout=10)
        kinds.add(json.loads(text)["kind"])
        message_of(text)
    del inlet
