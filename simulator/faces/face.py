"""Who a face belongs to, in words and a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.gallery import weighed

KINDS = (
    "girl", "boy", "woman", "man", "grandmother", "grandfather", "queen", "cook", "pirate", "punk",
)  # fmt: skip
SKINS = ("pale", "tanned", "brown-skinned", "dark-skinned")
HAIRS = ("black-haired", "brown-haired", "red-haired", "blond")
OLD_HAIRS = ("grey-haired", "white-haired")
DYED_HAIRS = ("pink-haired", "green-haired", "blue-haired")
MOUTHS = ("smiling", "laughing", "serious", "surprised")
CLOTHES = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
PLACES = ("sky", "meadow", "sunset", "night", "sand", "snow")
_HAIRS_OF = {"grandmother": OLD_HAIRS, "grandfather": OLD_HAIRS, "punk": DYED_HAIRS}
_GLASSES_SHARE = 0.35
_LIKE = {  # what kinds have in common
    "child": ("girl", "boy"),
    "old": ("grandmother", "grandfather"),
    "female": ("girl", "woman", "grandmother", "queen"),
    "bearded": ("man", "grandfather", "cook", "pirate"),
    "something on the head": ("boy", "queen", "cook", "pirate"),
}


@dataclass(frozen=True)
class Face:
    """What a picture of a face shows.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    skin, hair, mouth, clothes, place : str
        One of `SKINS`, `hairs(kind)`, `MOUTHS`, `CLOTHES`, `PLACES`.
    glasses : bool
    seed : int
        Drives all further variation: proportions, where the head is and how it is held, eyes.
    """

    kind: str
    skin: str
    hair: str
    mouth: str
    clothes: str
    place: str
    glasses: bool
    seed: int


def hairs(kind: str) -> tuple[str, ...]:
    """The colours of hair that a kind may have."""
    return _HAIRS_OF.get(kind, HAIRS)


def sample(rng: np.random.Generator, kind: str | None = None) -> Face:
    """Draw a face at random, every attribute uniform over its values; glasses for a third."""
    kind = kind or _one_of(KINDS, rng)
    tables = (SKINS, hairs(kind), MOUTHS, CLOTHES, PLACES)
    skin, hair, mouth, clothes, place = (_one_of(table, rng) for table in tables)
    glasses, seed = bool(rng.random() < _GLASSES_SHARE), int(rng.integers(2**31))
    return Face(kind, skin, hair, mouth, clothes, place, glasses, seed)


def caption(face: Face) -> str:
    """Describe a face in lower-case words, each of which says one thing alone."""
    glasses = " with glasses" if face.glasses else ""
    return (
        f"a {face.mouth} {face.skin} {face.hair} {face.kind}{glasses} "
        f"dressed in {face.clothes} before {face.place}"
    )


def words(face: Face) -> tuple[str, ...]:
    """What can be said of a face; all but the seed."""
    said = (face.kind, face.skin, face.hair, face.mouth, face.clothes, face.place)
    return (*said, "glasses") if face.glasses else said


def properties(face: Face) -> NDArray[np.float32]:
    """A face's description as numbers, (n,), each group with its say."""
    return weighed(
        (1.3, [face.kind == kind for kind in KINDS]),
        (0.6, [face.kind in kinds for kinds in _LIKE.values()]),
        (0.8, [face.skin == skin for skin in SKINS]),
        (0.8, [face.hair == hair for hair in (*HAIRS, *OLD_HAIRS, *DYED_HAIRS)]),
        (0.7, [face.mouth == mouth for mouth in MOUTHS]),
        (0.7, [face.clothes == clothes for clothes in CLOTHES]),
        (1.0, [face.place == place for place in PLACES]),
        (0.8, [face.glasses]),
    )


VOCABULARY = (
    *KINDS, *SKINS, *HAIRS, *OLD_HAIRS, *DYED_HAIRS, *MOUTHS, *CLOTHES, *PLACES, "glasses",
)  # fmt: skip


def _one_of(table: tuple[str, ...], rng: np.random.Generator) -> str:
    return table[int(rng.integers(len(table)))]
