"""The sound as it is written to a session's file, and what stands for a sound device."""

import sys
import wave
from contextlib import closing
from math import nan
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import wavfile

from rtrecon.errors import BadConfig
from rtrecon.outputs import open_outputs
from rtrecon.outputs.sound import Sound
from rtrecon.outputs.synthesizer import Choir, Mapping
from rtrecon.types import Person
from tests.full_disk import files_end_at
from tests.told import SentLog, a_score, eventually

ONE = (Person(),)
STEADY = {
    "kind": "sound", "file": "sound.wav", "rate_hz": 16000, "pitch_hz": [200, 800],
    "loudness_db": [-20], "brightness": [0.0], "glide_s": 0.01,
}  # fmt: skip


def seconds(file: Path) -> float:
    """How long a file is while it is being written."""
    if not file.exists() or file.stat().st_size <= 44:
        return 0.0
    with wave.open(str(file), "rb") as content:
        return content.getnframes() / content.getframerate()


def test_a_file_has_the_sound_of_what_was_told(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    file = folder / "sound.wav"
    log = SentLog()
    outputs = open_outputs({"output": [STEADY]}, "s", ONE, log, folder)
    folder.mkdir()  # which a session has made by then
    for told in (0.0, nan, 1.0):
        outputs.score(a_score(told))
        count = len(log.all) + 1
        sent = log.wait(lambda sent, count=count: len(sent) == count)
        begins = sent[-1].time - sent[0].time  # in the file, s
        eventually(lambda begins=begins: seconds(file) > begins + 0.6)
    outputs.close()
    first, hushed, second, end = (one.time - log.all[0].time for one in log.all)
    rate, samples = wavfile.read(file)
    assert (rate, samples.dtype, samples.shape[1]) == (16000, np.int16, 2)
    assert len(samples) / rate == pytest.approx(end + 0.2, abs=0.5)
    assert (tone(samples, first), tone(samples, second)) == (200, 800)
    assert level_db(samples, first) == pytest.approx(-20, abs=0.3)
    assert level_db(samples, second) == pytest.approx(-20, abs=0.3)
    assert not samples[round(16000 * (hushed + 0.3)) : round(16000 * (second - 0.2))].any()
    assert not samples[-1].any()  # it ends in silence


def part(samples: NDArray[np.int16], since: float) -> NDArray[np.float64]:
    """The left side (4000,) of a quarter of a second from a quarter after that time, s."""
    begin = round(16000 * (since + 0.25))
    return samples[begin : begin + 4000, 0] / 32768


def tone(samples: NDArray[np.int16], since: float) -> int:
    return 4 * int(np.argmax(np.abs(np.fft.rfft(part(samples, since)))))


def level_db(samples: NDArray[np.int16], since: float) -> float:
    both = np.sqrt(2)  # each side has its share of the power
    return float(20 * np.log10(both * np.sqrt(np.mean(part(samples, since) ** 2))))


def test_silent_when_scores_stop_coming(tmp_path: Path) -> None:
    file = tmp_path / "sound.wav"
    outputs = open_outputs({"output": [{**STEADY, "hold_s": 0.6}]}, "s", ONE, folder=tmp_path)
    outputs.score(a_score(1.0))
    eventually(lambda: seconds(file) > 1.4)
    outputs.close()
    samples = wavfile.read(file)[1]
    assert samples[800:3200].any()
    assert not samples[-5000:-3300].any()


class Due:
    """Takes as many samples as it is set to want."""

    name, claims, wants = "due", frozenset[str](), 0

    def __init__(self) -> None:
        self.got: list[NDArray[np.float32]] = []

    def open(self) -> None: ...

    def close(self) -> None: ...

    def room(self) -> int:
        return self.wants

    def write(self, samples: NDArray[np.float32]) -> None:
        self.got.append(samples)
        self.wants -= len(samples)


def test_what_is_due_until_a_score_comes_is_as_it_was() -> None:
    due = Due()
    sound = Sound(due, Choir(("",), Mapping(), 16000, 0.01), 16000, hold_s=60)
    sound.send(a_score(1.0))
    for told, heard in ((nan, True), (1.0, False), (nan, True), (nan, False), (1.0, False)):
        due.wants = 16000
        sound.send(a_score(told))
        assert due.got[-1][8000:].any() == heard
        due.wants = 8000
        sound.tick()  # what was told comes now


def test_nothing_is_written_before_anything_is_told(tmp_path: Path) -> None:
    with closing(open_outputs({"output": [STEADY]}, "s", ONE, folder=tmp_path)):
        pass
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "sound.wav").write_text("recorded")
    log = SentLog()
    with closing(open_outputs({"output": [STEADY]}, "s", ONE, log, tmp_path)) as outputs:
        outputs.score(a_score(0.5))
        assert log.wait(lambda sent: len(sent) == 1)[0].error == "sound.wav could not be written"
        assert outputs.fault.startswith("sound sound.wav fails (sound.wav could not be written)")
    assert (tmp_path / "sound.wav").read_text() == "recorded"


