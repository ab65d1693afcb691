"""The picture of a trial as its evidence grows: no flicker, no drift, aimed at the newest."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rtrecon.config import Settings
from rtrecon.generators import Aim, Generator, Newer, Step, load_generator
from rtrecon.generators.diffusion import Diffusion
from rtrecon.reconstruct import Reconstruct, aim_at, noise_seed
from rtrecon.types import Decoded, Frame, Trial
from simulator import scenes

SETTINGS = Settings(steps=4, strength=0.6)


def decoded_of(generator: Generator, seed: int, trial: int = 1, volume: int = 5) -> Decoded:
    rng = np.random.default_rng(seed)
    z, c = (
        rng.normal(size=shape).astype(np.float32)
        for shape in (generator.latent, generator.conditioning)
    )
    scores = np.zeros(3, np.float32)
    return Decoded(Trial(trial, "dog", 0.0, 6.0), volume, 6.0, z, c, scores, scores, "dog", 0.4)


def final(frames: Iterator[Frame]) -> Frame:
    *_, last = frames
    assert last.final
    return last


def test_constant_evidence_gives_the_same_frames_and_a_new_trial_others(
    toy_generator: Diffusion,
) -> None:
    reconstruct = Reconstruct(toy_generator)
    one = decoded_of(toy_generator, 0)
    later = replace(one, volume=6, age_s=8.0)
    first, second = (list(reconstruct(d, SETTINGS)) for d in (one, later))
    for before, after in zip(first, second, strict=True):
        np.testing.assert_array_equal(before.images, after.images)
    other = reconstruct(replace(one, trial=replace(one.trial, number=2)), SETTINGS)
    assert (final(other).images != first[-1].images).any()


def test_frames_change_less_and_less_as_evidence_grows() -> None:
    """The shipped miniature; z and c as far from a scene's as evidence of that age leaves them."""
    generator = load_generator("miniature")
    reconstruct, rng = Reconstruct(generator), np.random.default_rng(0)
    changes = []
    for trial in range(1, 7):
        scene = scenes.sample_scene(rng)
        z = generator.encode_images([scenes.render(scene).image])[0]
        c = generator.encode_captions([scenes.caption(scene)])[0]
        errors = [rng.standard_normal(x.shape).astype(np.float32) * x.std() for x in (z, c)]
        shown = []
        for volume, variance in enumerate((16.0, 3.3, 1.6, 1.4)):  # docs/signal.md's ages
            share = np.float32(np.sqrt(variance / 16))
            decoded = replace(
                decoded_of(generator, 0, trial, volume), z=z + share * errors[0],
                c=c + share * errors[1], reliability=4 / (4 + variance),
            )  # fmt: skip
            picture = final(reconstruct(decoded, generator.defaults)).image
            shown.append(picture.astype(np.float32))
        changes.append([np.abs(a - b).mean() for a, b in pairwise(shown)])
    early, middle, late = np.mean(changes, axis=0)
    assert early > 1.3 * middle > 1.3**2 * late


def test_a_picture_on_its_way_is_aimed_at_the_same_trials_newest(
    toy_generator: Diffusion,
) -> None:
    reconstruct = Reconstruct(toy_generator)
    one = decoded_of(toy_generator, 0)
    newer = replace(decoded_of(toy_generator, 1, volume=6), trial=one.trial)
    next_trial = decoded_of(toy_generator, 1, trial=2)
    shown = list(reconstruct(one, SETTINGS, lambda: newer))
    assert [frame.decoded.volume for frame in shown] == [5, 6, 6, 6]
    assert [frame.aims for frame in shown] == ["5", "5,6@2", "5,6@2", "5,6@2"]
    assert {frame.settings for frame in shown} == {SETTINGS}
    alone, of_newer = (final(reconstruct(d, SETTINGS)).images.astype(int) for d in (one, newer))
    moved = shown[-1].images.astype(int)
    assert np.abs(moved - of_newer).mean() < np.abs(alone - of_newer).mean()
    for waiting in (None, one, next_trial):
        same = final(reconstruct(one, SETTINGS, lambda waiting=waiting: waiting))  # type: ignore[misc]
        np.testing.assert_array_equal(same.images, alone)
        assert same.decoded is one


