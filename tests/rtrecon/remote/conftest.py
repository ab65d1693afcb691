"""A session that tells its views what a test gives it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import numpy as np
import pylsl
import pytest
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.mailbox import Mailbox
from rtrecon.remote import Follower, Publisher
from rtrecon.types import (
    Arrival,
    Decoded,
    Frame,
    Phase,
    Presentation,
    Status,
    Times,
    Trial,
    VolumeCounts,
)


class Told:
    """What a publisher looks at; `looked` counts how often it did."""

    def __init__(self) -> None:
        self.frames: Mailbox[Frame] = Mailbox()
        self.candidates = ("dog", "cat")
        self.settings = Settings()
        self.stream_text, self.decoder_text, self.generator_text = "8 x 8 x 8", "sub-toy", "toy"
        self.tr_s, self.speed = 2.0, 1.0
        self.decoded: Decoded | None = None
        self.comparison = None
        self.ended = False
        self.pictures: dict[int, NDArray[np.uint8]] = {}
        self.shows = frozenset({"reconstruction"})
        self.looked = 0
        self._status = Status(Phase.RUNNING, stream="toy")

    @property
    def status(self) -> Status:
        self.looked += 1
        return self._status

    @property
    def presentation(self) -> Presentation:
        return Presentation(self._status.phase, self.frames.newest, shows=self.shows)

    def become(self, **changes: Any) -> None:
        self._status = replace(self._status, **changes)

    def stimulus(self, trial: Trial) -> NDArray[np.uint8] | None:
        return self.pictures.get(trial.number)

    def draw(self, volume: int, trial: int = 1) -> Frame:
        """A volume arrives, is decoded and drawn."""
        now = pylsl.local_clock()
        about = Trial(trial, "dog", 0.0, 4.0)
        p = np.array([0.75, 0.25], np.float32)
        self.decoded = Decoded(
            about, volume, 2.0 * volume, None, np.zeros((1, 4), np.float32), p, p, "dog", 0.75,
            Times(now, now, now),
        )  # fmt: skip
        self.become(
            arrival=Arrival(volume, now), trial=about, volumes=VolumeCounts(received=volume + 1)
        )
        images = np.random.default_rng(volume).integers(0, 256, (1, 32, 48, 3), dtype=np.uint8)
        frame = Frame(volume + 1, images, self.decoded, 4, 4, Times(now, now, now, now))
        self.frames.put(frame)
        return frame


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def publish(stream_name: str) -> Iterator[Callable[[object], Publisher]]:
    """Publishes under the test's name until the test ends."""
    with ExitStack() as stack:
        yield lambda session: stack.enter_context(closing(Publisher(stream_name, session)))  # type: ignore[arg-type]


@pytest.fixture
def follow(stream_name: str) -> Iterator[Callable[..., Follower]]:
    """Follows the test's session until the test ends."""
    with ExitStack() as stack:
        yield lambda role="operator": stack.enter_context(closing(Follower(stream_name, role)))
