"""Scores and firings as streams of their own over Lab Streaming Layer (docs/wire.md)."""

import json
import time
from dataclasses import dataclass
from math import isfinite

import pylsl

from rtrecon.feedback import FEEDBACK_TYPE
from rtrecon.network import expose
from rtrecon.outputs.device import Addressee, Item, Plain
from rtrecon.types import Firing, Person, Score

CHANNELS = ("raw", "value", "told")
_LINGER_S = 0.2  # what was sent last is on its way for so long before the stream ends


def score_stream(stream: str, person: str = "") -> str:
    """Name of the stream with the scores of one person in the session of `stream`."""
    return f"{stream}-score-{person}" if person else f"{stream}-score"


def trigger_stream(stream: str) -> str:
    """Name of the stream with the firings of all persons."""
    return f"{stream}-triggers"


@dataclass(frozen=True)
class LslScore:
    """`[[output]] kind = "lsl"`: a stream of numbers for each person."""

    kind: str
    person: str = ""

    def make(self, to: Addressee) -> "ScoreOutlets":
        """Such an output."""
        return ScoreOutlets(to)


@dataclass(frozen=True)
class LslTrigger:
    """`[[trigger]] kind = "lsl"`: one stream of markers."""

    kind: str
    person: str = ""

    def make(self, to: Addressee) -> "TriggerOutlet":
        """Such an output."""
        return TriggerOutlet(to)


class ScoreOutlets(Plain):
    """A stream a person, stamped with the time at which each score was worked out."""

    every = True  # pushing never waits, and who records wants them all

    def __init__(self, to: Addressee) -> None:
        self.name = f"lsl {score_stream(to.stream)}"
        self.claims = frozenset(score_stream(to.stream, person.name) for person in to.people)
        self._to = to
        self._outlets: dict[str, pylsl.StreamOutlet] = {}

    def open(self) -> None:
        """Put the streams on the network."""
        for person in self._to.people:
            info = score_info(self._to.stream, person)
            self._outlets[person.name] = pylsl.StreamOutlet(info)
            expose(info.name(), "scores")

    def send(self, item: Item) -> None:
        """One sample."""
        assert isinstance(item, Score)
        self._outlets[item.person].push_sample([item.raw, item.value, item.told], item.time)

    def close(self) -> None:
        """Take the streams off the network."""
        linger(list(self._outlets.values()))
        self._outlets = {}


class TriggerOutlet(Plain):
    """One stream of JSON objects, stamped with the time of each firing."""

    def __init__(self, to: Addressee) -> None:
        self.name = f"lsl {trigger_stream(to.stream)}"
        self._stream = trigger_stream(to.stream)
        self.claims = frozenset({self._stream})
        self._outlets: list[pylsl.StreamOutlet] = []

    def open(self) -> None:
        """Put the stream on the network."""
        info = pylsl.StreamInfo(
            self._stream, "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string,
            f"rtrecon-{self._stream}",
        )  # fmt: skip
        self._outlets = [pylsl.StreamOutlet(info)]
        expose(self._stream, "when triggers fired")

    def send(self, item: Item) -> None:
        """One marker."""
        assert isinstance(item, Firing)
        (outlet,) = self._outlets
        outlet.push_sample([firing_text(item)], item.time)

    def close(self) -> None:
        """Take the stream off the network."""
        linger(self._outlets)
        self._outlets = []


def score_info(stream: str, person: Person) -> pylsl.StreamInfo:
    """What a stream of scores says of itself."""
    name = score_stream(stream, person.name)
    info = pylsl.StreamInfo(
        name, FEEDBACK_TYPE, len(CHANNELS), pylsl.IRREGULAR_RATE, pylsl.cf_float32,
        f"rtrecon-{name}",
    )  # fmt: skip
    channels = info.desc().append_child("channels")
    for label in CHANNELS:
        channels.append_child("channel").append_child_value("label", label)
    about = info.desc().append_child("person")
    about.append_child_value("name", person.name)
    about.append_child_value("colour", person.colour)
    return info


def firing_text(firing: Firing) -> str:
    """One firing as the JSON object that is sent; a value that is not there is null."""
    value = firing.score.value
    return json.dumps({
        "person": firing.person, "number": firing.number,
        "value": round(value, 6) if isfinite(value) else None, "time": round(firing.time, 6),
    })  # fmt: skip


def linger(outlets: list[pylsl.StreamOutlet]) -> None:
    """Give what was just sent the time to get out, where anybody listens."""
    if any(outlet.have_consumers() for outlet in outlets):
        time.sleep(_LINGER_S)
