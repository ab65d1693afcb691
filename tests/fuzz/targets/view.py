"""Messages of a session to its views."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pylsl

from rtrecon.errors import BadStream
from rtrecon.remote.follower import ROLES, Follower
from rtrecon.remote.messages import Message, State, Stimulus, message_of, text_of
from rtrecon.types import (
    Block,
    Comparison,
    Decoded,
    Frame,
    Phase,
    Presentation,
    Score,
    Status,
    Trial,
    Trouble,
)
from tests.fuzz.mutate import blind, json_text
from tests.fuzz.target import Parts, Target


def message(content: bytes, rng: Random) -> bytes:
    """A value of a message, or bytes of its picture."""
    try:
        tree = json.loads(content)
        holder = tree.get(rng.choice(["images", "image", "z_only", "control"]))
        holder["webp"] = base64.b64encode(blind(base64.b64decode(holder["webp"]), rng)).decode()
        return json.dumps(tree).encode()
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return json_text(content, rng)


@contextmanager
def opened(_folder: Path) -> Iterator[Target]:
    """Two messages that come one after the other, to followers of each role."""
    followers = [Follower(f"fuzzed-{role}", role) for role in ROLES]
    for follower in followers:
        follower.close()  # its thread would go on looking for a session
    found = pylsl.StreamInfo("fuzzed-view", "View", 1, 0, pylsl.cf_string, "fuzzed")

    def run(parts: Parts) -> None:
        texts = [part.decode("utf-8", "replace") for part in parts]
        for follower in followers:
            follower._forget()
            for text in texts:
                follower._take(text, 0.5, found)
                _looked_at(follower)
        for text in texts:
            message_again(text)

    texts = [text_of(one).encode() for one in _messages()]
    pairs = [[texts[0], one] for one in texts]
    yield Target((message, message), [*pairs, texts[1:3], texts[3:0:-2]], run)


def message_again(text: str) -> None:
    """What was understood can be told again, and is the same."""
    try:
        read = message_of(text)
    except BadStream:
        return
    told = text_of(read)
    assert text_of(message_of(told)) == told


def _looked_at(follower: Follower) -> None:
    """All that windows ask for."""
    assert follower.status.phase is not None
    presentation = follower.presentation
    if presentation.frame is not None:
        assert presentation.frame.image.ndim == 3
    frame = follower.frames.take()
    if frame is not None:
        assert frame.images.dtype == np.uint8
        follower.stimulus(frame.decoded.trial)


def _messages() -> list[Message]:
    trial = Trial(3, "dog", 12.5, 6.0, "dog.png", "a dog")
    probabilities = np.array([0.25, 0.75], np.float32)
    none = np.zeros(0, np.float32)
    decoded = Decoded(trial, 9, 4.0, None, none, probabilities, probabilities, "dog", 0.75)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (8, 6, 3), dtype=np.uint8)
    score = Score(2, 20.0, 19.0, "", "probability of dog", 0.7, 0.6, 0.6)
    presentation = Presentation(
        Phase.RUNNING, None, {"": score}, block=Block.REGULATE, instruction="Imagine", until=40.0,
        fires={"": 1}, threshold=0.5,
    )  # fmt: skip
    status = Status(Phase.RUNNING, "m", trial=trial, troubles=(Trouble("draw", "slow", 3.0),))
    state = State(status, presentation, 5, 3, False, decoded, candidates=("cat", "dog"))
    frame = Frame(5, image[None], decoded, 2, 4)
    return [state, frame, Stimulus(3, image), Comparison(decoded, image, image)]
