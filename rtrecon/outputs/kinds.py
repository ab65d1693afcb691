"""What `[[output]]` and `[[trigger]]` of a configuration ask for, read before anything is opened."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from rtrecon.config import read_table
from rtrecon.errors import BadConfig
from rtrecon.outputs.artnet import ArtnetLight, Universe
from rtrecon.outputs.command import CommandTrigger
from rtrecon.outputs.device import Addressee, Device
from rtrecon.outputs.lsl import LslScore, LslTrigger
from rtrecon.outputs.osc import OscScore, OscTrigger
from rtrecon.outputs.serial_line import SerialTrigger
from rtrecon.outputs.sound import SoundOutput
from rtrecon.types import Person


class _Kind(Protocol):
    """One table, understood."""

    person: str

    def make(self, to: Addressee) -> Device: ...


_KINDS: dict[str, dict[str, type[Any]]] = {
    "output": {"lsl": LslScore, "osc": OscScore, "sound": SoundOutput, "artnet": ArtnetLight},
    "trigger": {
        "lsl": LslTrigger,
        "osc": OscTrigger,
        "serial": SerialTrigger,
        "command": CommandTrigger,
    },
}


def read_devices(
    key: str, tables: Mapping[str, Any], stream: str, people: Sequence[Person], folder: Path | None
) -> list[tuple[Addressee, Device]]:
    """The devices of all tables of one key, "output" or "trigger", none of them open yet.

    Raises
    ------
    BadConfig
        In one line that names the table.
    """
    listed = tables.get(key, [])
    if not isinstance(listed, list):
        raise BadConfig(f"[{key}]: there may be several, so write [[{key}]]")
    found = []
    for number, table in enumerate(listed, 1):
        where = f"[[{key}]] number {number}"
        try:
            kind: _Kind = read_table(_class_of(key, table), table, where)
            to = Addressee(stream, _those(kind.person, people), folder)
            found.append((to, kind.make(to)))
        except BadConfig as error:
            told = str(error)
            raise BadConfig(told if told.startswith(where) else f"{where}: {told}") from error
    claims = Counter(claim for _, device in found for claim in device.claims)
    if twice := [claim for claim, count in claims.items() if count > 1]:
        raise BadConfig(f"[[{key}]] asks for '{twice[0]}' twice: leave one out")
    return _universes(found)


def _universes(found: list[tuple[Addressee, Device]]) -> list[tuple[Addressee, Device]]:
    """The same, with one device for all fixtures of a universe."""
    merged: dict[str, tuple[Addressee, Device]] = {}
    for number, (to, device) in enumerate(found):
        key = device.name if isinstance(device, Universe) else str(number)
        first_to, first = merged.setdefault(key, (to, device))
        if first is not device and isinstance(first, Universe) and isinstance(device, Universe):
            first.join(device)
            people = dict.fromkeys((*first_to.people, *to.people))
            merged[key] = replace(first_to, people=tuple(people)), first
    return list(merged.values())


def _class_of(key: str, table: Any) -> type[Any]:
    kind = table.get("kind") if isinstance(table, Mapping) else None
    if not isinstance(kind, str) or kind not in _KINDS[key]:
        raise BadConfig(f"kind = {kind!r}: must be one of {', '.join(_KINDS[key])}")
    return _KINDS[key][kind]


def _those(name: str, people: Sequence[Person]) -> tuple[Person, ...]:
    """The one named, or everybody."""
    those = tuple(person for person in people if name in ("", person.name))
    if not those:
        known = ", ".join(person.name for person in people if person.name)
        raise BadConfig(
            f"person = '{name}': is none of this session's people"
            + (f": {known}" if known else ": leave the key out where there is only one")
        )
    return those
