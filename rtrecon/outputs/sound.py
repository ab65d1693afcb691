"""What is told made audible: played by the machine, or written to a file of the session."""

import logging
import re
import wave
from dataclasses import dataclass
from math import ceil, inf, isnan, nan
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.errors import BadConfig
from rtrecon.outputs.device import Addressee, Item, Plain, require
from rtrecon.outputs.held import Held
from rtrecon.outputs.synthesizer import Choir, Mapping
from rtrecon.types import Score

log = logging.getLogger(__name__)

_LATENCY_S = 0.1  # of what is played: so long may the thread be held up before it is heard
_TICK_S = 0.02
_FADE_S = 0.2  # of the end
_MOST_S = 1.0  # of sound rendered at once
_FILE = re.compile(r"[A-Za-z0-9][\w .-]*\.wav")
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class SoundOutput:
    """`[[output]] kind = "sound"`.

    Attributes
    ----------
    device : str
        Part of the name of the sound device; empty: the machine's own choice.
    file : str
        Written in the session's folder instead of played, such as "sound.wav".
    rate_hz : int
    pitch_hz, loudness_db, brightness : (float, float)
        At 0 and at 1, as in `Mapping`; a list of one does not change.
    glide_s : float
        Time constant with which they change.
    hold_s : float
        After so long without anything told it is silent.
    """

    kind: str
    device: str = ""
    file: str = ""
    rate_hz: int = 48000
    pitch_hz: tuple[float, ...] = Mapping.pitch_hz
    loudness_db: tuple[float, ...] = Mapping.loudness_db
    brightness: tuple[float, ...] = Mapping.brightness
    glide_s: float = 0.15
    hold_s: float = 5.0
    person: str = ""

    def __post_init__(self) -> None:
        require(8000 <= self.rate_hz <= 192000, "rate_hz", self.rate_hz, "8000 to 192000")
        highest = self.rate_hz * 0.4
        _check_pair("pitch_hz", self.pitch_hz, 20.0, highest)
        _check_pair("loudness_db", self.loudness_db, -80.0, -9.0)
        _check_pair("brightness", self.brightness, 0.0, 0.9)
        require(0.01 <= self.glide_s <= 10, "glide_s", self.glide_s, "0.01 to 10")
        require(0 < self.hold_s <= 3600, "hold_s", self.hold_s, "above 0 and up to 3600")
        fits = not self.file or _FILE.fullmatch(self.file) is not None
        require(fits, "file", self.file, 'a plain file name, such as "sound.wav"')

    def make(self, to: Addressee) -> "Sound":
        """Such an output."""
        mapping = Mapping(_pair(self.pitch_hz), _pair(self.loudness_db), _pair(self.brightness))
        people = tuple(person.name for person in to.people)
        choir = Choir(people, mapping, self.rate_hz, self.glide_s)
        sink: Sink = (
            WavFile(to.folder, self.file, self.rate_hz) if self.file
            else Speaker(self.device, self.rate_hz)
        )  # fmt: skip
        return Sound(sink, choir, self.rate_hz, self.hold_s)


class Sink(Protocol):
    """What takes samples as time goes by."""

    name: str
    claims: frozenset[str]

    def open(self) -> None:
        """Get hold of it."""
        ...

    def room(self) -> int:
        """How many samples are due."""
        ...

    def write(self, samples: Samples) -> None:
        """Take samples (n, 2)."""
        ...

    def close(self) -> None:
        """Let go of it, also when it is not open."""
        ...


class Sound(Plain):
    """Renders what is due and hands it on."""

    def __init__(self, sink: Sink, choir: Choir, rate_hz: int, hold_s: float) -> None:
        self.name, self.claims = sink.name, sink.claims
        self._sink, self._choir, self._rate_hz = sink, choir, rate_hz
        self._held = Held(hold_s)
        self._begun = False
        self.open = sink.open

    def send(self, item: Item) -> None:
        """Have a person's voice follow, from now on: what is due until now is as it was."""
        assert isinstance(item, Score)
        self.tick()
        self._begun = True
        if isnan(item.told):
            self._held.forget(item.person)
        else:
            self._held.tell(item.person, item.told, monotonic())
        self.tick()

    def tick(self) -> float:
        """Render what is due, from the first score on."""
        if not self._begun:
            return inf
        self._choir.tell(self._held.at(monotonic()))
        n = min(self._sink.room(), ceil(_MOST_S * self._rate_hz))
        if n > 0:
            self._sink.write(self._choir.render(n))
        return _TICK_S

    def close(self) -> None:
        """Fade out and let go of the device."""
        try:
            if self._begun:
                self._sink.write(self._choir.ending(ceil(_FADE_S * self._rate_hz)))
        finally:
            self._sink.close()


