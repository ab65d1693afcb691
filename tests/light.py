"""A generator of numpy alone: for what is about processes and not about pictures."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.generators import Aim, Newer, Step


class Light:
    """Draws grey pictures with spaces of Stable Diffusion's size; encodes captions for ever."""

    name, identity, gpu = "light", "light", None
    conditioning = (77, 768)
    defaults, takes = Settings(steps=1), frozenset({"steps"})

    def __init__(self, size_px: int) -> None:
        self.size_px, self.latent = size_px, (4, size_px // 8, size_px // 8)
        self._picture = np.full((1, size_px, size_px, 3), 127, np.uint8)

    @property
    def compute(self) -> "Light":
        return self

    def told(self) -> dict[str, Any]:
        return {}

    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        for step in range(1, settings.steps + 1):
            yield Step(self._picture, step, settings.steps)

    def settle(self) -> None:
        pass

    def decode_latents(self, z: NDArray[np.float32]) -> None:
        pass

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.zeros((len(images), *self.latent), np.float32)

    def encode_captions(self, captions: Sequence[str]) -> NDArray[np.float32]:
        threading.Event().wait()
        raise AssertionError


def load(name: str, compute: object) -> Light:
    """By the edge of its pictures, px."""
    return Light(int(name))
