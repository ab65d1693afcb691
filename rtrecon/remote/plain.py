"""Frozen values as plain JSON values and back again, by the annotations of their dataclasses.

Whoever reads has not met the sender: type, size and range of everything are checked before
anything is made of it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from math import nan
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from rtrecon.errors import BadInput, BadStream
from rtrecon.remote.pictures import picture_of, written_picture
from rtrecon.types import Arrival, Presentation, Score, Times, Trouble, read_only

MOST_TEXT = 16_384  # characters of one text
MOST_ITEMS = 10_000  # of one list
LARGEST = 1e12  # of any number; nothing that is measured here comes near
STAMPS: Mapping[type, frozenset[str]] = {
    Times: frozenset(field.name for field in fields(Times)),
    Arrival: frozenset({"received"}),
    Score: frozenset({"time", "acquired"}),
    Presentation: frozenset({"until"}),
    Trouble: frozenset({"since"}),
}
"""Which numbers are stamps of the sender's LSL clock."""


def plain(value: Any) -> Any:
    """A value as JSON has it: dataclasses as objects, what is not a number as null.

    Text is cut at `MOST_TEXT` characters, at its beginning: a traceback ends with its error.
    """
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        return written_picture(value) if value.dtype == np.uint8 else plain(value.tolist())
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value[-MOST_TEXT:]
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return float(value) if abs(value) <= LARGEST else None
    return value


def understood(hint: Any, value: Any, shift_s: float = 0.0, where: str = "") -> Any:
    """What `plain` made of a value of this type.

    Parameters
    ----------
    hint : type
        A dataclass, or what may annotate a field of one.
    value : JSON value
    shift_s : float
        What to add to the sender's stamps, s.
    where : str
        Which field this is, for the message.

    Raises
    ------
    BadStream
        Of another type, too long or too large.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (hint,) = (kind for kind in inner if kind is not type(None))
        return None if value is None else understood(hint, value, shift_s, where)
    if is_dataclass(hint):
        return _dataclass(hint, value, shift_s, where)  # type: ignore[arg-type]
    if origin in (tuple, frozenset):
        items = _bounded(value, list, where)
        return origin(understood(inner[0], one, shift_s, where) for one in items)
    if origin is Mapping:
        items = _bounded(value, dict, where).items()
        return {_text(key, where): understood(inner[1], one, shift_s, where) for key, one in items}
    if origin is np.ndarray:
        return _array(get_args(inner[1])[0], value, where)
    if issubclass(hint, Enum):
        return _member(hint, value, where)
    return _scalar(hint, value, where)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _dataclass(cls: type, value: Any, shift_s: float, where: str) -> Any:
    """Keys that are not known are left alone: a newer sender may say more."""
    given = _bounded(value, dict, where)
    hints, stamps, values = _hints(cls), STAMPS.get(cls, frozenset()), {}
    for field in fields(cls):
        if field.name in given:
            inside = f"{where} {field.name}".strip()
            read = understood(hints[field.name], given[field.name], shift_s, inside)
            values[field.name] = read + shift_s if field.name in stamps else read
        elif field.default is MISSING and field.default_factory is MISSING:
            raise BadStream(f"a view's message lacks '{where} {field.name}'")
    try:
        return cls(**values)
    except BadInput as error:
        raise BadStream(f"a view's message: {error}") from error


def _bounded(value: Any, kind: type, where: str) -> Any:
    if isinstance(value, kind) and len(value) <= MOST_ITEMS:  # type: ignore[arg-type]
        return value
    raise _wrong(where, value, f"a {kind.__name__} of at most {MOST_ITEMS:,} items")


def _array(kind: type, value: Any, where: str) -> np.ndarray:
    if kind is np.uint8:
        return picture_of(value)
    numbers = [_scalar(float, one, where) for one in _bounded(value, list, where)]
    return read_only(np.array(numbers, kind))


def _member(kind: type[Enum], value: Any, where: str) -> Enum:
    try:
        return kind(value)
    except ValueError as error:
        raise _wrong(where, value, "one of " + ", ".join(str(m.value) for m in kind)) from error


def _scalar(kind: type, value: Any, where: str) -> Any:
    if kind is str:
        return _text(value, where)
    if kind is float and value is None:
        return nan
    # A bool is an int to Python, and to nobody else.
    accepted = {int: (int,), float: (int, float), bool: (bool,)}[kind]
    if type(value) not in accepted:
        raise _wrong(where, value, f"of type {kind.__name__}")
    if not abs(value) <= LARGEST:  # nan is not, either
        raise _wrong(where, value, f"a number up to {LARGEST:g}")
    return kind(value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise _wrong(where, value, f"a text of at most {MOST_TEXT:,} characters")
    return value.encode("utf-8", "replace").decode()  # without halves of characters


def _wrong(where: str, value: Any, wanted: str) -> BadStream:
    return BadStream(f"a view's message: {where} = {repr(value)[:60]}: must be {wanted}")
