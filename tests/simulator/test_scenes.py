"""Scenes: the same picture every time, showing what their words say."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from simulator.drawing import words
from simulator.drawing.palette import COLOURS as PAINTED
from simulator.scenes import (
    COLOURS,
    KINDS,
    NOISE,
    PLACES,
    POSITIONS,
    SIZES,
    TIMES,
    Scene,
    caption,
    render,
    sample_scene,
)

EXTENTS = {"small": 0.40, "medium": 0.55, "large": 0.75}
CENTRES = {"left": 0.30, "centre": 0.50, "right": 0.70}
PLAIN = Scene("dog", "red", "meadow", "day", "medium", "centre", False, 7)


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a mask in pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def rim(mask: np.ndarray) -> np.ndarray:
    """Mask of the background within three pixels of a thing."""
    wide = mask.copy()
    for shift, axis in product(range(-3, 4), (0, 1)):
        wide |= np.roll(mask, shift, axis)
    return wide & ~mask


def test_lists_are_as_large_as_promised() -> None:
    assert (len(KINDS), len(COLOURS), len(PLACES), len(TIMES)) == (12, 8, 6, 3)
    assert NOISE not in KINDS
    assert PAINTED == COLOURS


@pytest.mark.parametrize("kind", [*KINDS, NOISE])
def test_scene_is_the_same_picture_every_time(kind: str) -> None:
    scene = sample_scene(np.random.default_rng(3), kind)
    first, second = render(scene), render(scene)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.mask, second.mask)


@pytest.mark.parametrize("kind", [*KINDS, NOISE])
def test_seed_varies_the_picture(kind: str) -> None:
    scene = sample_scene(np.random.default_rng(3), kind)
    other = replace(scene, seed=scene.seed + 2)
    assert (render(scene).image != render(other).image).any()


@pytest.mark.parametrize("size_px", [64, 128, 160])
def test_render_has_the_size_asked_for(size_px: int) -> None:
    for scene in (PLAIN, sample_scene(np.random.default_rng(0), NOISE)):
        image, mask = render(scene, size_px)
        assert (image.shape, image.dtype) == ((size_px, size_px, 3), np.uint8)
        assert (mask.shape, mask.dtype) == ((size_px, size_px), np.bool_)


def test_picture_is_the_same_at_every_size() -> None:
    for kind in (*KINDS, NOISE):
        scene = sample_scene(np.random.default_rng(8), kind)
        large = render(scene, 128).image.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
        assert np.abs(large - render(scene, 64).image).mean() < 12


@pytest.mark.parametrize("kind", KINDS)
def test_longest_extent_follows_the_size(kind: str) -> None:
    for size, seed in product(SIZES, range(4)):
        scene = replace(PLAIN, kind=kind, size=size, seed=seed)
        left, top, right, bottom = bounds(render(scene).mask)
        assert max(right - left, bottom - top) / 128 == pytest.approx(EXTENTS[size], rel=0.12)


@pytest.mark.parametrize("kind", KINDS)
def test_middle_follows_the_position(kind: str) -> None:
    for position, flip, seed in product(POSITIONS, (False, True), range(3)):
        scene = replace(PLAIN, kind=kind, position=position, flip=flip, seed=seed)
        left, _, right, _ = bounds(render(scene).mask)
        assert (left + right) / 256 == pytest.approx(CENTRES[position], abs=0.05)


def test_large_things_stay_mostly_within_the_picture() -> None:
    for kind, position in product(KINDS, POSITIONS):
        scene = replace(PLAIN, kind=kind, size="large", position=position)
        left, top, right, bottom = bounds(render(scene).mask)
        assert max(right - left, bottom - top) / 128 > 0.66


@pytest.mark.parametrize("kind", KINDS)
def test_flip_mirrors_the_thing(kind: str) -> None:
    right, left = (render(replace(PLAIN, kind=kind, flip=flip)).mask for flip in (False, True))
    moved = [
        np.roll(left[:, ::-1], shift, axis=1) & right for shift in range(-16, 17)
    ]  # about its own middle, which need not be the picture's
    assert max(overlap.sum() for overlap in moved) > 0.9 * right.sum()


def test_only_the_mask_and_its_surroundings_change_with_the_colour() -> None:
    red, blue = (render(replace(PLAIN, colour=colour)) for colour in ("red", "blue"))
    np.testing.assert_array_equal(red.mask, blue.mask)
    change = np.abs(red.image.astype(int) - blue.image).sum(axis=2)
    assert change[red.mask].mean() > 5 * change[~red.mask].mean()


def test_thing_stays_when_the_place_changes() -> None:
    masks = [render(replace(PLAIN, place=place)).mask for place in PLACES]
    for mask in masks[1:]:
        np.testing.assert_array_equal(mask, masks[0])


@pytest.mark.parametrize("colour", COLOURS)
def test_thing_stands_out_from_every_background(colour: str) -> None:
    for place, time, kind in product(PLACES, TIMES, ("car", "fish", "mushroom")):
        scene = replace(PLAIN, kind=kind, colour=colour, place=place, time=time)
        image, mask = render(scene)
        inside = np.median(image[mask], axis=0)
        outside = np.median(image[rim(mask)], axis=0)
        assert np.linalg.norm(inside - outside) > 40, (place, time, kind)


def test_things_of_different_colours_look_different() -> None:
    medians = {}
    for colour in COLOURS:
        image, mask = render(replace(PLAIN, kind="car", colour=colour))
        medians[colour] = np.median(image[mask], axis=0)
    for one, other in combinations(COLOURS, 2):
        assert np.linalg.norm(medians[one] - medians[other]) > 45, (one, other)


def test_all_kinds_have_shapes_of_their_own() -> None:
    masks = {kind: render(replace(PLAIN, kind=kind, size="large")).mask for kind in KINDS}
    for one, other in combinations(KINDS, 2):
        common = (masks[one] & masks[other]).sum() / (masks[one] | masks[other]).sum()
        assert common < 0.85, (one, other)


def test_places_and_times_look_different() -> None:
    small = {
        (place, time): np.mean(
            [render(replace(PLAIN, place=place, time=time, seed=s), 32).image for s in range(3)],
            axis=0,
        )
        for place, time in product(PLACES, TIMES)
    }
    for one, other in combinations(small, 2):
        assert np.abs(small[one] - small[other]).mean() > 6, (one, other)


def test_noise_has_no_thing_in_it() -> None:
    scene = sample_scene(np.random.default_rng(0), NOISE)
    assert (scene.colour, scene.place, scene.time, scene.size, scene.position) == ("",) * 5
    image, mask = render(scene)
    assert mask.all()
    assert image.std() > 30


def test_samples_cover_all_values_and_never_noise() -> None:
    rng = np.random.default_rng(1)
    scenes = [sample_scene(rng) for _ in range(1200)]
    fields = {"kind": KINDS, "colour": COLOURS, "place": PLACES, "time": TIMES}
    fields |= {"size": SIZES, "position": POSITIONS, "flip": (False, True)}
    for field, values in fields.items():
        counts = {value: sum(getattr(s, field) == value for s in scenes) for value in values}
        assert sum(counts.values()) == len(scenes)
        assert min(counts.values()) > 0.6 * len(scenes) / len(values), field


def test_sample_keeps_the_kind_asked_for() -> None:
    rng = np.random.default_rng(1)
    assert {sample_scene(rng, "boat").kind for _ in range(20)} == {"boat"}


def test_canonical_caption() -> None:
    scene = Scene("dog", "red", "snow", "night", "large", "left", False, 1)
    assert caption(scene) == "a large red dog on the left of a snowy field at night"
    pair = replace(scene, kind="scissors")
    assert caption(pair).startswith("a large pair of red scissors on the left")
    assert caption(sample_scene(np.random.default_rng(0), NOISE)) == "a random noise pattern"


def test_varied_captions_name_every_attribute() -> None:
    rng = np.random.default_rng(2)
    short = 0
    for _ in range(600):
        scene = sample_scene(rng)
        text = caption(scene, rng)
        assert any(noun in text for noun in words.NOUNS[scene.kind])
        if scene.size not in text and not any(s in text for s in words.SIZES[scene.size]):
            short += 1
            continue
        for table, value in (
            (words.COLOURS, scene.colour),
            (words.POSITIONS, scene.position),
            (words.TIMES, scene.time),
        ):
            assert any(phrase in text for phrase in table[value]), text
        assert any(place in text for _, place in words.PLACES[scene.place]), text
    assert 30 < short < 100


def test_varied_captions_take_many_forms() -> None:
    rng = np.random.default_rng(2)
    assert len({caption(PLAIN, rng) for _ in range(300)}) > 150


def test_caption_words_are_few_and_plain() -> None:
    rng = np.random.default_rng(4)
    texts = [caption(sample_scene(rng), rng) for _ in range(6000)]
    texts += [caption(sample_scene(rng, NOISE), rng) for _ in range(200)]
    known = {word for text in texts for word in text.replace(",", "").split()}
    assert all(word.isalpha() and word.islower() for word in known)
    assert len(known) < 300
    assert known >= {"noise", "picture", "image", "drawing", "random", "pattern", "visual", "photo"}
    whole = {"a photo of a dog", "a pair of scissors", "scissors", "noise", "a noise pattern"}
    assert whole | {"random noise", "a visual noise pattern"} <= set(texts)
