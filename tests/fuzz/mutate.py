"""How inputs are changed: blindly, or with a sense for what they are."""

import json
import re
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.target import LARGEST, Mutation, Parts

ODD_NUMBERS: list[Any] = [
    0, -1, 1, 2, 3, 7, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 10_000, 10_001, 1 << 24,
    2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, -(2**31), -(2**63), 10**400,
    0.5, -0.0, 1e-9, 1e-300, 1e9, 1e30, 1e308, float("inf"), float("-inf"), float("nan"),
]  # fmt: skip
ODD_TEXTS = [
    "", " ", "0", "-1", "1", "2", "nan", "inf", "-inf", "1e9", "1e309", "1e-320", "9" * 30, "9" * 5000,
    "0x10", "1_0", "٣", "n/a", "null", "true", "../../x", "/dev/null", "/", ".", "a\0b", "\ud800",
    "\x1b[2J", "<b>", "&amp;", "ß" * 300, "\u202e", "\n", "\t", "\r", "{}", "[]", '"', "'", "%s", "%n",
]  # fmt: skip
_INTERESTING = [0, 1, 2, 7, 8, 16, 127, 128, 254, 255]
_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)


def blind(content: bytes, rng: Random) -> bytes:
    """Bytes changed, put in, taken out, doubled or cut off."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 8])):
        at = rng.randrange(len(data) + 1)
        length = min(rng.choice([1, 1, 2, 4, 8, 32, 512]), len(data) - at)
        match rng.randrange(8):
            case 0 if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[rng.randrange(len(data))] = rng.choice(_INTERESTING)
            case 2:
                data[at:at] = rng.randbytes(rng.choice([1, 2, 4, 16]))
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = data[at : at + length] * rng.choice([1, 1, 2, 16])
            case 5:
                del data[at:]
            case 6:
                data[at : at + length] = rng.randbytes(length)
            case 7:
                data[at : at + 8] = _number(rng)[: max(0, len(data) - at)]
    return bytes(data[:LARGEST])


def text(content: bytes, rng: Random) -> bytes:
    """Words of a text changed, taken out, doubled or exchanged."""
    words = _TOKEN.findall(content.decode("utf-8", "replace"))
    if not words:
        return rng.choice(ODD_TEXTS).encode("utf-8", "replace")
    at = rng.randrange(len(words))
    match rng.randrange(6):
        case 0 | 1 | 2:
            words[at] = odd_text(rng)
        case 3:
            del words[at : at + rng.choice([1, 1, 4, 20])]
        case 4:
            words[at:at] = words[at : at + rng.choice([1, 4, 20, 100])] * rng.choice([1, 1, 20])
        case 5:
            words[at] = rng.choice(words)
    return "".join(words).encode("utf-8", "replace")[:LARGEST]


def odd_text(rng: Random) -> str:
    """A word that no reader hopes for."""
    return rng.choice(ODD_TEXTS) if rng.random() < 0.6 else str(rng.choice(ODD_NUMBERS))[:5000]


def json_text(content: bytes, rng: Random) -> bytes:
    """One value within a JSON text replaced, taken out or exchanged with another."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return text(content, rng)
    holders = list(_holders(tree))
    if not holders:
        return text(content, rng)
    holder, key = rng.choice(holders)
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1:
            other, place = rng.choice(holders)
            holder[key], other[place] = other[place], holder[key]
        case 2:
            holder[key] = [holder[key]]
        case 3 if isinstance(holder[key], list) and holder[key]:
            holder[key] = holder[key] * rng.choice([2, 2, 100])
        case 4:
            holder[key] = rng.choice([None, True, False, [], {}, [[]], {"a": 1}])
        case 5 if isinstance(holder[key], str):
            holder[key] = text(holder[key].encode("utf-8", "replace"), rng).decode(
                "utf-8", "replace"
            )
        case 6 if isinstance(holder[key], str):
            holder[key] = odd_text(rng)
        case _:
            holder[key] = rng.choice(
                [rng.choice(ODD_NUMBERS), rng.choice(ODD_NUMBERS), odd_text(rng)]
            )
    return _json(tree)[:LARGEST]


def lines_of(of_line: Mutation) -> Mutation:
    """What changes one line of a text, takes lines out, doubles and exchanges them."""

    def lines(content: bytes, rng: Random) -> bytes:
        rows = content.split(b"\n")
        at = rng.randrange(len(rows))
        match rng.randrange(10):
            case 0:
                del rows[at]
            case 1:
                rows[at:at] = [rows[at]] * rng.choice([1, 1, 2, 50])
            case 2:
                other = rng.randrange(len(rows))
                rows[at], rows[other] = rows[other], rows[at]
            case _:
                rows[at] = of_line(rows[at], rng)
        return b"\n".join(rows)[:LARGEST]

    return lines


def _cells(content: bytes, rng: Random) -> bytes:
    cells = content.split(b"\t")
    at = rng.randrange(len(cells))
    match rng.randrange(6):
        case 0:
            del cells[at]
        case 1:
            cells[at] = text(cells[at], rng)
        case 2:
            cells[at:at] = [cells[at]]
        case _:
            cells[at] = odd_text(rng).encode("utf-8", "replace")
    return b"\t".join(cells)


json_lines = lines_of(json_text)
table = lines_of(_cells)


def npy(content: bytes, rng: Random) -> bytes:
    """The header of a .npy file changed, its length kept true."""
    length = int.from_bytes(content[8:10], "little")
    header = text(content[10 : 10 + length], rng)[:60_000]
    return content[:8] + struct.pack("<H", len(header)) + header + content[10 + length :]


def mutated(parts: Parts, kinds: Any, rng: Random, raw: Callable[[bytes, Random], bytes]) -> Parts:
    """An input with one part changed, or a few: by its kind, or as `raw` changes bytes."""
    changed = list(parts)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(changed))
        change = kinds[at] if rng.random() < 0.65 else raw
        changed[at] = change(changed[at], rng)[:LARGEST]
    return changed


def _holders(tree: Any) -> Any:
    """Each place of a tree: what holds it, and under which key."""
    keys = (
        tree.keys()
        if isinstance(tree, dict)
        else range(len(tree))
        if isinstance(tree, list)
        else ()
    )
    for key in list(keys):
        yield tree, key
        yield from _holders(tree[key])


def _json(tree: Any) -> bytes:
    try:
        return json.dumps(tree).encode("utf-8", "replace")
    except (ValueError, RecursionError):  # a number of too many digits, or exchanged into a circle
        return b"{}"


def _number(rng: Random) -> bytes:
    value, order = rng.choice(ODD_NUMBERS), rng.choice("<>")
    if isinstance(value, float):
        with_range = value if abs(value) < 1e38 else float("inf")
        return struct.pack(order + rng.choice("df"), with_range)
    size = rng.choice([1, 2, 4, 8])
    return (value % (1 << 8 * size)).to_bytes(size, "little" if order == "<" else "big")
