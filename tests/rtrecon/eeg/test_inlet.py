"""EEG streams over real LSL: what is refused, what comes through, and what is found again."""

import threading
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import numpy as np
import pylsl
import pytest
from pylsl.util import InternalError

from rtrecon.eeg import inlet as inlet_module
from rtrecon.eeg.inlet import Chunk, EegInlet, gaps_in
from rtrecon.eeg.signal import chosen, signal_of
from rtrecon.errors import BadStream, StreamMissing
from simulator.eeg import Plan, info_of

NOBODY = threading.Event()


def make_info(
    name: str, channels: int = 4, rate: float = 200.0, format_: str = "float32", source: str = ""
) -> pylsl.StreamInfo:
    return pylsl.StreamInfo(name, "EEG", channels, rate, format_, source or uuid4().hex)


@pytest.fixture
def name() -> str:
    return f"eeg-{uuid4().hex}"


@pytest.fixture
def joined() -> Iterator[Callable[[str], EegInlet]]:
    opened: list[EegInlet] = []

    def join(name: str) -> EegInlet:
        opened.append(EegInlet(name, 10.0, NOBODY))
        return opened[-1]

    yield join
    for inlet in opened:
        inlet.close()


def until(
    inlet: EegInlet, enough: Callable[[list[Chunk]], bool], send: Callable[[], object] = list
) -> list[Chunk]:
    """Pull until it is enough; `send` is called in each turn."""
    chunks: list[Chunk] = []
    deadline = time.monotonic() + 15
    while not enough(chunks):
        assert time.monotonic() < deadline
        send()
        chunks += inlet.pull()
        NOBODY.wait(0.01)
    return chunks


def count(chunks: list[Chunk]) -> int:
    return sum(len(chunk.stamps) for chunk in chunks)


@pytest.mark.parametrize(
    ("channels", "rate", "format_", "said"),
    [
        (1, 0, "float32", "a rate of 0 Hz"),
        (4, 5, "float32", "a rate of 5 Hz"),
        (4, 250_000, "float32", "a rate of 250000 Hz"),
        (4, 50, "float32", "a rate of 50 Hz"),
        (4, 250, "string", "values must be float32, float64, int16 or int32"),
        (4, 250, "int8", "values must be float32"),
        (2000, 250, "float32", "2000 channels: 1 to 1024 are read"),
    ],
)
def test_what_is_no_eeg_is_refused_in_one_line(
    name: str, channels: int, rate: float, format_: str, said: str
) -> None:
    outlet = pylsl.StreamOutlet(make_info(name, channels, rate, format_))
    with pytest.raises(BadStream, match=said):
        EegInlet(name, 10.0, NOBODY)
    del outlet


def test_samples_that_lsl_cannot_take_are_refused_before_anything_is_made_for_them() -> None:
    """Of the largest and fastest that EEG has, liblsl would write behind its memory."""
    with pytest.raises(BadStream, match="claims 1024 channels at 200000 Hz"):
        inlet_module._Opened(make_info("amplifier", 1024, 200_000, "double64"))


def test_a_missing_stream_says_what_is_there(name: str) -> None:
    outlet = pylsl.StreamOutlet(make_info(name))
    with pytest.raises(StreamMissing, match=f"no EEG stream 'nobody' within 0.5 s .*'{name}'"):
        EegInlet("nobody", 0.5, NOBODY)
    del outlet


def test_two_streams_of_one_name_are_refused(name: str) -> None:
    outlets = [pylsl.StreamOutlet(make_info(name)) for _ in range(2)]
    search = pylsl.ContinuousResolver("name", name)
    deadline = time.monotonic() + 10
    while len(search.results()) < 2:
        assert time.monotonic() < deadline
        NOBODY.wait(0.02)
    with pytest.raises(BadStream, match="2 streams are named"):
        EegInlet(name, 10.0, NOBODY)
    del outlets


def test_description_labels_units_and_speed(name: str) -> None:
    info = info_of(Plan(channels=40), name, speed=4)
    signal = signal_of(info)
    assert signal.labels[:3] == ("Fp1", "Fp2", "C3")
    assert signal.labels[32:34] == ("E33", "E34")
    assert signal.unit_uv == (1.0,) * 40
    assert (signal.rate_hz, signal.speed) == (250.0, 4.0)
    assert chosen(signal, ("o1", "7", "Fp1")).tolist() == [0, 6]


def test_a_hostile_description_is_bounded_and_plain(name: str) -> None:
    info = make_info(name, 3)
    channels = info.desc().append_child("channels")
    for label, unit in (("a\nb\x1b[31m", "volts"), ("x" * 5000, "furlongs"), ("x" * 5000, "mV")):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    signal = signal_of(info)
    assert signal.labels == ("a b [31m", "2", "3")  # two of one name are told apart by number
    assert signal.unit_uv[0] == 1e6
    assert np.isnan(signal.unit_uv[1])
    channels.append_child("channel").append_child_value("label", "one too many")
    assert signal_of(info).labels == ("1", "2", "3")
    info.desc().append_child_value("speed", "nan")
    with pytest.raises(BadStream, match="speed is 'nan'"):
        signal_of(info)


