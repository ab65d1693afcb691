"""Several programs send markers for one scanner: each is heard, once, whenever it comes and goes."""

import logging
import threading
from collections.abc import Iterator

import pylsl
import pytest
from pylsl.util import InternalError

from rtrecon import marker_inlets, wire
from rtrecon.marker_inlets import MarkerInlets
from rtrecon.receive import Receiver
from rtrecon.types import Event, Geometry, Marker, Volume
from rtrecon.wire import ScannerOutlet
from tests.toy import markers_of, send, toy_run


@pytest.fixture
def inlets(stream_name: str) -> Iterator[MarkerInlets]:
    opened = MarkerInlets(stream_name)
    yield opened
    opened.close()


class Program:
    """Whatever sends markers; it ends with `end`."""

    def __init__(self, name: str, source_id: str, format_: int = pylsl.cf_string) -> None:
        info = pylsl.StreamInfo(
            wire.marker_stream(name), wire.MARKER_TYPE, 1, pylsl.IRREGULAR_RATE, format_, source_id
        )
        self.outlet = pylsl.StreamOutlet(info)

    def say(self, *words: str, stamp: float = 0.0) -> None:
        for word in words:
            self.outlet.push_sample([word], stamp)

    def heard(self) -> bool:
        return bool(self.outlet.wait_for_consumers(20))

    def end(self) -> None:
        del self.outlet


def join(inlets: MarkerInlets, count: int) -> None:
    deadline = pylsl.local_clock() + 20
    while inlets.heard < count:
        assert pylsl.local_clock() < deadline
        assert list(inlets.pull(0)) == []


def words(markers: list[Marker]) -> list[str]:
    return [marker.trial_type for marker in markers]


def test_markers_of_two_programs_come_in_the_order_of_their_stamps(
    stream_name: str, inlets: MarkerInlets
) -> None:
    one, two = Program(stream_name, "one"), Program(stream_name, "two")
    join(inlets, 2)
    now = pylsl.local_clock()
    for n in range(4):
        one.say(f"{2 * n}", stamp=now + 2 * n)
        two.say(f"{2 * n + 1}", stamp=now + 2 * n + 1)
    inlets_have_all(inlets, 8)
    got = list(inlets.pull(0))
    assert words(got) == [str(n) for n in range(8)]
    assert [marker.stamp - now for marker in got] == pytest.approx(range(8), abs=0.01)


def inlets_have_all(inlets: MarkerInlets, count: int) -> None:
    deadline = pylsl.local_clock() + 20
    while sum(i._inlet.samples_available() for i in inlets._inlets.values()) < count:
        assert pylsl.local_clock() < deadline


def test_one_programs_order_stands_whatever_it_stamps(
    stream_name: str, inlets: MarkerInlets
) -> None:
    one, two = Program(stream_name, "one"), Program(stream_name, "two")
    join(inlets, 2)
    now = pylsl.local_clock()
    one.say("first", stamp=now + 9)
    one.say("second", stamp=now + 1)
    two.say("between", stamp=now + 5)
    assert [word for word in words(markers_of(inlets, 3)) if word != "between"] == [
        "first", "second",
    ]  # fmt: skip


@pytest.mark.parametrize("source_id", ["stimuli", ""])
def test_a_program_that_begins_again_is_heard_again(
    stream_name: str, inlets: MarkerInlets, source_id: str
) -> None:
    program = Program(stream_name, source_id)
    join(inlets, 1)
    program.say("before")
    assert words(markers_of(inlets, 1)) == ["before"]
    program.end()
    program = Program(stream_name, source_id)
    listening = threading.Thread(target=program.heard)
    listening.start()
    while listening.is_alive():
        assert list(inlets.pull(0.01)) == []
    program.say("after")
    assert words(markers_of(inlets, 1)) == ["after"]
    assert list(inlets.pull(0.1)) == []


def test_what_a_program_sent_before_it_ended_is_kept(
    stream_name: str, inlets: MarkerInlets
) -> None:
    program = Program(stream_name, "stimuli")
    join(inlets, 1)
    program.say("a", "b", "c")
    inlets_have_all(inlets, 3)
    program.end()
    assert words(list(inlets.pull(0))) == ["a", "b", "c"]


