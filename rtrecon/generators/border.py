"""What crosses the border to a generator's process: a JSON header and the bytes of arrays.

Nothing is pickled, no message is larger than `MOST_BYTES`, and arrays that arrive are read-only.
"""

import json
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtrecon import errors
from rtrecon.errors import BadInput
from rtrecon.generators import Aim

MOST_BYTES = 1 << 29  # sixteen pictures of 3,000 pixels across, and more than anybody's c
MOST_TEXT = 20_000  # characters of an error, and of where it was met
_LENGTH = 4  # bytes that say how long the header is
_ALIGNED = 64

Arrays = list[NDArray[Any]]
Word = tuple[dict[str, Any], Arrays]


def send(
    connection: Connection, what: str, arrays: Sequence[NDArray[Any]] = (), **more: Any
) -> None:
    """Say something across the border.

    Raises
    ------
    BadInput
        It is too large.
    OSError
        Nobody is there, or nobody listens.
    """
    forms = [(array.dtype.str, array.shape) for array in arrays]
    header = json.dumps({"what": what, "arrays": forms} | more).encode()
    header += b" " * (-(_LENGTH + len(header)) % _ALIGNED)
    parts = [array.tobytes() for array in arrays]
    size = _LENGTH + len(header) + sum(map(len, parts))
    if size > MOST_BYTES:
        raise BadInput(f"{size:,} bytes at once are more than a generator takes: give it less")
    connection.send_bytes(b"".join([len(header).to_bytes(_LENGTH, "little"), header, *parts]))


def receive(connection: Connection) -> Word:
    """What was said: the header, and arrays.

    Raises
    ------
    EOFError, OSError
        Nobody is there, it was broken off, or it is too large.
    ValueError
        It is no such message.
    """
    content = connection.recv_bytes(MOST_BYTES)
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    about = json.loads(content[_LENGTH:end])
    arrays = []
    for form, shape in about.pop("arrays"):
        dtype, count = np.dtype(form), int(np.prod(shape, dtype=np.int64))
        arrays.append(np.frombuffer(content, dtype, count, end).reshape(shape))
        end += count * dtype.itemsize
    return about, arrays


def of_aim(aim: Aim) -> tuple[list[NDArray[Any]], dict[str, Any]]:
    """An aim as arrays and what a header has of it."""
    arrays = [aim.c] if aim.z is None else [aim.c, aim.z]
    return arrays, {"reliability": float(aim.reliability)}


def aim_of(about: dict[str, Any], arrays: Arrays) -> Aim:
    """The aim that `of_aim` took apart."""
    return Aim(arrays[1] if len(arrays) > 1 else None, arrays[0], about["reliability"])


def of_error(error: Exception) -> dict[str, Any]:
    """An error as a header has it."""
    where = "".join(traceback.format_exception(error))
    kind = "MemoryError" if _no_room(error) else type(error).__name__
    return {"kind": kind, "text": str(error)[:MOST_TEXT], "where": where[-MOST_TEXT:]}


def error_of(about: dict[str, Any]) -> Exception:
    """The error that it was, as far as anybody here tells one from another; where it was met, noted."""
    kind, text = about["kind"], about["text"]
    ours = getattr(errors, kind, None)
    error: Exception
    if kind == "MemoryError":
        error = MemoryError(text)
    elif isinstance(ours, type) and issubclass(ours, errors.Error):
        error = ours(text)
    else:
        error = RuntimeError(f"{kind}: {text}")
    error.add_note(f"In the generator's process:\n{about['where']}")
    return error


def _no_room(error: Exception) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
