"""What is told made audible: played by the machine, or written to a file of the session."""

import re
from dataclasses import dataclass
from math import ceil, inf, isnan
from time import monotonic

from rtrecon.outputs.device import Addressee, Item, Plain, require
from rtrecon.outputs.held import Held
from rtrecon.outputs.sinks import Sink, Speaker, WavFile
from rtrecon.outputs.synthesizer import Choir, Mapping
from rtrecon.types import Score

_TICK_S = 0.02
_FADE_S = 0.2  # of the end
_MOST_S = 1.0  # of sound rendered at once
_FILE = re.compile(r"[A-Za-z0-9][\w .-]*\.wav")


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


def _pair(values: tuple[float, ...]) -> tuple[float, float]:
    return values[0], values[-1]


def _check_pair(key: str, values: tuple[float, ...], low: float, high: float) -> None:
    fits = len(values) in (1, 2) and all(low <= value <= high for value in values)
    require(fits, key, list(values), f"one or two numbers of {low:g} to {high:g}, at 0 and at 1")
