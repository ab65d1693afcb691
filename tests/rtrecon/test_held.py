"""What a keeper holds, and what of it is on disk: whatever the moment of the kill, each volume once."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon import held
from rtrecon.held import Counted, Held, OnDisk
from rtrecon.session_folder import SessionFolder
from rtrecon.types import Event, Geometry, Marker, Times, Volume, VolumeCounts

NEAR_S = 0.01
GEOMETRY = Geometry((2, 2, 2), np.eye(4), 2.0, "int16", 100.0)


def volume(number: int, stamp: float, fault: str = "") -> Volume:
    return Volume(number, np.full((2, 2, 2), number, np.int16), Times(stamp, stamp), fault)


def on_disk(items: list[Volume | Marker]) -> OnDisk:
    """A folder with these in it."""
    volumes = [item for item in items if isinstance(item, Volume)]
    rows = [
        {"number": f"{v.number}", "acquired": f"{v.times.acquired:.6f}", "fault": "n/a"}
        for v in volumes
    ]
    markers = [(0, item) for item in items if isinstance(item, Marker)]
    data = np.zeros((len(rows), 2, 2, 2), np.int16)
    return OnDisk(SessionFolder(Path(), {}, GEOMETRY, data, rows, markers))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_each_volume_is_kept_once_whatever_the_moment(data: st.DataObject) -> None:
    """Any share of the stream is on disk, told, held, or still on its way, when the session dies.

    The scanner may have begun anew in between, and sent some twice.
    """
    numbers = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=12))
    stream: list[Volume | Marker] = []
    for place, number in enumerate(numbers):
        stream.append(volume(number, place * 0.02))
        if data.draw(st.booleans()):
            stream.append(Marker(Event.TRIAL, f"t{place}", stamp=place * 0.02))
    recorded = stream[: data.draw(st.integers(0, len(stream)))]
    came = data.draw(st.integers(0, len(stream)))
    there = [item for item in recorded if isinstance(item, Volume)]
    told = data.draw(st.integers(0, len(there)))
    keeper = Held(NEAR_S)
    tells_at = data.draw(st.integers(0, came))
    for place, item in enumerate(stream[:came]):
        if place == tells_at and told:
            keeper.forget(there[told - 1].number, there[told - 1].times.acquired)
        shift = data.draw(st.floats(-0.003, 0.003))  # its clock measurements are its own
        keeper.add(_shifted(item, shift))
    disk = on_disk(recorded)
    kept = keeper.not_on(disk)
    kept += [item for item in stream[came:] if not disk.has(item, NEAR_S)]
    got = recorded + kept
    assert [v.number for v in got if isinstance(v, Volume)] == numbers
    assert [m.trial_type for m in got if isinstance(m, Marker)] == [
        m.trial_type for m in stream if isinstance(m, Marker)
    ]


def _shifted(item: Volume | Marker, shift: float) -> Volume | Marker:
    if isinstance(item, Volume):
        return volume(item.number, item.times.acquired + shift)
    return Marker(item.event, item.trial_type, stamp=item.stamp + shift)


def test_what_is_too_much_costs_the_oldest_and_is_told(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(held, "HELD_BYTES", 3 * volume(0, 0.0).data.nbytes)
    keeper = Held(NEAR_S)
    for number in range(5):
        keeper.add(volume(number, number * 0.02))
        keeper.add(Marker(Event.TRIAL, f"t{number}", stamp=number * 0.02))
    assert [number for number, _ in keeper.dropped] == [0, 1]
    kept = keeper.not_on(on_disk([]))
    assert [item.number for item in kept if isinstance(item, Volume)] == [2, 3, 4]
    assert len([item for item in kept if isinstance(item, Marker)]) == 5
    keeper.forget(3, 0.06)
    assert not keeper.dropped
    assert [i.number for i in keeper.not_on(on_disk([])) if isinstance(i, Volume)] == [4]


def test_what_was_recorded_is_counted_as_its_session_would_have() -> None:
    counted = Counted()
    for item in (
        Marker(Event.RUN_START), volume(0, 0.0), volume(2, 1.0), volume(2, 1.0, "came again"),
        volume(3, 2.0, "constant"), Marker(Event.RUN_START), volume(1, 3.0),
        Marker(Event.RUN_END, volumes=4),
    ):  # fmt: skip
        counted.add(item)
    assert counted.counts == VolumeCounts(received=3, lost=4, duplicate=1, rejected=1)
