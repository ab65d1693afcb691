"""What is told as the light of stage fixtures: DMX512 over Art-Net 4 (ArtDmx packets)."""

import struct
import threading
from dataclasses import dataclass
from math import inf
from time import monotonic

from rtrecon.errors import BadConfig
from rtrecon.outputs.datagrams import Datagrams, check_destination
from rtrecon.outputs.device import Addressee, Item, Plain, require
from rtrecon.outputs.light import SHORTEST_FADE_S, Fixture, check_colour
from rtrecon.types import Score

CHANNELS = 512
_SHORTEST_S = 1 / 40  # between packets: DMX itself is no faster than 44 a second
_REFRESH_S = 0.8  # nodes take a sender for gone that is silent for longer than a second or so
_LETTERS = {"r": 0, "g": 1, "b": 2, "i": 3}
_SAME = {"*": 255, "-": 0}


@dataclass(frozen=True)
class ArtnetLight:
    """`[[output]] kind = "artnet"`: one fixture.

    Attributes
    ----------
    universe : int
        Port-Address: net x 256 + subnet x 16 + universe.
    channel : int
        The fixture's first, 1 to 512.
    layout : str
        What its channels are, one after the other: r, g, b (colour), i (intensity), * (always
        full), - (always 0).
    low, high : str
        Colours at 0 and at 1; an empty `high` is the person's own.
    fade_s : float
        How long the light takes to a new value.
    hold_s : float
        After so long without anything told it is dark.
    """

    kind: str
    host: str
    port: int = 6454
    universe: int = 0
    channel: int = 1
    layout: str = "rgb"
    low: str = "#000000"
    high: str = ""
    fade_s: float = 1.0
    hold_s: float = 5.0
    person: str = ""

    def __post_init__(self) -> None:
        check_destination(self.host, self.port)
        require(0 <= self.universe < 32768, "universe", self.universe, "0 to 32767")
        fits = bool(self.layout) and set(self.layout) <= {*_LETTERS, *_SAME}
        require(fits, "layout", self.layout, 'made of r, g, b, i, * and -, such as "rgb"')
        last = CHANNELS - len(self.layout) + 1
        require(1 <= self.channel <= last, "channel", self.channel, f"1 to {last}")
        check_colour("low", self.low)
        check_colour("high", self.high or self.low)
        bound = f"{SHORTEST_FADE_S} to 5, so that nothing flashes before people's eyes"
        require(SHORTEST_FADE_S <= self.fade_s <= 5, "fade_s", self.fade_s, bound)
        require(0 < self.hold_s <= 3600, "hold_s", self.hold_s, "above 0 and up to 3600")

    def make(self, to: Addressee) -> "Universe":
        """Such an output."""
        fixture = Fixture(to.people, self.low, self.high, self.fade_s, self.hold_s)
        place = _Place(self.channel, self.layout, fixture)
        return Universe(self.host, self.port, self.universe, [place])


@dataclass(frozen=True)
class _Place:
    """Where in a universe a fixture is."""

    channel: int
    layout: str
    fixture: Fixture

    @property
    def channels(self) -> range:
        return range(self.channel, self.channel + len(self.layout))

    def write(self, frame: bytearray, now: float) -> None:
        levels = self.fixture.at(now)
        for channel, letter in zip(self.channels, self.layout, strict=True):
            same = _SAME.get(letter)
            frame[channel - 1] = round(255 * levels[_LETTERS[letter]]) if same is None else same


class Universe(Plain):
    """The fixtures of one universe: they share a device, since a packet has all their channels.

    Sends while something changes, at most 40 times a second, and otherwise once in 0.8 s.
    """

    def __init__(self, host: str, port: int, universe: int, places: list[_Place]) -> None:
        self.name = f"artnet {host}:{port} universe {universe}"
        self._datagrams = Datagrams(host, port)
        self._universe, self._places = universe, places
        self._sequence = 0
        self._frame = b""
        self._sent = -inf

    def join(self, other: "Universe") -> None:
        """Take another's fixtures in.

        Raises
        ------
        BadConfig
            They have a channel in common.
        """
        ours = {channel for place in self._places for channel in place.channels}
        for place in other._places:
            if both := ours & set(place.channels):
                raise BadConfig(f"channel {min(both)} of {self.name} belongs to two fixtures")
        self._places = [*self._places, *other._places]

    def open(self) -> None:
        """Open the socket, and make everything dark."""
        self._datagrams.open()
        self._sent = -inf
        self.tick()

    def send(self, item: Item) -> None:
        """Have the fixtures of a person follow."""
        assert isinstance(item, Score)
        for place in self._places:
            place.fixture.tell(item, monotonic())
        self.tick()

    def tick(self) -> float:
        """Send what is due."""
        now = monotonic()
        if (wait_s := self._sent + _SHORTEST_S - now) > 0:
            return wait_s
        frame = bytearray(CHANNELS)
        for place in self._places:
            place.write(frame, now)
        if frame != self._frame or now - self._sent >= _REFRESH_S:
            self._put(bytes(frame), now)
        moves = any(place.fixture.moves(now) for place in self._places)
        return _SHORTEST_S if moves else _REFRESH_S / 4

    def close(self) -> None:
        """Fade into the dark, and close the socket."""
        try:
            now = monotonic()
            for place in self._places:
                place.fixture.go_dark(now)
            pause = threading.Event()
            while any(place.fixture.moves(monotonic()) for place in self._places):
                self.tick()
                pause.wait(_SHORTEST_S)
            self._sent = -inf  # so that it is sent, whatever was
            self.tick()
        finally:
            self._datagrams.close()

    def _put(self, frame: bytes, now: float) -> None:
        self._sequence = self._sequence % 255 + 1  # 0 would say that there is no sequence
        self._datagrams.send(packet(self._universe, self._sequence, frame))
        self._frame, self._sent = frame, now


def packet(universe: int, sequence: int, frame: bytes) -> bytes:
    """An ArtDmx packet: 18 bytes of header, then up to 512 channels."""
    name, operation, version, physical = b"Art-Net\0", 0x5000, 14, 0
    head = name + struct.pack("<H", operation)
    place = struct.pack("<H", universe)  # SubUni, then Net
    return (
        head + struct.pack(">HBB", version, sequence, physical) + place
        + struct.pack(">H", len(frame)) + frame
    )  # fmt: skip
