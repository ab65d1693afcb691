"""What a simulated session can show: a world of pictures, each a few words and a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray


class Shown(Protocol):
    """A description of one picture: a dataclass of words and a seed."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def kind(self) -> str:
        """Its trial type."""
        ...


@dataclass(frozen=True)
class Gallery:
    """One world of pictures; its functions take descriptions of this world alone.

    Attributes
    ----------
    name : str
    kinds : tuple of str
        Trial types, which a session balances.
    patterns : tuple of str
        Kinds that show nothing, sprinkled into a run: a noise pattern, or none.
    sample : (rng, kind or none) -> description
    draw : (description, size_px) -> uint8 (size_px, size_px, 3)
    caption : description -> str
    properties : description -> float32 (n,)
        What ventral voxels see of it.
    said : description -> tuple of str
        Two pictures of which the same is said are not shown in one session.
    """

    name: str
    kinds: tuple[str, ...]
    patterns: tuple[str, ...]
    sample: Callable[..., Any]
    draw: Callable[..., NDArray[np.uint8]]
    caption: Callable[[Any], str]
    properties: Callable[[Any], NDArray[np.float32]]
    said: Callable[[Any], tuple[str, ...]]


def weighed(*groups: tuple[float, Sequence[bool]]) -> NDArray[np.float32]:
    """Properties that a picture has or has not, group by group, each group with its say."""
    return np.concatenate([say * np.array(group, np.float32) for say, group in groups])
