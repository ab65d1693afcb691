"""The contract of docs/wire.md, both ways, and what breaks it is refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pylsl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrecon import wire
from rtrecon.errors import BadStream
from rtrecon.types import Event, Geometry, Marker, Times


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("number", [0, 1, 32_767, 32_768, 1_000_000])
def test_a_volume_survives_the_wire(toy_geometry: Geometry, dtype: str, number: int) -> None:
    geometry = Geometry(toy_geometry.shape, toy_geometry.affine, 2.0, dtype)
    data = np.random.default_rng(number).integers(-3000, 3000, geometry.shape).astype(dtype)
    sample = wire.sample_of(number, data, geometry)
    volume = wire.volume_of(sample[0], geometry, Times())
    assert volume.number == number
    np.testing.assert_array_equal(volume.data, data)
    assert not volume.data.flags.writeable


def test_the_first_axis_is_the_fastest(toy_geometry: Geometry) -> None:
    data = np.zeros(toy_geometry.shape, np.float32)
    data[2, 1, 3] = 7
    sample = wire.sample_of(0, data, toy_geometry)
    i, j, _ = toy_geometry.shape
    assert np.flatnonzero(sample[0]).tolist() == [wire.HEADER + 2 + i * 1 + i * j * 3]


def test_the_geometry_survives_the_description(toy_geometry: Geometry) -> None:
    read = wire.geometry_of(wire.volume_info("x", toy_geometry, "source"))
    assert (read.shape, read.tr_s, read.dtype, read.speed) == ((6, 5, 4), 2.0, "float32", 100.0)
    np.testing.assert_array_equal(read.affine, toy_geometry.affine)


def test_a_queue_never_holds_one_sample_only() -> None:
    for tr_s in (0.05, 0.72, 2.0, 60.0):
        for edge in (16, 64, 256):
            geometry = Geometry((edge, edge, edge), np.eye(4), tr_s)
            assert wire.buffer_s(geometry) / tr_s >= 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", "6 5"), ("shape", "6 5 5"), ("shape", "-6 5 4"), ("shape", "1e9 1 1"),
        ("affine", "1 2 3"), ("affine", " ".join(["0"] * 16)), ("affine", " ".join(["nan"] * 16)),
        ("tr_s", "0"), ("tr_s", "two"), ("speed", "-1"), ("speed", "1\n2"), ("speed", "inf"),
    ],
)  # fmt: skip
def test_a_description_at_odds_with_itself_is_refused(
    toy_geometry: Geometry, field: str, value: str
) -> None:
    info = wire.volume_info("x", toy_geometry, "source")
    assert info.desc().child("geometry").set_child_value(field, value)
    with pytest.raises(BadStream, match="stream 'x': .*docs/wire.md"):
        wire.geometry_of(info)


def test_a_foreign_stream_is_refused() -> None:
    info = pylsl.StreamInfo("eeg", wire.VOLUME_TYPE, 8, 250, pylsl.cf_float32, "eeg")
    with pytest.raises(BadStream, match="stream 'eeg': format is ''"):
        wire.geometry_of(info)


@pytest.mark.parametrize("header", [(0.5, 0), (-1, 0), (np.nan, 0), (40_000, 0), (np.inf, 1)])
def test_a_header_that_is_no_number_is_refused(
    toy_geometry: Geometry, header: tuple[float, float]
) -> None:
    sample = wire.sample_of(0, np.ones(toy_geometry.shape), toy_geometry)[0].copy()
    sample[:2] = header
    with pytest.raises(BadStream, match="no volume number"):
        wire.volume_of(sample, toy_geometry, Times())


def test_markers_survive_the_wire() -> None:
    for marker in (
        Marker(Event.TRIAL, "dog", 11.5, 12.0, "dog/1.png", "a photo of a dog", stamp=3.0),
        Marker(Event.RUN_START, stamp=3.0),
        Marker(Event.RUN_END, volumes=209, stamp=3.0),
    ):
        read = wire.marker_of(wire.text_of(marker), 3.0)
        assert wire.text_of(read) == wire.text_of(marker)
        assert read.event is marker.event


def test_a_plain_trial_type_is_a_trial() -> None:
    marker = wire.marker_of("dog", 4.5)
    assert (marker.event, marker.trial_type, marker.stamp) == (Event.TRIAL, "dog", 4.5)
    assert math.isnan(marker.onset_s)


def test_keys_of_other_senders_are_left_alone() -> None:
    assert wire.marker_of('{"trial_type": "dog", "psychopy": [1, 2]}', 0.0).trial_type == "dog"


@given(st.text(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from(["event", "onset_s", "volumes", "trial_type"]), inner),
).map(json.dumps))  # fmt: skip
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        marker = wire.marker_of(text, 0.0)
    except BadStream as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(marker.event, Event)
        assert isinstance(marker.trial_type, str)
        assert math.isnan(marker.onset_s) or abs(marker.onset_s) < 1e7


def test_slice_and_echo_times_survive_the_description(toy_geometry: Geometry) -> None:
    timed = replace(toy_geometry, slice_times_s=(0.0, 1.0, 0.5, 1.5), echo_times_s=(0.012, 0.03))
    info = wire.volume_info("x", timed, "source", acquired_from="header")
    read = wire.geometry_of(info)
    assert (read.slice_times_s, read.echo_times_s) == (timed.slice_times_s, timed.echo_times_s)
    assert info.desc().child("synchronization").child_value("acquired_from") == "header"


@pytest.mark.parametrize(
    ("field", "times"),
    [
        ("slice_times_s", (0.0, 1.0)), ("slice_times_s", (0.0, 1.0, -1.0, 2.0)),
        ("slice_times_s", (0.0, 1.0, math.nan, 2.0)), ("echo_times_s", (30.0,)),
        ("echo_times_s", (0.03,) * 17),
    ],
)  # fmt: skip
def test_slice_and_echo_times_out_of_bounds_are_refused(
    toy_geometry: Geometry, field: str, times: tuple[float, ...]
) -> None:
    info = wire.volume_info("x", replace(toy_geometry, **{field: times}), "source")
    with pytest.raises(BadStream, match=field):
        wire.geometry_of(info)
