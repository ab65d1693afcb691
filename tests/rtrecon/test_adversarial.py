"""The adversarial generator against a plain second implementation, at toy size."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional

from rtrecon.config import Settings
from rtrecon.errors import BadGenerator, BadInput
from rtrecon.generators import Aim, Generator, load_generator
from rtrecon.generators.adversarial import Adversarial
from rtrecon.generators.diffusion import Diffusion
from tests import toy_models

FILES = ("generator.json", "generator.safetensors", "encoder.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_models.adversarial(tmp_path_factory.mktemp("toy") / "gan")


@pytest.fixture(scope="module")
def generator(folder: Path) -> Adversarial:
    return Adversarial(folder, "toy")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return toy_models.adversarial(tmp_path / "gan")


def aim(seed: int = 0) -> Aim:
    rng = np.random.default_rng(seed)
    return Aim(
        rng.normal(size=(6, 1, 1)).astype(np.float32), rng.normal(size=(1, 4)).astype(np.float32)
    )


def picture(generator: Generator, at: Aim, seed: int = 0) -> NDArray[np.uint8]:
    (step,) = generator.images(at, seed, generator.defaults)
    return step.images[0]


def normed(maps: torch.Tensor, tensors: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """Batch normalisation by its formula, then the leaky slope."""
    mean, var, weight, bias = (
        tensors[f"{name}.{part}"][:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    maps = (maps - mean) / (var + 1e-5).sqrt() * weight + bias
    return torch.where(maps > 0, maps, 0.2 * maps)


def test_a_picture_is_that_of_a_plain_forward_pass(folder: Path, generator: Adversarial) -> None:
    at = aim()
    tensors = {n: t.float() for n, t in load_file(folder / "generator.safetensors").items()}
    code = torch.from_numpy(np.concatenate([at.z.ravel(), at.c.ravel()]))
    maps = tensors["coarse.weight"] @ code + tensors["coarse.bias"]
    maps = normed(maps.reshape(1, 16, 4, 4), tensors, "first")
    for block in range(2):
        weight = tensors[f"blocks.{block}.0.weight"]
        maps = functional.conv_transpose2d(maps, weight, stride=2, padding=1)
        maps = normed(maps, tensors, f"blocks.{block}.1")
    pixels = functional.conv2d(maps, tensors["pixels.weight"], tensors["pixels.bias"], padding=1)
    # 48 numbers a place: colour, row and column in a patch of 4 x 4
    patches = pixels[0].reshape(3, 4, 4, 16, 16).permute(3, 1, 4, 2, 0)
    expected = (patches.reshape(64, 64, 3).tanh() + 1) * 127.5
    shown = picture(generator, at)
    assert shown.shape == (64, 64, 3)
    assert shown.dtype == np.uint8
    assert np.abs(shown - expected.numpy()).max() <= 0.51
    assert shown.std() > 10


def test_a_code_is_that_of_a_plain_forward_pass(folder: Path, generator: Adversarial) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    tensors = {n: t.float() for n, t in load_file(folder / "encoder.safetensors").items()}
    patches = torch.from_numpy(image / 127.5 - 1).float().reshape(16, 4, 16, 4, 3)
    maps = patches.permute(4, 1, 3, 0, 2).reshape(1, 48, 16, 16)
    for block in range(2):
        weight = tensors[f"blocks.{block}.0.weight"]
        maps = functional.conv2d(maps, weight, stride=2, padding=1)
        maps = normed(maps, tensors, f"blocks.{block}.1")
    mean = (tensors["codes.weight"] @ maps.ravel() + tensors["codes.bias"])[:6]
    sd = (tensors["standard.running_var"] + 1e-5).sqrt()
    expected = (mean - tensors["standard.running_mean"]) / sd
    codes = generator.encode_images([image])
    assert codes.shape == (1, 6, 1, 1)
    np.testing.assert_allclose(codes.ravel(), expected.numpy(), rtol=1e-4, atol=1e-4)


def test_one_picture_a_call_whatever_the_settings(generator: Adversarial) -> None:
    many = Settings(steps=9, samples=3, preview=True, guidance=2.0, strength=0.3)
    (step,) = generator.images(aim(), 7, many, newer=lambda: aim(1))
    assert (step.step, step.steps) == (1, 1)
    np.testing.assert_array_equal(step.images[0], picture(generator, aim()))


def test_z_and_c_and_nothing_else_make_the_picture(generator: Adversarial) -> None:
    at, other = aim(), aim(1)
    shown = picture(generator, at)
    np.testing.assert_array_equal(shown, picture(generator, at, seed=1))
    assert (shown != picture(generator, Aim(other.z, at.c))).mean() > 0.3
    assert (shown != picture(generator, Aim(at.z, other.c))).mean() > 0.3


def test_without_z_the_seed_makes_it(generator: Adversarial) -> None:
    at = Aim(None, aim().c)
    shown = picture(generator, at, seed=5)
    np.testing.assert_array_equal(shown, picture(generator, at, seed=5))
    assert (shown != picture(generator, at, seed=6)).mean() > 0.3
    z = torch.randn((1, 6, 1, 1), generator=torch.Generator().manual_seed(5)).numpy()[0]
    np.testing.assert_array_equal(shown, picture(generator, Aim(z, at.c)))


def test_images_of_any_size_are_encoded(generator: Adversarial) -> None:
    large = np.random.default_rng(1).integers(0, 256, (90, 70, 3), np.uint8)
    small = np.asarray(Image.fromarray(large).resize((64, 64), Image.Resampling.LANCZOS))
    codes = generator.encode_images([large, small] * 20)
    np.testing.assert_allclose(codes[0], codes[-1], atol=1e-5)
    assert generator.encode_images([]).shape == (0, 6, 1, 1)


def test_captions_are_the_known_words_they_have(generator: Adversarial) -> None:
    captions = ["A DOG, blue-eyed.", "a cat and a cat", "", "doggy redcat blue eyed"]
    np.testing.assert_array_equal(
        generator.encode_captions(captions)[:, 0],
        [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    )


@pytest.mark.parametrize(
    ("name", "bad", "said"),
    [
        ("z", lambda z: z[:3], r"z has the shape \(3, 1, 1\), the generator takes \(6, 1, 1\)"),
        ("c", lambda c: c.T, r"c has the shape \(4, 1\), the generator takes \(1, 4\)"),
        ("z", lambda z: np.where(z == z.max(), np.nan, z), "1 of the 6 values of z are no numbers"),
        ("c", lambda c: c + np.float32(np.inf), "4 of the 4 values of c are no numbers"),
    ],
)
def test_what_nothing_can_be_drawn_from_is_refused(
    generator: Adversarial, name: str, bad: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    at = aim()
    with pytest.raises(BadInput, match=said):
        picture(generator, at._replace(**{name: bad(getattr(at, name))}))


def rewrite(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "generator.json"
        said = json.loads(file.read_text()) | changes
        file.write_text(json.dumps({key: v for key, v in said.items() if v is not None}))

    return change


def with_tensors(
    file: str, change: Callable[[dict[str, torch.Tensor]], object]
) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / file)
        change(tensors)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / file)

    return damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "generator.json").unlink(), "generator.json cannot be read"),
        (lambda f: (f / "generator.json").write_text("{"), "generator.json cannot be read"),
        (lambda f: (f / "generator.json").write_text("[1]"), "generator.json cannot be read"),
        (rewrite(format="other-2"), "has the format 'other-2', known is 'rtrecon-adversarial-1'"),
        (rewrite(words=None), "is incomplete or too long"),
        (rewrite(depth=3), "is incomplete or too long"),
        (rewrite(latent=0), r"sizes \(0, 16, 12, 8\): whole numbers"),
        (rewrite(channels=[16, "12", 8]), "whole numbers from 1 to 4096"),
        (rewrite(channels=[16]), "64 px from 1 maps"),
        (rewrite(size_px=128), "128 px from 3 maps"),
        (rewrite(words=["cat", "cat", "dog", "red"]), "different ones in lower case"),
        (rewrite(words=["Cat", "dog", "red", 4]), "different ones in lower case"),
        (
            rewrite(words=["cat", "dog"]),
            r"coarse.weight in generator.safetensors is \(256, 10\), .* asks for \(256, 8\)",
        ),
        (lambda f: (f / "encoder.safetensors").unlink(), "encoder.safetensors cannot be read"),
        (
            lambda f: (f / "generator.safetensors").write_bytes(b"\x80\x02}q"),
            "generator.safetensors cannot be read",
        ),
        (
            with_tensors("encoder.safetensors", lambda t: t.pop("codes.bias")),
            r"codes.bias in encoder.safetensors is missing, .* asks for \(12,\)",
        ),
        (
            with_tensors("generator.safetensors", lambda t: t.update(more=torch.zeros(2))),
            r"more in generator.safetensors is \(2,\), .* asks for none",
        ),
        (
            with_tensors("generator.safetensors", lambda t: t["pixels.bias"].fill_(torch.nan)),
            "pixels.bias in generator.safetensors has values that are no numbers",
        ),
    ],
)
def test_a_bad_folder_is_refused_in_one_line(
    copied: Path, damage: Callable[[Path], object], said: str
) -> None:
    damage(copied)
    with pytest.raises(BadGenerator, match=said) as refused:
        Adversarial(copied, "toy")
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(f"generator '{copied}'")


def test_what_is_saved_is_what_is_loaded(generator: Adversarial, copied: Path) -> None:
    again = Adversarial(copied, "again")
    assert again.identity == generator.identity
    np.testing.assert_array_equal(picture(again, aim()), picture(generator, aim()))
    assert {file.name for file in copied.iterdir()} == set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_the_identity_is_that_of_every_file(
    generator: Adversarial, copied: Path, tmp_path: Path, file: str
) -> None:
    other = toy_models.adversarial(tmp_path / "other", seed=1)
    rewrite(about="another toy")(other)
    (copied / file).write_bytes((other / file).read_bytes())
    assert Adversarial(copied, "toy").identity != generator.identity


def test_the_folder_decides_which_generator_it_is(folder: Path, toy_folder: Path) -> None:
    ours: Generator = load_generator(str(folder))
    assert isinstance(ours, Adversarial)
    assert isinstance(load_generator(str(toy_folder)), Diffusion)
    assert (ours.latent, ours.conditioning, ours.size_px) == ((6, 1, 1), (1, 4), 64)
    assert ours.takes == {"seed"}
    assert ours.defaults == replace(Settings(), steps=1, preview=False)
