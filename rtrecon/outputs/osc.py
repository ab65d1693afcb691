"""Scores and firings as Open Sound Control messages over UDP."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan

from pythonosc.osc_message_builder import OscMessageBuilder

from rtrecon.outputs.datagrams import Datagrams, check_destination
from rtrecon.outputs.device import Addressee, Item, Plain, require
from rtrecon.types import Firing

_RESERVED = re.compile(r"[^!-~]|[#*,/?\[\]{}]")  # may not stand in a part of an OSC address
_TYPES = {"told": "f", "value": "f", "raw": "f", "number": "i", "person": "s", "time": "d"}
Argument = tuple[str, float | int | str]


@dataclass(frozen=True)
class OscScore:
    """`[[output]] kind = "osc"`: a message for each score.

    Attributes
    ----------
    address : str
        Where `{person}` stands for the person's name.
    arguments : tuple of str
        Of told, value, raw, number, person and time (LSL clock, s), in this order.
    scale : (float, float)
        What told and value are sent as at 0 and at 1.
    nothing : float
        Sent where there is no value; not scaled.
    """

    kind: str
    host: str = "127.0.0.1"
    port: int = 9000
    address: str = "/rtrecon/score/{person}"
    arguments: tuple[str, ...] = ("told", "value")
    scale: tuple[float, ...] = (0.0, 1.0)
    nothing: float = -1.0
    person: str = ""

    def __post_init__(self) -> None:
        _check(self.host, self.port, self.address, self.arguments, tuple(_TYPES))
        require(len(self.scale) == 2, "scale", list(self.scale), "two numbers, such as [0, 255]")

    def make(self, to: Addressee) -> "Osc":
        """Such an output."""
        return Osc(self.host, self.port, self.address, self._values)

    def _values(self, item: Item) -> list[Argument]:
        return [(_TYPES[part], self._value(part, item)) for part in self.arguments]

    def _value(self, part: str, item: Item) -> float | int | str:
        value = getattr(item, part)
        if isinstance(value, float) and isnan(value):
            return self.nothing
        low, high = self.scale
        return low + (high - low) * value if part in ("told", "value") else value


@dataclass(frozen=True)
class OscTrigger:
    """`[[trigger]] kind = "osc"`: a message for each firing. `value` is that of its score."""

    kind: str
    host: str = "127.0.0.1"
    port: int = 9000
    address: str = "/rtrecon/trigger/{person}"
    arguments: tuple[str, ...] = ("number", "value")
    person: str = ""

    def __post_init__(self) -> None:
        known = ("number", "value", "person", "time")
        _check(self.host, self.port, self.address, self.arguments, known)

    def make(self, to: Addressee) -> "Osc":
        """Such an output."""
        return Osc(self.host, self.port, self.address, self._values)

    def _values(self, item: Item) -> list[Argument]:
        assert isinstance(item, Firing)
        known = {"value": item.score.value, **vars(item)}
        return [(_TYPES[part], known[part]) for part in self.arguments]


class Osc(Plain):
    """The device of both. Sending never waits; that nobody listens cannot be noticed.

    Parameters
    ----------
    host, port
    address : str
        With `{person}` in it or not.
    values : callable
        The arguments of the message that is sent of a score or a firing.
    """

    def __init__(
        self, host: str, port: int, address: str, values: Callable[[Item], list[Argument]]
    ) -> None:
        self.name = f"osc {host}:{port}"
        self._datagrams = Datagrams(host, port)
        self._address, self._values = address, values
        self.open, self.close = self._datagrams.open, self._datagrams.close

    def send(self, item: Item) -> None:
        """One datagram."""
        message = OscMessageBuilder(address=address_of(self._address, item.person))
        for kind, value in self._values(item):
            message.add_arg(value, kind)
        self._datagrams.send(message.build().dgram)


def address_of(pattern: str, person: str) -> str:
    """The OSC address of one person.

    What may not stand in an address becomes "_"; without a name the part is left out.
    """
    address = pattern.replace("{person}", _RESERVED.sub("_", person))
    return "/" + "/".join(part for part in address.split("/") if part)


def _check(
    host: str, port: int, address: str, arguments: tuple[str, ...], known: tuple[str, ...]
) -> None:
    check_destination(host, port)
    begin, *parts = address.replace("{person}", "_").split("/")
    fits = not begin and bool(parts) and all(part and not _RESERVED.search(part) for part in parts)
    require(fits, "address", address, 'an OSC address, such as "/score/{person}"')
    wrong = [part for part in arguments if part not in known]
    require(not wrong, "arguments", list(arguments), f"of {', '.join(known)}")
