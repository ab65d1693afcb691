"""Captions: the attributes of a scene in varied words."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from simulator.scenes import Scene

Choice = TypeVar("Choice")

NOUNS: dict[str, tuple[str, ...]] = {
    "dog": ("dog", "dog", "puppy"),
    "cat": ("cat", "cat", "kitten"),
    "scissors": ("scissors",),
    "car": ("car", "car", "automobile"),
    "house": ("house", "house", "cottage"),
    "boat": ("boat", "sailing boat"),
    "tree": ("tree",),
    "flower": ("flower", "flower", "blossom"),
    "mug": ("mug", "mug", "cup"),
    "fish": ("fish",),
    "rocket": ("rocket", "rocket", "space rocket"),
    "mushroom": ("mushroom", "mushroom", "toadstool"),
}
SIZES: dict[str, tuple[str, ...]] = {
    "small": ("small", "little", "tiny"),
    "medium": ("medium", "medium sized", "middle sized"),
    "large": ("large", "big", "huge"),
}
COLOURS: dict[str, tuple[str, ...]] = {
    "red": ("red", "red", "scarlet"),
    "orange": ("orange",),
    "yellow": ("yellow", "yellow", "golden"),
    "green": ("green",),
    "blue": ("blue",),
    "purple": ("purple", "purple", "violet"),
    "white": ("white",),
    "black": ("black",),
}
POSITIONS: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "to the left", "at the left side"),
    "centre": ("in the centre", "in the middle", "at the centre"),
    "right": ("on the right", "to the right", "at the right side"),
}
# Each place as it is entered and as it is called: "on" "a sandy beach".
PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    "meadow": (("in", "a green meadow"), ("in", "a meadow"), ("on", "a grassy field")),
    "beach": (("on", "a sandy beach"), ("on", "a beach"), ("at", "a beach by the sea")),
    "snow": (("in", "a snowy field"), ("in", "deep snow"), ("in", "a winter landscape")),
    "desert": (("in", "a dry desert"), ("in", "a desert"), ("in", "desert dunes")),
    "city": (("on", "a city street"), ("in", "a city"), ("on", "a street in town")),
    "room": (("in", "a living room"), ("in", "a room"), ("in", "a room with a window")),
}
TIMES: dict[str, tuple[str, ...]] = {
    "day": ("by day", "during the day", "in daylight"),
    "sunset": ("at sunset", "at dusk", "in the evening"),
    "night": ("at night", "by night", "in the dark of night"),
}
# Each form names all six attributes: {thing} holds size, colour and kind.
FORMS: tuple[str, ...] = (
    "{thing} {position} of {place} {time}",
    "{thing}, {position}, {where}, {time}",
    "a picture of {thing} {position} {where} {time}",
    "a photo of {thing} {where} {time}, {position}",
    "an image of {place} {time} with {thing} {position}",
    "a drawing of {thing} {where} {time}, seen {position}",
    "{place} {time}, with {thing} {position}",
    "{time}, {position}, {thing} {where}",
)
SHORT: tuple[str, ...] = ("a {kind}", "a photo of a {kind}", "{kind}")
NOISE: tuple[str, ...] = (
    "a random noise pattern",
    "noise",
    "a noise pattern",
    "random noise",
    "a visual noise pattern",
    "an image of random visual noise",
    "a picture of random noise",
    "a random pattern of coloured noise",
)


def canonical(scene: Scene) -> str:
    """Caption of a scene in its one fixed form."""
    if not scene.place:
        return NOISE[0]
    return FORMS[0].format(
        thing=_thing(scene.size, scene.colour, scene.kind),
        position=POSITIONS[scene.position][0],
        place=PLACES[scene.place][0][1],
        time=TIMES[scene.time][0],
    )


def varied(scene: Scene, rng: np.random.Generator) -> str:
    """Caption of a scene in one of many forms; about one in ten names only the kind."""
    if not scene.place:
        return _one(NOISE, rng)
    if rng.random() < 0.1:
        return _short(scene.kind, rng)
    into, place = _one(PLACES[scene.place], rng)
    size, colour = _one(SIZES[scene.size], rng), _one(COLOURS[scene.colour], rng)
    return _one(FORMS, rng).format(
        thing=_thing(size, colour, _one(NOUNS[scene.kind], rng)),
        position=_one(POSITIONS[scene.position], rng),
        where=f"{into} {place}",
        place=place,
        time=_one(TIMES[scene.time], rng),
    )


def _thing(size: str, colour: str, noun: str) -> str:
    if noun == "scissors":
        return f"a {size} pair of {colour} scissors"
    return f"a {size} {colour} {noun}"


def _short(kind: str, rng: np.random.Generator) -> str:
    form = _one(SHORT, rng)
    if kind == "scissors" and form != "{kind}":
        return form.format(kind="pair of scissors")
    return form.format(kind=kind)


def _one(choices: tuple[Choice, ...], rng: np.random.Generator) -> Choice:
    return choices[int(rng.integers(len(choices)))]