class Speaker:
    """The machine's sound device, by PortAudio."""

    claims: frozenset[str] = frozenset()

    def __init__(self, device: str, rate_hz: int) -> None:
        self.name = f"sound {device}".rstrip()
        self._device, self._rate_hz = device, rate_hz
        self._stream: Any = None

    def open(self) -> None:
        """Open the device.

        Raises
        ------
        BadConfig
            The library or the device is not there.
        """
        try:
            import sounddevice
        except ImportError as error:
            raise BadConfig(
                "sound needs sounddevice: pip install 'rtrecon[sound]', or write it to a file "
                'with file = "sound.wav"'
            ) from error
        except OSError as error:
            raise BadConfig(
                "sound needs the library PortAudio (apt install libportaudio2), or write it to a "
                'file with file = "sound.wav"'
            ) from error
        try:
            self._stream = sounddevice.OutputStream(
                samplerate=self._rate_hz, device=self._device or None, channels=2,
                dtype="float32", latency=_LATENCY_S,
            )  # fmt: skip
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            self.close()
            raise BadConfig(
                f"sound device '{self._device}' cannot be used ({error}): "
                "`python -m sounddevice` lists what there is"
            ) from error

    def room(self) -> int:
        """What the device's buffer takes without waiting.

        Raises
        ------
        OSError
            The device is gone.
        """
        if not self._stream.active:
            raise OSError("the sound device has stopped")
        return self._stream.write_available

    def write(self, samples: Samples) -> None:
        """Play them after what waits."""
        self._stream.write(samples)

    def close(self) -> None:
        """Play what waits, and let go of the device."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class WavFile:
    """A file that begins with the first score and grows as time goes by; whole at any moment.

    Once it could not be written it is left as it is.
    """

    def __init__(self, folder: Path | None, file: str, rate_hz: int) -> None:
        self.name = f"sound {file}"
        self.claims = frozenset({file})
        self._folder, self._name, self._rate_hz = folder, file, rate_hz
        self._file: wave.Wave_write | None = None
        self._began = nan
        self._written = 0

    def open(self) -> None:
        """Nothing yet: the session's folder may not be there.

        Raises
        ------
        BadConfig
            There will be none.
        """
        if self._folder is None:
            raise BadConfig(f"file = '{self._name}': this session has no folder: leave the key out")

    def room(self) -> int:
        """How many samples time has made due.

        Raises
        ------
        OSError
            The file cannot be made, or could not be written before.
        """
        if isnan(self._began):
            self._begin()
        if self._file is None:
            raise OSError(f"{self._name} could not be written")
        return ceil((monotonic() - self._began) * self._rate_hz) - self._written

    def write(self, samples: Samples) -> None:
        """Append to the file, whose header then counts them."""
        assert self._file is not None
        self._file.writeframes(np.round(32767 * samples).astype("<i2").tobytes())
        self._written += len(samples)

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _begin(self) -> None:
        assert self._folder is not None
        self._began = monotonic()
        path = self._folder / self._name
        path.touch(exist_ok=False)  # nothing recorded is ever overwritten
        self._file = wave.open(str(path), "wb")  # noqa: SIM115
        self._file.setparams((2, 2, self._rate_hz, 0, "NONE", ""))
        log.info("%s begins at %.6f (LSL clock)", self._name, pylsl.local_clock())


def _pair(values: tuple[float, ...]) -> tuple[float, float]:
    return values[0], values[-1]


def _check_pair(key: str, values: tuple[float, ...], low: float, high: float) -> None:
    fits = len(values) in (1, 2) and all(low <= value <= high for value in values)
    require(fits, key, list(values), f"one or two numbers of {low:g} to {high:g}, at 0 and at 1")
