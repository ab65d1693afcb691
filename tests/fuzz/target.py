"""What is fuzzed: an input in parts, and what becomes of it."""

import struct
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rtrecon.errors import Error

Parts = list[bytes]
Mutation = Callable[[bytes, Random], bytes]

LARGEST = 1 << 16  # bytes of one input


@dataclass(frozen=True)
class Target:
    """One reader of what is untrusted.

    Attributes
    ----------
    kinds : sequence of Mutation
        One for each part of an input: how a part of its kind is changed with sense (tests.fuzz.mutate).
    seeds : sequence of Parts
        Valid inputs, made in memory.
    run : callable
        Reads one input; what it raises beside `refusals` is a finding.
    refusals : tuple of exception types
        What the readers say they raise.
    """

    kinds: Sequence[Mutation]
    seeds: Sequence[Parts]
    run: Callable[[Parts], None]
    refusals: tuple[type[Exception], ...] = (Error,)


Opening = Callable[[Path], AbstractContextManager[Target]]
"""Makes a target, with a folder that is its own."""


def packed(parts: Parts) -> bytes:
    """An input as one run of bytes."""
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def unpacked(content: bytes, count: int) -> Parts:
    """The parts of an input; whatever the bytes, there are `count`."""
    parts: Parts = []
    at = 0
    for _ in range(count):
        length = int.from_bytes(content[at : at + 4], "little")
        parts.append(content[at + 4 : at + 4 + length])
        at += 4 + len(parts[-1])
    return parts