def test_two_programs_with_one_source_id_are_told(
    stream_name: str,
    inlets: MarkerInlets,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of them is heard, once, and the operator learns why the other is not."""
    monkeypatch.setattr("rtrecon.marker_inlets._FORGOTTEN_S", 0.1)
    both = [Program(stream_name, "same") for _ in range(2)]
    deadline = pylsl.local_clock() + 20
    with caplog.at_level(logging.WARNING):
        while not inlets.heard or "is there twice" not in caplog.text:
            assert pylsl.local_clock() < deadline
            assert list(inlets.pull(0.01)) == []
    for program in both:
        program.say("dog")
    assert words(markers_of(inlets, 1)) == ["dog"]
    assert list(inlets.pull(0.2)) == []
    assert caplog.text.count("is there twice") == 1


def test_a_stream_of_numbers_is_told_and_harms_nothing(
    stream_name: str, inlets: MarkerInlets, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = Program(stream_name, "eeg", pylsl.cf_int32)
    program = Program(stream_name, "stimuli")
    with caplog.at_level(logging.WARNING):
        join(inlets, 1)
        while "is not one string channel" not in caplog.text:
            assert list(inlets.pull(0.01)) == []
        numbers.outlet.push_sample([7])
        program.say('{"event": "nonsense"}', "dog")
        assert words(markers_of(inlets, 1)) == ["dog"]
    assert "a marker was skipped" in caplog.text


def test_a_program_that_joins_a_run_under_way_keeps_no_volume_waiting(
    stream_name: str, toy_geometry: Geometry
) -> None:
    """Volumes are sent one by one as they come out, while a second program connects."""
    scanner = ScannerOutlet(stream_name, toy_geometry)
    receiver = Receiver(stream_name, 10.0, 20.0, threading.Event())
    got: list[Volume | Marker] = []
    came = threading.Condition()

    def read() -> None:
        for item in receiver:
            with came:
                got.append(item)
                came.notify_all()

    reader = threading.Thread(target=read)
    reader.start()
    assert scanner.wait_for_receiver(10.0)
    volumes = [item for item in toy_run(toy_geometry, 400) if isinstance(item, Volume)]
    start, number, longest_s = pylsl.local_clock(), 0, 0.0

    def one_more() -> None:
        nonlocal number, longest_s
        sent = pylsl.local_clock()
        send(scanner, iter(volumes[number : number + 1]), start)
        with came:
            assert came.wait_for(lambda: got and numbers(got)[-1:] == [number], timeout=10)
        longest_s = max(longest_s, pylsl.local_clock() - sent)
        number += 1

    one_more()
    longest_s = 0.0  # the first one may wait for streams that are just connecting
    pulses = Program(stream_name, "pulses")
    while not pulses.outlet.have_consumers():
        one_more()
    joined_at = number
    pulses.say('{"event": "trigger"}')
    with came:
        assert came.wait_for(lambda: isinstance(got[-1], Marker), timeout=10)
    scanner.send_marker(Marker(Event.RUN_END, volumes=number), pylsl.local_clock())
    reader.join(timeout=20)
    receiver.close()
    assert joined_at > 3  # of so many volumes none waited for the connection
    assert longest_s < 0.5
    events = [item.event for item in got if isinstance(item, Marker)]
    assert events == [Event.TRIGGER, Event.RUN_END]


def numbers(items: list[Volume | Marker]) -> list[int]:
    return [item.number for item in items if isinstance(item, Volume)]


def test_a_program_that_cannot_be_joined_is_tried_again(
    stream_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for an error of LSL that nobody has met is it taken for one that is just joining."""

    def fails(info: pylsl.StreamInfo, **_: object) -> None:
        raise InternalError("an internal error has occurred.")

    monkeypatch.setattr(marker_inlets, "_Inlet", fails)
    inlets = MarkerInlets(stream_name)
    inlets._join("a program", wire.marker_info(stream_name, "a program"))
    assert inlets._connected.get_nowait() == ("a program", None)
    inlets.close()
