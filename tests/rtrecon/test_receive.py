"""Real LSL streams: everything arrives once, in order, and what is wrong is counted and told."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pylsl
import pytest

from rtrecon import wire
from rtrecon.errors import BadStream, StreamMissing
from rtrecon.receive import Receiver
from rtrecon.types import Event, Geometry, Marker, Volume
from rtrecon.wire import ScannerOutlet
from tests.told import eventually
from tests.toy import send, toy_run

TR_S = 2.0


def receive(
    name: str,
    geometry: Geometry,
    items: Iterable[Volume | Marker],
    until_idle_s: float = 20.0,
    since_connecting_s: float = 0.0,
) -> tuple[list[Volume | Marker], Receiver]:
    """Send items over a real stream and collect what comes out."""
    return listening(
        name,
        geometry,
        until_idle_s,
        lambda outlet: send(outlet, iter(items), pylsl.local_clock()),
        since_connecting_s,
    )


def listening(
    name: str,
    geometry: Geometry,
    until_idle_s: float,
    scan: Callable[[ScannerOutlet], None],
    since_connecting_s: float = 0.0,
) -> tuple[list[Volume | Marker], Receiver]:
    """Let a scanner send what it likes and collect what comes out."""
    outlet = ScannerOutlet(name, geometry)
    receiver = Receiver(name, 10.0, until_idle_s, threading.Event())
    receiver.last_received -= since_connecting_s
    got: list[Volume | Marker] = []
    reader = threading.Thread(target=lambda: got.extend(receiver))
    reader.start()
    assert outlet.wait_for_receiver(10.0)
    scan(outlet)
    reader.join(timeout=30)
    assert not reader.is_alive()
    receiver.close()
    return got, receiver


def volumes(items: Iterable[Volume | Marker]) -> list[Volume]:
    return [item for item in items if isinstance(item, Volume) and not item.fault]


def for_the_record(items: Iterable[Volume | Marker]) -> list[tuple[int, str]]:
    return [(i.number, i.fault) for i in items if isinstance(i, Volume) and i.fault]


def trials(items: Iterable[Volume | Marker]) -> list[Marker]:
    return [i for i in items if isinstance(i, Marker) and i.event is Event.TRIAL]


def test_a_run_arrives_whole_and_in_order(stream_name: str, toy_geometry: Geometry) -> None:
    sent = list(toy_run(toy_geometry, 30))
    got, receiver = receive(stream_name, toy_geometry, sent)
    for a, b in zip(volumes(sent), volumes(got), strict=True):
        assert a.number == b.number
        np.testing.assert_array_equal(a.data, b.data)
    assert [m.onset_s for m in trials(got)] == [m.onset_s for m in trials(sent)]
    assert got[-1] == Marker(Event.RUN_END, volumes=30, stamp=got[-1].stamp)  # type: ignore[union-attr]
    counts = receiver.counts
    assert (counts.received, counts.lost, counts.duplicate, counts.rejected) == (30, 0, 0, 0)


def test_what_waited_at_a_cut_is_not_lost_while_nobody_reads(
    stream_name: str, toy_geometry: Geometry
) -> None:
    """All that the sender keeps comes at once, and what is sent from then on, before the first is read."""
    geometry = replace(toy_geometry, speed=4.0)  # 2 volumes a second
    kept = round(wire.buffer_s(geometry) * geometry.speed / geometry.tr_s)
    assert kept > 2 * 60 + 1  # of a cut of a minute, and the one after it
    outlet = ScannerOutlet(stream_name, geometry)
    receiver = Receiver(stream_name, 10.0, 20.0, threading.Event())
    assert outlet._volumes.wait_for_consumers(10.0)
    sent = volumes(toy_run(geometry, kept + 20))
    arrived = threading.Event()
    for part in range(0, len(sent), 50):
        send(outlet, iter(sent[part : part + 50]), pylsl.local_clock())
        deadline = pylsl.local_clock() + 10
        while receiver.waiting < min(part + 50, len(sent)) and pylsl.local_clock() < deadline:
            arrived.wait(0.01)
    assert receiver.waiting == len(sent)
    got: list[int] = []
    for item in receiver:
        got += [item.number] if isinstance(item, Volume) else []
        if len(got) == len(sent):
            break
    receiver.close()
    assert got == list(range(len(sent)))


def test_times_are_on_the_local_clock(stream_name: str, toy_geometry: Geometry) -> None:
    before = pylsl.local_clock()
    got, _ = receive(stream_name, toy_geometry, toy_run(toy_geometry, 5))
    for number, volume in enumerate(volumes(got)):
        late = volume.times.acquired - before - (number + 1) * TR_S / toy_geometry.speed
        assert -0.01 < late < 20
        assert before < volume.times.received <= pylsl.local_clock()


def test_lost_and_doubled_volumes_are_counted(
    stream_name: str, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    items: list[Volume | Marker] = []
    for item in toy_run(toy_geometry, 12):
        if isinstance(item, Volume) and item.number in {3, 4, 11}:
            continue
        items += [item, item] if isinstance(item, Volume) and item.number == 6 else [item]
    with caplog.at_level(logging.WARNING):
        got, receiver = receive(stream_name, toy_geometry, items)
    assert [v.number for v in volumes(got)] == [0, 1, 2, 5, 6, 7, 8, 9, 10]
    assert for_the_record(got) == [(6, "came again")]
    assert (receiver.counts.lost, receiver.counts.duplicate) == (3, 1)
    assert "2 volume(s) lost before volume 5" in caplog.text
    assert "volume 6 came again" in caplog.text
    assert "1 volume(s) lost at the end of the run" in caplog.text


@pytest.mark.parametrize(("value", "said"), [(np.nan, "not finite"), (7.0, "constant")])
def test_a_volume_without_a_picture_of_the_brain_is_rejected(
    stream_name: str,
    toy_geometry: Geometry,
    value: float,
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = np.full(toy_geometry.shape, value, np.float32)
    items = [Volume(i.number, bad) if isinstance(i, Volume) and i.number == 4 else i
             for i in toy_run(toy_geometry, 8)]  # fmt: skip
    got, receiver = receive(stream_name, toy_geometry, items)
    assert 4 not in [v.number for v in volumes(got)]
    assert [(n, fault.startswith(said)) for n, fault in for_the_record(got)] == [(4, True)]
    assert (receiver.counts.received, receiver.counts.rejected) == (7, 1)
    assert receiver.counts.lost == 0
    assert f"volume 4 is {said}" in caplog.text


def test_a_plain_marker_gets_its_onset_from_its_stamp(
    stream_name: str, toy_geometry: Geometry
) -> None:
    def scan(outlet: ScannerOutlet) -> None:
        start, tr_wall_s = pylsl.local_clock(), TR_S / toy_geometry.speed
        outlet._markers.push_sample(["dog"], start + 2.5 * tr_wall_s)
        send(outlet, iter(volumes(toy_run(toy_geometry, 6))), start)
        outlet.send_marker(Marker(Event.RUN_END, volumes=6), start)

    got, _ = listening(stream_name, toy_geometry, 20.0, scan)
    (marker,) = trials(got)
    assert marker.trial_type == "dog"
    assert marker.onset_s == pytest.approx(2.5 * TR_S, abs=0.05)


def test_a_restarted_scanner_begins_a_new_run(
    stream_name: str, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    def scan(outlet: ScannerOutlet) -> None:
        start = pylsl.local_clock()
        send(outlet, iter(volumes(toy_run(toy_geometry, 5))), start)
        send(outlet, iter(volumes(toy_run(toy_geometry, 4))), start + 60)
        outlet.send_marker(Marker(Event.RUN_END), start + 70)

    got, receiver = listening(stream_name, toy_geometry, 20.0, scan)
    assert [v.number for v in volumes(got)] == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert receiver.counts.duplicate == 0
    assert "taken as a new run" in caplog.text


def test_an_end_that_is_through_before_the_volumes_of_its_run_loses_none(
    stream_name: str, toy_geometry: Geometry
) -> None:
    """The run before had more volumes than the new one has: that count says nothing of its end."""
    outlet = ScannerOutlet(stream_name, toy_geometry)
    receiver = Receiver(stream_name, 10.0, 20.0, threading.Event())
    got: list[Volume | Marker] = []
    reader = threading.Thread(target=lambda: got.extend(receiver))
    reader.start()
    assert outlet.wait_for_receiver(10.0)
    start = pylsl.local_clock()
    send(outlet, iter(volumes(toy_run(toy_geometry, 12))), start)
    eventually(lambda: receiver.at == 11)
    outlet.send_marker(Marker(Event.RUN_END, volumes=4), start + 70)
    eventually(lambda: receiver._end is not None)
    send(outlet, iter(volumes(toy_run(toy_geometry, 4))), start + 60)
    reader.join(30)
    receiver.close()
    assert [v.number for v in volumes(got)] == [*range(12), *range(4)]
    assert receiver.counts.lost == receiver.counts.duplicate == 0


def test_a_number_that_comes_again_is_no_new_run_whatever_its_stamp(
    stream_name: str, toy_geometry: Geometry
) -> None:
    """Of a bridge that stamps what it sends when it sends it; volume 12 comes when all else has."""
    data = {v.number: v.data for v in volumes(toy_run(toy_geometry, 13))}
    order = [0, 0, 1, 3, 2, 4, 5, 4, 6, 7, 8, 3, 9, 11, 10]
    tr_wall_s = TR_S / toy_geometry.speed

    def scan(outlet: ScannerOutlet) -> None:
        start = pylsl.local_clock()
        for n, number in enumerate(order):
            outlet.send_volume(number, data[number], start + n * tr_wall_s)
        outlet.send_volume(0, data[0], start + 300)  # nothing tells what it is
        outlet.send_marker(Marker(Event.RUN_END, volumes=13), start + 300)

    got, receiver = listening(stream_name, toy_geometry, 20.0, scan)
    assert [v.number for v in volumes(got)] == [0, 1, 3, 4, 5, 6, 7, 8, 9, 11]
    late, again = "came late", "came again"
    assert sorted(for_the_record(got)) == [
        (0, again), (0, again), (2, late), (3, again), (4, again), (10, late)
    ]  # fmt: skip
    assert not [i for i in got if isinstance(i, Marker) and i.event is Event.RUN_START]
    counts = receiver.counts
    assert (counts.received, counts.lost, counts.duplicate, counts.rejected) == (10, 1, 4, 2)


def test_markers_that_no_volume_came_for_are_recorded(
    stream_name: str, toy_geometry: Geometry
) -> None:
    def scan(outlet: ScannerOutlet) -> None:
        outlet.send_text(b"dog", pylsl.local_clock())
        outlet.send_marker(Marker(Event.RUN_END, volumes=0), pylsl.local_clock())

    got, _ = listening(stream_name, toy_geometry, 20.0, scan)
    assert [m.trial_type for m in trials(got)] == ["dog"]


def test_a_silent_stream_ends_when_told_to(
    stream_name: str, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    cut = [item for item in toy_run(toy_geometry, 6) if not _is_end(item)]
    got, _ = receive(stream_name, toy_geometry, cut, until_idle_s=3.0)
    assert len(volumes(got)) == 6
    assert "is silent since volume 5" in caplog.text
    assert "ended as --until-idle says" in caplog.text


def _is_end(item: Volume | Marker) -> bool:
    return isinstance(item, Marker) and item.event is Event.RUN_END


def test_time_before_anybody_listened_is_no_silence(
    stream_name: str, toy_geometry: Geometry
) -> None:
    """What is loaded after connecting may take long: it must not end the session it is for."""
    sent = list(toy_run(toy_geometry, 5))
    got, _ = receive(stream_name, toy_geometry, sent, until_idle_s=10.0, since_connecting_s=60.0)
    assert len(volumes(got)) == 5


def test_a_missing_stream_is_told_with_what_there_is(
    stream_name: str, toy_geometry: Geometry
) -> None:
    outlet = ScannerOutlet(stream_name, toy_geometry)
    with pytest.raises(
        StreamMissing, match=f"no volume stream 'nobody' within 2 s .*{stream_name}"
    ):
        Receiver("nobody", 2.0, None, threading.Event())
    del outlet


def test_two_scanners_of_one_name_are_refused(stream_name: str, toy_geometry: Geometry) -> None:
    both = [ScannerOutlet(stream_name, toy_geometry, source_id=f"s{n}") for n in range(2)]
    with pytest.raises(BadStream, match="2 volume streams are named"):
        Receiver(stream_name, 5.0, None, threading.Event())
    del both


def test_a_second_scanners_markers_are_not_heard_and_another_programs_are(
    stream_name: str,
    toy_geometry: Geometry,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever their computers: a scanner's own marker stream is known by its source id."""
    first = ScannerOutlet(stream_name, toy_geometry)
    receiver = Receiver(stream_name, 10.0, 20.0, threading.Event())
    got: list[Volume | Marker] = []
    reader = threading.Thread(target=lambda: got.extend(receiver))
    reader.start()
    assert first.wait_for_receiver(10.0)
    monkeypatch.setattr("rtrecon.lookout._FORGOTTEN_S", 0.1)
    second = ScannerOutlet(stream_name, replace(toy_geometry, shape=(6, 5, 3)), "second")
    third = ScannerOutlet(stream_name, toy_geometry, "third")
    stimuli = pylsl.StreamOutlet(wire.marker_info(stream_name, "stimuli"))
    oddly_called = pylsl.StreamOutlet(wire.marker_info(stream_name, "psychopy-markers"))
    twin = ScannerOutlet(stream_name, toy_geometry)
    run = iter(volumes(toy_run(toy_geometry, 2000)))
    start, number, pause = pylsl.local_clock(), -1, threading.Event()
    told = ("the other scanner 'third' are not heard", "is there twice, and only one is heard")
    with caplog.at_level(logging.WARNING):
        while not (
            all(line in caplog.text for line in told)
            and stimuli.have_consumers()
            and oddly_called.have_consumers()
        ):
            assert pylsl.local_clock() < start + 30
            number += 1
            send(first, iter([next(run)]), start)
            pause.wait(0.02)
    assert not any(scanner.has_receiver for scanner in (second, third, twin))
    for scanner in (second, third, twin):
        scanner.send_text(b"theirs", pylsl.local_clock())
    stimuli.push_sample(["cat"])
    oddly_called.push_sample(["dog"])
    first.send_marker(Marker(Event.RUN_END, volumes=number + 1), pylsl.local_clock())
    reader.join(30)
    receiver.close()
    assert [marker.trial_type for marker in trials(got)] == ["cat", "dog"]
    assert receiver.counts.received == number + 1