def test_a_full_disk_ends_the_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "sound.wav"
    with closing(open_outputs({"output": [STEADY]}, "s", ONE, folder=tmp_path)) as outputs:
        outputs.score(a_score(0.5))
        eventually(lambda: seconds(file) > 0.1)
        with files_end_at(file.stat().st_size):
            eventually(lambda: "fails" in outputs.fault)
            outputs.score(a_score(0.6))
    assert seconds(file) > 0.1


class Loudspeaker:
    """What sounddevice's stream does, without a device: takes what was played in the meantime."""

    played: list[NDArray[np.float32]]
    active = True

    def __init__(self, **keys: object) -> None:
        self.keys, self.played, self.written = keys, [], 0
        self.began, self.stopped = 0.0, False

    def start(self) -> None:
        self.began = monotonic()

    @property
    def write_available(self) -> int:
        return max(0, round((monotonic() - self.began + 0.1) * 48000) - self.written)

    def write(self, samples: NDArray[np.float32]) -> None:
        assert samples.dtype == np.float32
        self.played.append(samples)
        self.written += len(samples)

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.active = False


@pytest.fixture
def speakers(monkeypatch: pytest.MonkeyPatch) -> list[Loudspeaker]:
    made: list[Loudspeaker] = []

    def stream(**keys: object) -> Loudspeaker:
        if keys["device"] == "none":
            raise ValueError("No output device matching 'none'")
        made.append(Loudspeaker(**keys))
        return made[-1]

    library = SimpleNamespace(OutputStream=stream, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    return made


def test_a_sound_device_is_played_to_and_opened_again(speakers: list[Loudspeaker]) -> None:
    log = SentLog()
    outputs = open_outputs({"output": [{"kind": "sound", "device": "USB"}]}, "s", ONE, log)
    assert speakers[0].keys == {
        "samplerate": 48000, "device": "USB", "channels": 2, "dtype": "float32", "latency": 0.1,
    }  # fmt: skip
    outputs.score(a_score(1.0))
    eventually(lambda: speakers[0].written > 24000)
    samples = np.concatenate(speakers[0].played)[-9600:, 0]
    assert 5 * np.argmax(np.abs(np.fft.rfft(samples))) == pytest.approx(440, abs=5)
    speakers[0].active = False  # unplugged
    eventually(lambda: "the sound device has stopped" in outputs.fault)
    outputs.score(a_score(1.0))
    assert log.wait(lambda sent: len(sent) == 2)[-1].error == ""
    eventually(lambda: speakers[1].written > 0)
    outputs.close()
    assert speakers[1].stopped
    assert not speakers[1].active
    assert not speakers[1].played[-1][-1].any()


def test_a_device_that_is_not_there(speakers: list[Loudspeaker]) -> None:
    with pytest.raises(BadConfig, match="sound device 'none' cannot be used .No output device"):
        open_outputs({"output": [{"kind": "sound", "device": "none"}]}, "s", ONE)


def test_without_portaudio_one_line_tells_the_way_out() -> None:
    try:
        import sounddevice  # noqa: F401
    except OSError:
        with pytest.raises(BadConfig, match=r"PortAudio \(apt install libportaudio2\).*sound.wav"):
            open_outputs({"output": [{"kind": "sound"}]}, "s", ONE)
    else:
        pytest.skip("PortAudio is on this machine")


def test_without_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(BadConfig, match=r"pip install 'rtrecon\[sound\]'"):
        open_outputs({"output": [{"kind": "sound"}]}, "s", ONE)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"file": "../sound.wav"}, "must be a plain file name"),
        ({"file": "sound.mp3"}, "must be a plain file name"),
        ({"pitch_hz": []}, "pitch_hz = .*: must be one or two numbers of 20 to 19200"),
        ({"pitch_hz": [10, 20]}, "must be one or two numbers of 20 to 19200"),
        ({"loudness_db": [0]}, "loudness_db = .*: must be one or two numbers of -80 to -9"),
        ({"brightness": [1.0]}, "brightness = .*: must be one or two numbers of 0 to 0.9"),
        ({"glide_s": 0}, "glide_s = 0.0: must be 0.01 to 10"),
        ({"file": "sound.wav"}, "this session has no folder"),
    ],
)
def test_a_mistake_is_one_line(keys: dict[str, object], said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        open_outputs({"output": [{"kind": "sound", **keys}]}, "s", ONE)


def test_two_outputs_cannot_share_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="asks for 'sound.wav' twice"):
        open_outputs({"output": [STEADY, STEADY]}, "s", ONE, folder=tmp_path)
