"""What makes an image from (z, c): one small protocol, loaded by name or folder."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.errors import BadGenerator, BadInput
from rtrecon.generators.presets import PRESETS, Preset

if TYPE_CHECKING:  # torch takes seconds
    from rtrecon.generators.compute import Compute

GROUP = "rtrecon.generators"  # entry points of named generators; each value is a Preset
CONFIG = "generator.json"  # what the folder of an adversarial generator holds, and no other
_AGAIN = "install a version that fits this one"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Step(NamedTuple):
    """Pictures on the way. `images`: uint8 (samples, height, width, 3); `step` of `steps` done."""

    images: NDArray[np.uint8]
    step: int
    steps: int


class Aim(NamedTuple):
    """What pictures are drawn from.

    Attributes
    ----------
    z : float32 (*latent) or None
        None: pictures start from noise alone.
    c : float32 (*conditioning)
    reliability : float
        How much of it is known, 0 to 1: with less, z is noised further.
    """

    z: NDArray[np.float32] | None
    c: NDArray[np.float32]
    reliability: float = 1.0


Newer = Callable[[], Aim | None]


class Place(Protocol):
    """Where, and in which precision, pictures are drawn."""

    @property
    def gpu(self) -> str | None:
        """The name of the graphics card, if it is one."""
        ...

    def told(self) -> dict[str, Any]:
        """For the record: what, beside the weights, decides the last bits of a picture."""
        ...


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
    compute : Place
        Where, and in which precision, it draws.
    """

    name: str
    identity: str
    latent: tuple[int, int, int]
    conditioning: tuple[int, int]
    size_px: int
    defaults: Settings
    takes: frozenset[str]

    @property
    def compute(self) -> Place:  # noqa: D102
        ...

    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        """Yield the pictures after each step worth showing, the finished ones last.

        Called from one thread only. `newer` is asked before each step from the second to the
        middle, once and in order, for an aim that has taken the place of the last one, None for
        none.

        Raises
        ------
        BadInput
            z or c that it cannot draw from.
        """
        ...

    def decode_latents(self, z: NDArray[np.float32]) -> NDArray[np.uint8] | None:
        """A latent (*latent) as a picture (height, width, 3), nothing made up to it; None where a
        latent alone is none. Called from the thread of `images`.

        Raises
        ------
        BadInput
            z that it cannot draw from.
        """
        ...

    def settle(self) -> None:
        """Compile nothing more: a session begins, and what was not needed so far runs as it is."""
        ...

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Latents (n, *latent) of images (height, width, 3) of any size."""
        ...

    def encode_captions(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Conditionings (n, *conditioning) of captions."""
        ...


def nothing(generator: Generator) -> Aim:
    """An aim of zeros, to warm up with."""
    z = np.zeros(generator.latent, np.float32)
    return Aim(z, np.zeros(generator.conditioning, np.float32))


def check_aim(aim: Aim, generator: Generator) -> None:
    """See that an aim is one that the generator can draw from.

    One bad value would spread over the whole picture, and a picture of it would look like one.

    Raises
    ------
    BadInput
        z or c of another shape, or with values that are not numbers.
    """
    if aim.z is not None:
        check_values("z", aim.z, generator.latent)
    check_values("c", aim.c, generator.conditioning)


def check_values(name: str, values: NDArray[np.float32], wanted: tuple[int, ...]) -> None:
    """As `check_aim`, for z or c alone."""
    if values.shape != wanted:
        raise BadInput(
            f"{name} has the shape {values.shape}, the generator takes {wanted}: "
            "use decoders that were fitted for it"
        )
    if not np.isfinite(values).all():
        wrong = int((~np.isfinite(values)).sum())
        raise BadInput(
            f"{wrong} of the {values.size} values of {name} are no numbers: nothing is drawn from it"
        )


def find_generator(name: str) -> Preset:
    """Where a generator's weights are and how it draws best.

    Parameters
    ----------
    name : str
        A preset's or an installed generator's name, a folder, or a hub id (owner/name).

    Raises
    ------
    BadGenerator
        None of these, or installed badly.
    """
    if name in PRESETS:
        return PRESETS[name]
    named = {point.name: point for point in entry_points(group=GROUP)}
    if name in named:
        return _installed(named[name])
    if not os.path.isdir(name) and not _HUB_ID.fullmatch(name):  # False for any text
        known = ", ".join(sorted({*named, *PRESETS}))
        raise BadGenerator(
            f"generator '{name}' is neither a folder nor a known name ({known}): name one of these, "
            "the folder of a diffusers pipeline, or a hub id (owner/name)"
        )
    return Preset(name)


def _installed(point: EntryPoint) -> Preset:
    try:
        preset = point.load()
    except (ImportError, AttributeError) as error:
        raise BadGenerator(
            f"generator '{point.name}' is installed badly ({error}): {_AGAIN}"
        ) from None
    if not isinstance(preset, Preset):
        kind = type(preset).__name__
        raise BadGenerator(
            f"generator '{point.name}' is installed as a {kind} and not as a Preset: {_AGAIN}"
        )
    return preset


def load_generator(name: str, compute: "Compute | None" = None) -> Generator:
    """Load a generator by name, folder or hub id, from this machine alone.

    `compute`: where it draws; by default where this machine does best.

    Raises
    ------
    BadGenerator
        It is not there or cannot be loaded.
    """
    preset = find_generator(name)
    # Imported here: torch takes seconds, and `import rtrecon` must not.
    if (Path(preset.repository) / CONFIG).is_file():
        from rtrecon.generators.adversarial import Adversarial

        return Adversarial(Path(preset.repository), name, compute)
    from rtrecon.generators.diffusion import Diffusion

    return Diffusion(preset, name, compute)
