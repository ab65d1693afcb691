"""Our denoise loop against diffusers' own pipeline, with real classes at toy size."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
)

from rtrecon import generators
from rtrecon.config import Settings
from rtrecon.errors import BadGenerator, BadInput
from rtrecon.generators import Aim, find_generator
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.presets import Preset
from rtrecon.generators.schedule import Schedule
from rtrecon.generators.weights import identity

SETTINGS = Settings(steps=3, strength=0.6, guidance=1.0)


def random_z_c(generator: Diffusion, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=generator.latent).astype(np.float32)
    return z, rng.normal(size=generator.conditioning).astype(np.float32)


def final(
    generator: Diffusion, z: np.ndarray | None, c: np.ndarray, settings: Settings
) -> np.ndarray:
    return list(generator.images(Aim(z, c), 7, settings))[-1].images[0]


def reference_noise(generator: Diffusion) -> torch.Tensor:
    return torch.randn((1, *generator.latent), generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(
    "scheduler",
    [DDIMScheduler, EulerDiscreteScheduler, LCMScheduler, EulerAncestralDiscreteScheduler],
)
def test_our_loop_gives_the_image_of_diffusers_own(
    toy_folder: Path, scheduler: type, predicts: str, guidance: float
) -> None:
    """From the same latent, noise and conditioning; schedulers that draw noise do so from 7."""
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(toy_folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config, prediction_type=predicts)
    ours = Diffusion(Preset(str(toy_folder)), "toy", Compute(torch.device("cpu")))
    ours._schedule = Schedule(pipeline.scheduler)
    z, c = random_z_c(ours)
    settings = replace(SETTINGS, guidance=guidance)
    empty = torch.from_numpy(ours.encode_captions([""]))
    torch.manual_seed(3)
    theirs = pipeline(
        image=torch.from_numpy(z)[None], prompt_embeds=torch.from_numpy(c)[None],
        negative_prompt_embeds=empty, guidance_scale=guidance, num_inference_steps=5, strength=0.6,
        generator=torch.Generator().manual_seed(7), output_type="np",
    ).images[0]  # fmt: skip
    image = final(ours, z, c, settings)
    assert np.abs(image - theirs * 255).max() <= 2


@pytest.mark.parametrize(
    ("name", "bad", "said"),
    [
        ("z", lambda z: z[:, :2], r"z has the shape \(4, 2, 4\), the generator takes \(4, 4, 4\)"),
        ("c", lambda c: c[:5], r"c has the shape \(5, 16\)"),
        (
            "z",
            lambda z: np.where(z == z.max(), np.nan, z),
            "1 of the 64 values of z are no numbers",
        ),
        ("c", lambda c: c + np.float32(np.inf), "values of c are no numbers"),
    ],
)
def test_what_nothing_can_be_drawn_from_is_refused(
    toy_generator: Diffusion, name: str, bad: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    both = dict(zip("zc", random_z_c(toy_generator), strict=True))
    both[name] = bad(both[name])
    with pytest.raises(BadInput, match=said):
        final(toy_generator, both["z"], both["c"], SETTINGS)


def test_from_noise_alone_it_is_text_to_image(toy_folder: Path, toy_generator: Diffusion) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(toy_folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    _, c = random_z_c(toy_generator)
    theirs = pipeline(
        prompt_embeds=torch.from_numpy(c)[None], guidance_scale=1.0, num_inference_steps=3,
        latents=reference_noise(toy_generator), output_type="np", height=8, width=8,
    ).images[0]  # fmt: skip
    assert np.abs(final(toy_generator, None, c, SETTINGS) - theirs * 255).max() <= 2


def test_each_step_is_shown_and_the_last_is_the_image(toy_generator: Diffusion) -> None:
    z, c = random_z_c(toy_generator)
    steps = list(toy_generator.images(Aim(z, c), 7, SETTINGS))
    assert [(s.step, s.steps) for s in steps] == [(1, 3), (2, 3), (3, 3)]
    assert all(s.images.shape == (1, 8, 8, 3) and s.images.dtype == np.uint8 for s in steps)
    alone = list(toy_generator.images(Aim(z, c), 7, replace(SETTINGS, preview=False)))
    assert len(alone) == 1
    np.testing.assert_array_equal(alone[0].images, steps[-1].images)


def test_strength_decides_how_much_of_z_is_left(toy_generator: Diffusion) -> None:
    (z, c), (other, _) = random_z_c(toy_generator), random_z_c(toy_generator, 1)

    def change(strength: float) -> float:
        settings = Settings(steps=2, strength=strength)
        one, two = (final(toy_generator, x, c, settings).astype(float) for x in (z, other))
        return float(np.abs(one - two).mean())

    assert change(0.1) > change(0.6) > change(1.0)


def test_a_distilled_model_does_at_most_the_steps_it_knows(toy_folder: Path) -> None:
    generator = Diffusion(Preset(str(toy_folder)), "toy")
    config = generator._schedule.scheduler.config
    generator._schedule = Schedule(LCMScheduler.from_config(config, original_inference_steps=5))
    z, c = random_z_c(generator)
    for steps, strength, done in ((4, 0.4, 2), (9, 1.0, 5)):
        settings = Settings(steps=steps, strength=strength)
        assert [s.steps for s in generator.images(Aim(z, c), 7, settings)] == [done] * done


def test_the_same_seed_gives_the_same_picture(toy_generator: Diffusion) -> None:
    z, c = random_z_c(toy_generator)
    one, two = (final(toy_generator, z, c, SETTINGS) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_images_of_any_size_are_encoded_as_the_pipeline_does(
    toy_folder: Path, toy_generator: Diffusion
) -> None:
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(toy_folder, local_files_only=True)
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    pixels = pipeline.image_processor.preprocess(image[None] / np.float32(255))
    with torch.no_grad():
        theirs = pipeline.vae.encode(pixels).latent_dist.mean * pipeline.vae.config.scaling_factor
    np.testing.assert_allclose(toy_generator.encode_images([image]), theirs.numpy(), atol=1e-4)
    large = np.zeros((50, 30, 3), np.uint8)
    assert toy_generator.encode_images([large, image]).shape == (2, *toy_generator.latent)


def test_the_identity_is_that_of_the_two_spaces(toy_folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(toy_folder, copy)
    (copy / "unet" / "config.json").write_text("{}")
    assert identity(copy) == identity(toy_folder)
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    assert identity(copy) != identity(toy_folder)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("simulator.miniature:FOLDER", "installed as a PosixPath and not as a Preset"),
        ("simulator.miniature:PRESETS", "installed badly .*no attribute 'PRESETS'"),
        ("no_such_package:PRESET", "installed badly .*No module named"),
    ],
)
def test_what_is_installed_badly_is_refused_with_one_line(
    monkeypatch: pytest.MonkeyPatch, value: str, why: str
) -> None:
    point = EntryPoint("mine", value, generators.GROUP)
    monkeypatch.setattr(generators, "entry_points", lambda group: [point])
    with pytest.raises(BadGenerator, match=f"'mine' is {why}"):
        find_generator("mine")


def test_what_is_no_generator_is_refused_with_one_line(tmp_path: Path, toy_folder: Path) -> None:
    with pytest.raises(BadGenerator, match="neither a folder nor a known name .*miniature"):
        find_generator("stable-confusion")
    with pytest.raises(BadGenerator, match="cannot be loaded"):
        Diffusion(Preset(str(tmp_path)), "empty")
    (tmp_path / "model_index.json").write_text('{"unet": ["diffusers", "UNet2DConditionModel"]}')
    with pytest.raises(BadGenerator, match="has no vae"):
        Diffusion(Preset(str(tmp_path)), "half")


@pytest.mark.parametrize(
    ("part", "of"),
    [
        ("_class_name", ["evil", "Pipeline"]),
        ("unet", ["evil", "Unet"]),
        ("scheduler", ["subprocess", "Popen"]),
        ("text_encoder", ["transformers"]),
    ],
)
def test_a_folder_that_brings_code_is_refused_and_its_code_not_run(
    toy_folder: Path, tmp_path: Path, part: str, of: list[str]
) -> None:
    folder = tmp_path / "generator"
    shutil.copytree(toy_folder, folder)
    parts = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(parts | {part: of}))
    evil = f"open({str(tmp_path / 'owned')!r}, 'w')\nclass Pipeline: pass\nclass Unet: pass\n"
    for place in (folder, folder / "unet"):
        (place / "evil.py").write_text(evil)
    with pytest.raises(BadGenerator, match="brings code of its own, which is not run"):
        generators.load_generator(str(folder), Compute(torch.device("cpu")))
    assert not (tmp_path / "owned").exists()


def test_pickled_weights_are_not_read(toy_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "generator"
    shutil.copytree(toy_folder, folder)
    for file in (folder / "unet").glob("*.safetensors"):
        file.unlink()
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(BadGenerator, match="cannot be loaded"):
        generators.load_generator(str(folder), Compute(torch.device("cpu")))
