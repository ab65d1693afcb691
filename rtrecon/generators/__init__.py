"""What makes an image from (z, c): one small protocol, loaded by name or folder."""

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.errors import BadGenerator

GROUP = "rtrecon.generators"  # entry points whose value is the folder of a named generator


class Step(NamedTuple):
    """Pictures on the way. `images`: uint8 (samples, height, width, 3); `step` of `steps` done."""

    images: NDArray[np.uint8]
    step: int
    steps: int


class Aim(NamedTuple):
    """What pictures are drawn from. `z`: float32 (*latent) or None; `c`: float32 (*conditioning)."""

    z: NDArray[np.float32] | None
    c: NDArray[np.float32]


Newer = Callable[[], Aim | None]


class Generator(Protocol):
    """A generative model with a latent space z and a conditioning space c.

    Attributes
    ----------
    name : str
    identity : str
        Hash of what defines the two spaces; decoders are tied to it.
    latent : (int, int, int)
        Shape of z: (channels, height, width).
    conditioning : (int, int)
        Shape of c: (tokens, features).
    size_px : int
        Edge of its square images.
    defaults : Settings
        What it draws best with.
    takes : frozenset of str
        Which settings change its pictures; the others are ignored.
    """

    name: str
    identity: str
    latent: tuple[int, int, int]
    conditioning: tuple[int, int]
    size_px: int
    defaults: Settings
    takes: frozenset[str]

    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        """Yield the pictures after each step worth showing, the finished ones last.

        Called from one thread only. `aim.z` None: they start from noise alone. `newer` is asked
        between steps for an aim that has taken the place of the last one, None for none.

        Raises
        ------
        BadInput
            z or c that it cannot draw from.
        """
        ...

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Latents (n, *latent) of images (height, width, 3) of any size."""
        ...

    def encode_captions(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Conditionings (n, *conditioning) of captions."""
        ...


def find_generator(name_or_folder: str) -> Path:
    """The folder of a generator given by name or as a folder.

    Raises
    ------
    BadGenerator
        Neither an installed name nor a folder.
    """
    named = {point.name: point for point in entry_points(group=GROUP)}
    if name_or_folder in named:
        return Path(named[name_or_folder].load())
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise BadGenerator(
            f"generator '{name_or_folder}' is neither a folder nor a known name "
            f"({', '.join(sorted(named)) or 'none installed'}): name the folder of a diffusers pipeline"
        )
    return folder


def load_generator(name_or_folder: str) -> Generator:
    """Load a generator by name or folder.

    Raises
    ------
    BadGenerator
        It is not there or cannot be loaded.
    """
    # Imported here: torch takes seconds, and `import rtrecon` must not.
    from rtrecon.generators.diffusion import Diffusion

    return Diffusion(find_generator(name_or_folder), name_or_folder)
