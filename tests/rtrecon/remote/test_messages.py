"""What a session tells its views comes back as it was; anything else is refused, and no more."""

import base64
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rtrecon.config import Settings
from rtrecon.errors import BadStream
from rtrecon.remote.messages import KINDS, MOST_CHARACTERS, State, Stimulus, message_of, text_of
from rtrecon.types import (
    Arrival,
    Block,
    Comparison,
    Decoded,
    Frame,
    Pattern,
    Person,
    Phase,
    Presentation,
    Score,
    Status,
    Times,
    Trial,
    VolumeCounts,
)

RNG = np.random.default_rng(0)
TRIAL = Trial(3, "dog", 12.5, math.nan, "d\ud83dog.png", "a dog <b>runs</b>")
DECODED = Decoded(
    TRIAL, 9, 8.0, np.ones((4, 8, 8), np.float32), np.ones((7, 16), np.float32),
    np.array([0.25, 0.75], np.float32), np.array([0.1, 0.9], np.float32), "cat", 0.9,
    Times(1.0, 2.0, 3.0), 0.5, Pattern(TRIAL, 9, 8.0, np.ones(5, np.float32), 1.0),
)  # fmt: skip
FRAME = Frame(
    7, RNG.integers(0, 256, (2, 24, 16, 3), dtype=np.uint8), DECODED, 2, 4,
    Times(1.0, 2.0, 3.0, 4.0), "9", Settings(steps=4, samples=2),
)  # fmt: skip
SCORE = Score(4, 5.0, 4.0, "A", "power", math.inf, 0.5, math.nan, Block.SHAM, fault="artefact")
STATE = State(
    Status(
        Phase.RUNNING, "m", "t", "s", VolumeCounts(5, 1, 2, 3), Arrival(9, 2.0, reason="moved"),
        TRIAL, 3, 4, 5.5, recording="full", paused=True,
    ),
    Presentation(
        Phase.RUNNING, None, {"A": SCORE}, (Person("A", "#ff0000"), Person("B")), Block.SHAM,
        "rest", 20.0, frozenset({"score", "fixation"}), {"A": 2},
    ),
    7, 3, False, DECODED, Settings(guidance=2.5), ("dog", "cat"), "8 x 8", "d", "g", 2.0, 10.0,
)  # fmt: skip
COMPARISON = Comparison(DECODED, FRAME.images[0], None)
MESSAGES = (STATE, FRAME, Stimulus(3, FRAME.images[1]), COMPARISON)
TEXTS = [text_of(message) for message in MESSAGES]


def leaves(value: Any, path: str = "") -> Mapping[str, Any]:
    """A second way through a value: every number, text and array by where it is."""
    if hasattr(value, "__dataclass_fields__"):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, frozenset):
        value = sorted(value)
    items = enumerate(value) if isinstance(value, tuple | list) else None
    items = value.items() if isinstance(value, Mapping) else items
    if items is None:
        return {path: value}
    return {at: leaf for key, one in items for at, leaf in leaves(one, f"{path}.{key}").items()}


@pytest.mark.parametrize("message", MESSAGES, ids=list(KINDS))
def test_a_message_comes_back_as_it_was(message: Any) -> None:
    before, after = leaves(message), leaves(message_of(text_of(message)))
    large = re.compile(r"\.decoded\.(z|c|pattern)\b")
    assert all(after[path] is None or after[path].size == 0 for path in filter(large.search, after))
    before, after = (
        {path: leaf for path, leaf in leaf_of.items() if not large.search(path)}
        for leaf_of in (before, after)
    )
    assert before.keys() == after.keys()
    for path in before:
        told = before[path]
        told = math.nan if isinstance(told, float) and math.isinf(told) else told
        told = told.replace("\ud83d", "?") if isinstance(told, str) else told
        np.testing.assert_array_equal(told, after[path], path)


def test_stamps_and_nothing_else_are_put_on_our_clock() -> None:
    for message in MESSAGES:
        before, after = (leaves(message_of(text_of(message), s)) for s in (0.0, 100.0))
        moved = {
            path.rsplit(".", 1)[1]
            for path in before
            if isinstance(before[path], float)
            and np.isfinite(before[path])
            and after[path] != before[path]
        }
        stamps = {
            State: {"acquired", "received", "decoded", "time", "until"},
            Frame: {"acquired", "received", "decoded", "drawn"},
            Comparison: {"acquired", "received", "decoded"},
        }
        assert moved == stamps.get(type(message), set())
        assert all(
            after[path] == before[path] + 100
            for path in before
            if path.rsplit(".", 1)[1] in moved
            and isinstance(before[path], float)
            and np.isfinite(before[path])
        )