def test_who_is_left_alone_keeps_what_came_of_a_scanner_that_is_gone(
    stream_name: str, toy_geometry: Geometry
) -> None:
    """As long as another listens LSL keeps nothing; then each volume is still read once."""
    scanner = [ScannerOutlet(stream_name, toy_geometry)]
    alone, first = threading.Event(), scanner[0].uid
    receiver = Receiver(
        stream_name, 10.0, 20.0, threading.Event(), lambda uid: alone.is_set() or uid == first
    )
    usual = receiver._volumes
    sent = volumes(toy_run(toy_geometry, 400))
    coming, got, start = iter(receiver), [], pylsl.local_clock()

    def one_more() -> None:
        send(scanner[0], iter(sent[len(got) : len(got) + 1]), start)
        got.append(next(item for item in coming if isinstance(item, Volume)).number)

    for _ in range(3):
        one_more()
    assert receiver._volumes is usual
    alone.set()
    while receiver._volumes is usual:
        assert len(got) < 380
        one_more()
        threading.Event().wait(0.02)
    count = len(got) + 10
    send(scanner[0], iter(sent[len(got) : count]), start)
    while receiver.waiting < 10:
        assert pylsl.local_clock() < start + 30
    scanner.clear()
    pylsl.resolve_byprop("name", "nobody", 1, 0.5)
    while len(got) < count:
        got.append(next(item for item in coming if isinstance(item, Volume)).number)
    receiver.close()
    assert got == list(range(count))
    assert receiver.counts.lost == receiver.counts.duplicate == 0
