"""Features of stimuli: the steps are those of the live generator, the blocks are the U-Net's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from calibration.explaining import features
from calibration.explaining.denoiser import Denoiser, pooled
from calibration.explaining.features import diffusion_preset, features_of
from calibration.fitting.fit import Targets
from rtrecon.config import Settings
from rtrecon.errors import BadGenerator
from rtrecon.generators import Aim, Generator
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.presets import Preset
from tests.toy_models import adversarial

SETTINGS = Settings(steps=4, strength=0.6, guidance=3.0, seed=5)


@pytest.fixture(scope="module")
def denoiser(toy_folder: Path, toy_generator: Diffusion) -> Denoiser:
    return Denoiser(Preset(str(toy_folder)), "toy", toy_generator.size_px, Compute(torch.device("cpu")))  # fmt: skip


def stimuli(generator: Diffusion, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(count, *generator.latent))
    c = rng.normal(size=(count, *generator.conditioning))
    return z.astype(np.float32), c.astype(np.float32)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_z_c_is_what_the_live_generator_draws(
    guidance: float, denoiser: Denoiser, toy_generator: Diffusion, toy_folder: Path
) -> None:
    z, c = stimuli(toy_generator)
    settings = replace(SETTINGS, guidance=guidance)
    *_, last = denoiser(z, c, settings, first=2)
    vae = AutoencoderKL.from_pretrained(toy_folder / "vae")
    pixels = vae.decode(last.latents / vae.config.scaling_factor).sample
    ours = ((pixels / 2 + 0.5).clamp(0, 1) * 255).permute(0, 2, 3, 1).detach().numpy()
    for n in range(len(z)):
        *_, step = toy_generator.images(Aim(z[n], c[n]), settings.seed + 2 + n, settings)
        np.testing.assert_allclose(ours[n], step.images[0], atol=1.01)
    assert np.abs(ours[0] - ours[1]).max() > 10  # or anything would agree


def test_blocks_are_seen_under_the_caption_and_not_under_none(
    denoiser: Denoiser, toy_generator: Diffusion
) -> None:
    z, c = stimuli(toy_generator)
    first, guided = (
        list(denoiser(z, c, replace(SETTINGS, guidance=g)))[1].blocks for g in (1.0, 3.0)
    )
    assert denoiser.blocks == ("down 1", "down 2", "middle", "up 1", "up 2") == tuple(first)
    for name in denoiser.blocks:
        torch.testing.assert_close(first[name], guided[name], atol=1e-4, rtol=1e-4)
    other = list(denoiser(z, c[::-1].copy(), replace(SETTINGS, guidance=1.0)))[1].blocks
    assert (other["middle"] - first["middle"]).abs().max() > 1e-3


def test_stimuli_do_not_depend_on_their_batch(denoiser: Denoiser, toy_generator: Diffusion) -> None:
    z, c = stimuli(toy_generator)
    *_, together = denoiser(z, c, SETTINGS)
    *_, alone = denoiser(z[2:], c[2:], SETTINGS, first=2)
    torch.testing.assert_close(together.latents[2:], alone.latents, atol=1e-4, rtol=1e-4)


def test_features_of_all_kinds(
    toy_folder: Path, toy_generator: Diffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_BATCH", 2)
    monkeypatch.setattr(features, "_ENCODED", 2)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(3)]
    captions = ["a dog", "a cat", "noise"]

    def encode(generator: Generator, part: slice) -> Targets:
        return Targets(
            generator.encode_images(pictures[part]), generator.encode_captions(captions[part])
        )

    sets = features_of(Preset(str(toy_folder)), "toy", encode, 3, tmp_path)
    of = {(one.family, one.label, one.stage): one.values for one in sets}
    assert [one.label for one in sets[:3]] == ["z", "c", "z_c"]
    c = toy_generator.encode_captions(captions).reshape(3, -1)
    np.testing.assert_allclose(of["space", "c", ""], c, atol=1e-5)
    latents = toy_generator.encode_images(pictures).reshape(3, -1)
    np.testing.assert_allclose(of["space", "z", ""], latents, atol=1e-5)
    steps = sorted(int(label) for family, label, _ in of if family == "step")
    assert steps[0] == 0
    np.testing.assert_array_equal(of["step", str(steps[-1]), ""], of["space", "z_c", ""])
    near, far = (np.abs(of["noise", s, ""] - of["space", "z", ""]).mean() for s in ("0.2", "1"))
    assert near < far
    assert sum(family == "block" for family, _, _ in of) == 15


def test_activations_are_averaged_over_a_grid() -> None:
    maps = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).reshape(2, 3, 4, 4)
    quarters = maps.reshape(2, 3, 2, 2, 2, 2).mean(dim=(3, 5)).flatten(1)
    torch.testing.assert_close(pooled(maps, at_most=13), quarters)
    torch.testing.assert_close(pooled(maps, at_most=2), maps.mean(dim=(2, 3)))
    torch.testing.assert_close(pooled(maps, at_most=10**6), maps.flatten(1))


def test_a_generator_without_steps_is_refused(tmp_path: Path) -> None:
    folder = adversarial(tmp_path / "faces")
    with pytest.raises(BadGenerator, match="is adversarial and has no steps"):
        diffusion_preset(str(folder))