def test_what_is_not_asked_for_is_not_read() -> None:
    broken = TEXTS[2].replace('"webp": "', '"webp": "!')
    assert message_of(broken, kinds=frozenset({"state"})) is None
    with pytest.raises(BadStream, match="cannot be read"):
        message_of(broken)


def test_large_pictures_are_made_smaller() -> None:
    wide = np.full((3, 900, 1200, 3), (10, 200, 30), np.uint8)
    small = message_of(text_of(replace(FRAME, images=wide))).images
    assert small.shape == (3, 384, 512, 3)
    assert (small == (10, 200, 30)).all()
    many = message_of(text_of(replace(FRAME, images=wide.repeat(5, 0)))).images
    assert many.size // 3 <= 1 << 20
    assert many.shape[0] == 15


def changed(text: str, path: tuple[Any, ...], value: Any) -> str:
    message = json.loads(text)
    inner = message
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(message)


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        (0, ("status", "phase"), "asleep"),
        (0, ("status", "stream"), "x" * 20_000),
        (0, ("status", "volumes", "received"), True),
        (0, ("status", "volumes", "received"), 10**30),
        (0, ("status", "trial", "onset_s"), 1e300),
        (0, ("status", "trial", "onset_s"), "12"),
        (0, ("candidates",), ["dog"]),
        (0, ("candidates",), [["dog"], "cat"]),
        (0, ("decoded", "probabilities"), [None, 0.5]),
        (0, ("decoded", "probabilities"), [0.5] * 20_000),
        (0, ("decoded", "scores"), [0.5]),
        (0, ("presentation", "people", 0, "colour"), "red; border: 9px"),
        (0, ("presentation", "shows"), "score"),
        (0, ("settings", "steps"), 10_000),
        (0, ("tr_s",), 0),
        (0, ("tr_s",), None),
        (1, ("images", "samples"), 5),
        (1, ("images", "samples"), None),
        (1, ("images", "samples"), 1 << 30),
        (1, ("images", "webp"), "AAAA"),
        (1, ("step",), 9),
        (2, ("image", "samples"), 1),
        (2, ("trial",), None),
        (3, ("z_only",), 7),
        (3, ("decoded",), None),
    ],
)
def test_what_breaks_the_contract_is_refused(text: int, path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(BadStream, match="view's"):
        message_of(changed(TEXTS[text], path, value))


def test_a_picture_too_large_is_refused_before_it_is_unpacked() -> None:
    """A picture of one colour takes a few hundred bytes, whatever its size."""
    content = io.BytesIO()
    Image.new("RGB", (2_000, 2_000)).save(content, "WEBP", lossless=True, method=0, quality=0)
    bomb = base64.b64encode(content.getvalue()).decode()
    assert len(bomb) < 100_000
    with pytest.raises(BadStream, match="2000 x 2000"):
        message_of(changed(TEXTS[2], ("image", "webp"), bomb))
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG")
    png = base64.b64encode(content.getvalue()).decode()
    with pytest.raises(BadStream, match="cannot be read"):
        message_of(changed(TEXTS[2], ("image", "webp"), png))


def test_a_message_too_long_or_too_deep_is_refused() -> None:
    with pytest.raises(BadStream, match="too many"):
        message_of(" " * (MOST_CHARACTERS + 1))
    with pytest.raises(BadStream, match="not JSON"):
        message_of("[" * 200_000)


def test_what_a_newer_sender_says_beside_it_is_left_alone() -> None:
    newer = changed(TEXTS[0], ("mood",), {"good": [1]})
    assert text_of(message_of(newer)) == text_of(message_of(TEXTS[0]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def understood_or_refused(text: str) -> None:
    try:
        message = message_of(text)
    except BadStream:
        return
    assert isinstance(message, tuple(KINDS.values()))
    text_of(message)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | JSON.map(json.dumps))
def test_any_text_is_understood_or_refused(text: str) -> None:
    understood_or_refused(text)


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_message_changed_anywhere_is_understood_or_refused(data: st.DataObject) -> None:
    message = json.loads(data.draw(st.sampled_from(TEXTS)))
    inner = message
    while True:  # to some place in it
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = data.draw(st.sampled_from(keys))
        if not inner[key] or not isinstance(inner[key], dict | list) or data.draw(st.booleans()):
            break
        inner = inner[key]
    inner[key] = data.draw(JSON)
    understood_or_refused(json.dumps(message))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_picture_damaged_anywhere_is_understood_or_refused(data: st.DataObject) -> None:
    frame = json.loads(TEXTS[1])
    content = bytearray(base64.b64decode(frame["images"]["webp"]))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    frame["images"]["webp"] = base64.b64encode(content[:cut] if cut % 3 == 0 else content).decode()
    understood_or_refused(json.dumps(frame))