def test_a_picture_that_comes_late_is_of_what_its_own_step_was_aimed_at(
    toy_generator: Diffusion,
) -> None:
    """On a GPU a picture is fetched when the step that follows it, and its new aim, are queued."""
    one = decoded_of(toy_generator, 0)
    later = [replace(decoded_of(toy_generator, n, volume=5 + n), trial=one.trial) for n in (1, 2)]

    class Queued:
        def images(self, aim: Aim, seed: int, settings: Settings, newer: Newer) -> Iterator[Step]:
            image = np.zeros((1, 8, 8, 3), np.uint8)
            for step in (2, 3, 4):
                newer()
                yield Step(image, step - 1, 4)
            yield Step(image, 4, 4)

    waiting = iter([None, *later])
    frames = list(Reconstruct(Queued())(one, SETTINGS, lambda: next(waiting)))  # type: ignore[arg-type]
    assert [frame.aims for frame in frames] == ["5", "5", "5,6@3", "5,6@3,7@4"]
    assert [frame.decoded.volume for frame in frames] == [5, 5, 6, 7]


def test_a_picture_can_be_drawn_again_of_its_aims_to_the_bit(toy_generator: Diffusion) -> None:
    """From what is recorded: aims with their steps, z, c, reliability and settings."""
    one = decoded_of(toy_generator, 0)
    others = [replace(decoded_of(toy_generator, n, volume=5 + n), trial=one.trial) for n in (1, 2)]
    waiting = iter([None, *others, *others])
    settings = Settings(steps=8, strength=0.6)
    shown = final(Reconstruct(toy_generator)(one, settings, lambda: next(waiting)))
    assert shown.aims == "5,6@3,7@4,6@5"
    assert shown.settings is not None
    volumes = {d.volume: d for d in (one, *others)}
    first, *rest = (part.partition("@") for part in shown.aims.split(","))
    aims = {int(step): aim_at(volumes[int(volume)]) for volume, _, step in rest}
    steps = iter(range(2, 9))
    *_, again = toy_generator.images(
        aim_at(volumes[int(first[0])]), noise_seed(0, one.trial.number), shown.settings,
        lambda: aims.get(next(steps)),
    )  # fmt: skip
    np.testing.assert_array_equal(again.images, shown.images)


def test_it_is_not_aimed_anew_in_its_last_steps(toy_generator: Diffusion) -> None:
    asked: list[int] = []
    one, other = (decoded_of(toy_generator, seed) for seed in (0, 1))

    def newer() -> Aim | None:
        asked.append(len(asked))
        return Aim(other.z, other.c) if len(asked) > 2 else None

    settings = Settings(steps=6, strength=0.6)
    frames = list(toy_generator.images(Aim(one.z, one.c), 7, settings, newer))
    assert len(frames) == 6
    assert asked == [0, 1, 2]  # before steps 2, 3 and 4


def test_a_shifted_latent_is_that_of_the_newer_z(toy_generator: Diffusion) -> None:
    """Before the first step a shift gives exactly what beginning with the newer z would."""
    one, other = (decoded_of(toy_generator, seed) for seed in (0, 1))
    aim, newer = Aim(one.z, one.c), Aim(other.z, other.c)
    import torch

    t = toy_generator._schedule.begin(SETTINGS, aim)
    (z, latents), (_, wanted) = (
        toy_generator._noised(a, [torch.Generator().manual_seed(3)], t) for a in (aim, newer)
    )
    _, shifted = toy_generator._moved(newer, z, latents, t[0])
    np.testing.assert_allclose(shifted.numpy(), wanted.numpy(), atol=1e-5)


@pytest.mark.parametrize("known", [True, False])
def test_little_evidence_is_noised_further(toy_generator: Diffusion, known: bool) -> None:
    """Less of z is left in the picture; without the tie reliability changes nothing."""
    settings = Settings(steps=3, strength=0.3, by_evidence=known)
    one, other = (decoded_of(toy_generator, seed) for seed in (0, 1))

    def left(reliability: float) -> float:
        pictures = [
            [*toy_generator.images(Aim(d.z, one.c, reliability), 7, settings)][-1].images
            for d in (one, other)
        ]
        return float(np.abs(pictures[0].astype(float) - pictures[1]).mean())

    most, some, none = left(1.0), left(0.5), left(0.0)
    if known:
        assert most > 1.2 * some > 1.2**2 * none
    else:
        assert most == some == none