@pytest.mark.parametrize("format_", ["float32", "double64", "int16", "int32"])
def test_samples_come_as_sent_with_their_stamps(
    name: str, format_: str, joined: Callable[[str], EegInlet]
) -> None:
    outlet = pylsl.StreamOutlet(make_info(name, 3, 500, format_))
    inlet = joined(name)
    dtype = np.dtype(inlet.signal.dtype)
    sent = np.arange(3000).reshape(1000, 3).astype(dtype)
    assert outlet.wait_for_consumers(10)
    first = pylsl.local_clock()
    for n, begin in enumerate(range(0, 1000, 100)):
        outlet.push_chunk(sent[begin : begin + 100], first + n * 0.2)
    chunks = until(inlet, lambda chunks: count(chunks) == 1000)
    assert all(chunk.samples.dtype == dtype for chunk in chunks)
    np.testing.assert_array_equal(np.concatenate([chunk.samples for chunk in chunks]), sent)
    stamps = np.concatenate([chunk.stamps for chunk in chunks])
    np.testing.assert_allclose(stamps, first + (np.arange(1000) - 99) / 500, atol=2e-3)
    assert not any(chunk.gap for chunk in chunks)
    del outlet


def test_missing_samples_are_a_gap(name: str, joined: Callable[[str], EegInlet]) -> None:
    outlet = pylsl.StreamOutlet(make_info(name, 2, 100))
    inlet = joined(name)
    assert outlet.wait_for_consumers(10)
    now = pylsl.local_clock()
    for begin in (0.0, 1.0, 2.5, 3.5):  # half a second is missing at 2
        outlet.push_chunk(np.zeros((100, 2), np.float32), now + begin + 1)
    chunks = until(inlet, lambda chunks: count(chunks) == 400)
    before = 0
    gaps = []
    for chunk in chunks:
        gaps += [before] if chunk.gap else []
        before += len(chunk.stamps)
    assert gaps == [200]
    assert inlet.gaps == 1
    del outlet


def test_gaps_are_jumps_of_the_stamps_either_way() -> None:
    step = 0.01
    stamps = np.arange(100) * step
    assert gaps_in(stamps, -step, step) == []
    stamps[40:] += 0.3
    stamps[70:] -= 0.4
    assert gaps_in(stamps, -step, step) == [40, 70]
    assert gaps_in(stamps, -5.0, step) == [0, 40, 70]
    jitter = np.random.default_rng(0).uniform(-0.1, 0.1, 100)
    assert gaps_in(np.arange(100) * step + jitter, -step, step) == []


@pytest.mark.parametrize("same_source", [True, False])
def test_a_stream_that_ends_and_comes_back_is_found_again(
    name: str,
    same_source: bool,
    joined: Callable[[str], EegInlet],
    caplog: pytest.LogCaptureFixture,
) -> None:
    outlet = pylsl.StreamOutlet(make_info(name, source="amplifier"))
    inlet = joined(name)
    ones = np.ones((20, 4), np.float32)
    until(inlet, lambda chunks: count(chunks) > 50, lambda: outlet.push_chunk(ones))
    del outlet
    until(inlet, lambda chunks: inlet.silent)
    assert list(inlet.pull()) == []
    assert f"stream '{name}' ended: no scores until it is back" in caplog.text
    outlet = pylsl.StreamOutlet(make_info(name, source="amplifier" if same_source else "another"))
    chunks = until(inlet, lambda chunks: count(chunks) > 50, lambda: outlet.push_chunk(2 * ones))
    assert chunks[0].gap
    assert {float(chunk.samples.max()) for chunk in chunks} == {2.0}
    assert f"stream '{name}' is back" in caplog.text
    assert caplog.text.count("no scores until it is back") == 1


def test_a_stream_that_comes_back_as_another_is_not_taken(
    name: str, joined: Callable[[str], EegInlet], caplog: pytest.LogCaptureFixture
) -> None:
    outlets = [pylsl.StreamOutlet(make_info(name))]
    inlet = joined(name)

    def send() -> None:
        outlets[-1].push_chunk(np.ones((20, 4), np.float32))

    until(inlet, lambda chunks: count(chunks) > 10, send)
    outlets[:] = [pylsl.StreamOutlet(make_info(name, channels=5))]
    until(inlet, lambda _: "is back with other channels" in caplog.text)
    assert list(inlet.pull()) == []
    outlets[:] = [pylsl.StreamOutlet(make_info(name))]
    until(inlet, lambda chunks: count(chunks) > 50, send)


def test_a_stream_that_cannot_be_opened_again_keeps_nobody_waiting(
    name: str, joined: Callable[[str], EegInlet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for an error of LSL that nobody has met; the next try may succeed."""
    outlet = pylsl.StreamOutlet(make_info(name))
    opened = joined(name)
    real, tries = inlet_module._Opened, iter([InternalError("an internal error has occurred.")])

    def open_again(info: pylsl.StreamInfo) -> object:
        if (error := next(tries, None)) is not None:
            raise error
        return real(info)

    monkeypatch.setattr(inlet_module, "_Opened", open_again)
    del outlet
    until(opened, lambda _: opened._lost)
    again = pylsl.StreamOutlet(make_info(name))
    ones = np.ones((20, 4), np.float32)
    until(opened, lambda chunks: count(chunks) > 10, lambda: again.push_chunk(ones))
