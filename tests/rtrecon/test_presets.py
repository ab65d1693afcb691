"""Presets from a hub's cache to pictures, with toy weights where the real ones would lie."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    LCMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
)
from huggingface_hub import constants
from huggingface_hub.utils import filter_repo_objects
from PIL import Image

from rtrecon.config import Settings
from rtrecon.errors import BadGenerator
from rtrecon.generators import Aim, load_generator, weights
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.presets import PRESETS, Preset
from tests import toy_models

CPU = Compute(torch.device("cpu"))
SEED = 7


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's cache that holds everything the presets name, at toy size."""
    cache = tmp_path_factory.mktemp("hub")
    sd15 = toy_models.in_hub(cache, PRESETS["sd15-lcm"].repository)
    toy_models.sd1(sd15)
    toy_models.sd1(toy_models.in_hub(cache, PRESETS["takagi2023"].repository), sample_size=8)
    toy_models.sd2(toy_models.in_hub(cache, PRESETS["sd-turbo"].repository))
    toy_models.sdxl(toy_models.in_hub(cache, PRESETS["sdxl-turbo"].repository))
    for name in ("sd15-lcm", "sd15-hyper"):
        repository, file = PRESETS[name].lora or ("", "")
        toy_models.lora(toy_models.in_hub(cache, repository), sd15, file)
    toy_models.taesd(toy_models.in_hub(cache, PRESETS["sd-turbo"].fast_decoder))
    return cache


@pytest.fixture(autouse=True)
def only_this_hub(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))


def load(name: str, **changed: object) -> Diffusion:
    """A preset at the toy's size; everything else as it ships."""
    sizes = {"size_px": None, "latent_px": None} | changed
    return Diffusion(replace(PRESETS[name], **sizes), name, CPU)  # type: ignore[arg-type]


def made_up(generator: Diffusion, seed: int = 0) -> Aim:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=generator.latent).astype(np.float32)
    return Aim(z, rng.normal(size=generator.conditioning).astype(np.float32))


def final(generator: Diffusion, aim: Aim, settings: Settings) -> np.ndarray:
    *_, last = generator.images(aim, SEED, settings)
    return last.images


def diffusers_own(generator: Diffusion, hub: Path, name: str) -> StableDiffusionImg2ImgPipeline:
    """The same repository as somebody who follows its card would load it with diffusers."""
    folder = next(hub.glob(f"models--{PRESETS[name].repository.replace('/', '--')}/snapshots/*"))
    xl = name == "sdxl-turbo"
    cls = StableDiffusionXLImg2ImgPipeline if xl else StableDiffusionImg2ImgPipeline
    variant = PRESETS[name].variant if name == "sd-turbo" else None
    pipeline = cls.from_pretrained(folder, variant=variant, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    if lora := PRESETS[name].lora:
        where = next(hub.glob(f"models--{lora[0].replace('/', '--')}/snapshots/*"))
        pipeline.load_lora_weights(where, weight_name=lora[1])
    config = pipeline.scheduler.config
    if name == "sd15-lcm":
        pipeline.scheduler = LCMScheduler.from_config(config)
    elif name == "sd15-hyper":
        pipeline.scheduler = DDIMScheduler.from_config(
            config, timestep_spacing="trailing", clip_sample=False
        )
    elif name == "takagi2023":
        pipeline.scheduler = DDIMScheduler.from_config(config, clip_sample=False)
    return pipeline


@pytest.mark.parametrize("guidance", [1.0, 5.0])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_draws_what_diffusers_own_pipeline_draws(
    hub: Path, name: str, guidance: float
) -> None:
    ours = load(name)
    theirs = diffusers_own(ours, hub, name)
    aim = made_up(ours)
    settings = replace(ours.defaults, guidance=guidance, samples=1)
    told = {"prompt_embeds": torch.from_numpy(aim.c)[None]}
    empty = torch.from_numpy(ours._text.empty())[None]
    told["negative_prompt_embeds"] = empty
    if name == "sdxl-turbo":
        told["prompt_embeds"], told["negative_prompt_embeds"] = (
            rows[:, :-1] for rows in (told["prompt_embeds"], empty)
        )
        told["pooled_prompt_embeds"] = torch.from_numpy(aim.c)[None, -1, :12]
        told["negative_pooled_prompt_embeds"] = empty[:, -1, :12]
    total, strength = round(settings.steps / settings.strength), settings.strength
    if name == "sd15-lcm":  # its scheduler knows strengths itself; the pipeline does not ask it
        theirs.scheduler.set_timesteps(settings.steps, strength=strength)
        told["timesteps"], strength = theirs.scheduler.timesteps.tolist(), 1.0
    picture = theirs(
        image=torch.from_numpy(aim.z)[None], guidance_scale=guidance, num_inference_steps=total,
        strength=strength, generator=torch.Generator().manual_seed(SEED),
        output_type="np", **told,
    ).images[0]  # fmt: skip
    assert np.abs(final(ours, aim, settings)[0] - picture * 255).max() <= 2


def test_captions_become_what_diffusers_own_pipelines_make_of_them(hub: Path) -> None:
    for name in ("sd15-lcm", "sd-turbo", "sdxl-turbo"):
        ours = load(name)
        theirs = diffusers_own(ours, hub, name)
        with torch.no_grad():
            encoded = theirs.encode_prompt(
                "a dog", device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True
            )
        c = ours.encode_captions(["a cat", "a dog"])[1]
        states, negative = encoded[0][0].numpy(), encoded[1][0].numpy()
        if name == "sdxl-turbo":
            pooled = encoded[2][0].numpy()
            np.testing.assert_allclose(c[-1, : len(pooled)], pooled, atol=1e-5)
            assert (c[-1, len(pooled) :] == 0).all()
            np.testing.assert_allclose(ours._text.empty()[:-1], negative, atol=1e-5)
            c = c[:-1]
        else:
            np.testing.assert_allclose(ours._text.empty(), negative, atol=1e-5)
        np.testing.assert_allclose(c, states, atol=1e-5)


@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction"])
def test_both_predictions_of_the_second_generation_are_drawn_right(
    tmp_path: Path, predicts: str
) -> None:
    folder = toy_models.sd2(tmp_path / "sd2", predicts)
    ours = Diffusion(Preset(str(folder), variant="fp16"), "sd2", CPU)
    theirs = StableDiffusionImg2ImgPipeline.from_pretrained(folder, variant="fp16")
    theirs.set_progress_bar_config(disable=True)
    aim = made_up(ours)
    picture = theirs(
        image=torch.from_numpy(aim.z)[None], prompt_embeds=torch.from_numpy(aim.c)[None],
        guidance_scale=1.0, num_inference_steps=4, strength=0.75,
        generator=torch.Generator().manual_seed(SEED), output_type="np",
    ).images[0]  # fmt: skip
    settings = Settings(steps=3, strength=0.75)
    assert np.abs(final(ours, aim, settings)[0] - picture * 255).max() <= 2


def test_the_2023_method_step_by_step(hub: Path) -> None:
    """Against a plain script: DDIM's formula, PIL's resizing, the modules' own calls."""
    ours = load("takagi2023", size_px=16, latent_px=12, fast_decoder="")
    assert (ours.latent, ours.size_px) == ((4, 6, 6), 16)
    folder = next(hub.glob("models--CompVis*/snapshots/*"))
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    aim = made_up(ours)
    settings = replace(ours.defaults, preview=True, samples=2)
    assert (settings.steps, settings.strength, settings.guidance) == (40, 0.8, 5.0)
    assert ours.defaults.samples == 5
    shown = list(ours.images(aim, SEED, settings))
    assert [s.step for s in shown] == list(range(1, 41))
    z = _plain_enlarged(pipe, aim)
    np.testing.assert_allclose(ours._enlarged(torch.from_numpy(aim.z)[None]), z, atol=1e-4)
    plain = list(_plain_2023(pipe, aim, z, settings.samples))
    for step, pictures in zip(shown, plain, strict=True):
        assert step.images.shape == (2, 16, 16, 3)
        assert np.abs(step.images.astype(int) - pictures).max() <= 2, step.step


@torch.no_grad()
def _plain_enlarged(pipe: StableDiffusionPipeline, aim: Aim) -> torch.Tensor:
    small = pipe.vae.decode(torch.from_numpy(aim.z)[None] / 0.18215).sample[0]
    pixels = np.asarray(((small.clamp(-1, 1) + 1) / 2).permute(1, 2, 0))
    bands = [
        Image.fromarray(pixels[..., n]).resize((16, 16), Image.Resampling.BICUBIC) for n in range(3)
    ]
    resized = torch.from_numpy(np.stack([np.asarray(b) for b in bands]))[None].clamp(0, 1) * 2 - 1
    encoded: torch.Tensor = pipe.vae.encode(resized).latent_dist.mean
    return encoded * 0.18215


@torch.no_grad()
def _plain_2023(pipe: StableDiffusionPipeline, aim: Aim, z: torch.Tensor, samples: int):  # type: ignore[no-untyped-def]
    alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)
    times = list(range(1, 1000, 20))[:40][::-1]  # step 40 of 50 and down
    ids = pipe.tokenizer([""], padding="max_length", return_tensors="pt").input_ids
    empty, c = pipe.text_encoder(ids).last_hidden_state, torch.from_numpy(aim.c)[None]
    noise = [
        torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(SEED + n))
        for n in range(samples)
    ]
    x = [alphas[times[0]] ** 0.5 * z + (1 - alphas[times[0]]) ** 0.5 * n for n in noise]
    for t in times:
        a, before = alphas[t], alphas[max(t - 20, 0)]
        decoded = []
        for n in range(samples):
            without = pipe.unet(x[n], t, empty).sample
            e = without + 5.0 * (pipe.unet(x[n], t, c).sample - without)
            clean = (x[n] - (1 - a) ** 0.5 * e) / a**0.5
            x[n] = before**0.5 * clean + (1 - before) ** 0.5 * e
            drawn = pipe.vae.decode((clean if t != times[-1] else x[n]) / 0.18215).sample[0]
            decoded.append(((drawn / 2 + 0.5).clamp(0, 1) * 255).permute(1, 2, 0))
        yield np.stack([picture.round().numpy() for picture in decoded]).astype(int)


def test_samples_are_one_batch_of_independent_pictures() -> None:
    """The first does not change with how many there are, nor does any with its neighbours."""
    for name in ("sd15-lcm", "sdxl-turbo"):
        ours = load(name)
        aim = made_up(ours)
        one, three = (
            final(ours, aim, replace(ours.defaults, samples=n)).astype(int) for n in (1, 3)
        )
        assert three.shape == (3, *one.shape[1:])
        assert np.abs(three[0] - one[0]).max() <= 1
        assert np.abs(three[1] - three[2]).max() > 20


def test_a_lora_changes_the_pictures() -> None:
    with_lora, without = load("sd15-lcm"), load("sd15-lcm", lora=None)
    aim = made_up(with_lora)
    one, other = (final(g, aim, with_lora.defaults).astype(int) for g in (with_lora, without))
    assert np.abs(one - other).max() > 5


def test_previews_come_from_the_small_decoder_and_the_picture_from_the_full_one() -> None:
    ours, full = load("sd-turbo"), load("sd-turbo", fast_decoder="")
    assert "fast_decoder" in ours.takes
    assert "fast_decoder" not in full.takes
    aim, settings = made_up(ours), ours.defaults
    both, alone = (list(g.images(aim, SEED, settings)) for g in (ours, full))
    np.testing.assert_array_equal(both[-1].images, alone[-1].images)
    assert (both[0].images != alone[0].images).any()
    fast = final(ours, aim, replace(settings, fast_decoder=True))
    assert (fast != both[-1].images).any()


def test_decoders_are_tied_to_the_spaces_and_not_to_the_unet() -> None:
    lcm, hyper = load("sd15-lcm"), load("sd15-hyper")
    assert lcm.identity == hyper.identity
    assert lcm.identity != load("sd-turbo").identity


def test_missing_weights_are_named_with_the_command_that_fetches_them(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name in (*PRESETS, "somebody/some-model"):
        with pytest.raises(BadGenerator, match=f"not on this machine: .*rtrecon fetch {name}$"):
            load_generator(name)
    half = tmp_path / "half"
    shutil.copytree(hub, half)
    lora, _ = PRESETS["sd15-hyper"].lora or ("", "")
    shutil.rmtree(half / f"models--{lora.replace('/', '--')}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(half))
    with pytest.raises(BadGenerator, match="Hyper-SD15-4steps-lora.*rtrecon fetch sd15-hyper$"):
        load_generator("sd15-hyper")


def test_a_download_that_broke_off_is_told_in_one_line(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(hub, tmp_path / "hub")
    for file in tmp_path.glob("hub/models--stabilityai--sd-turbo/**/unet/*.safetensors"):
        file.write_bytes(file.read_bytes()[:1000])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(BadGenerator, match="'sd-turbo' cannot be loaded") as told:
        load_generator("sd-turbo")
    assert "\n" not in str(told.value)


FOLDERS = ("unet/diffusion_pytorch", "vae/diffusion_pytorch", "text_encoder/", "safety_checker/")


def test_only_what_a_session_reads_is_fetched() -> None:
    """From listings like the hub's: single files, other formats and other precisions stay there."""
    listing = ["model_index.json", "README.md", "v1-5.ckpt", "v1-5.safetensors", "image.png"]
    listing += ["scheduler/scheduler_config.json", "tokenizer/merges.txt", "tokenizer/vocab.json"]
    for form in (".safetensors", ".fp16.safetensors", ".bin", ".non_ema.safetensors"):
        listing += [f"{part}_model{form}".replace("/_", "/") for part in FOLDERS]

    def fetched(name: str, repository: str, files: list[str]) -> set[str]:
        wanted, unwanted = weights.patterns(PRESETS[name], repository)
        return set(filter_repo_objects(files, allow_patterns=wanted, ignore_patterns=unwanted))

    common = {"model_index.json", *listing[5:8]}
    for name, form in (("sd15-lcm", ""), ("sd-turbo", ".fp16")):
        parts = {f"{part}_model{form}.safetensors".replace("/_", "/") for part in FOLDERS[:3]}
        assert fetched(name, PRESETS[name].repository, listing) == common | parts
    lora, file = PRESETS["sd15-hyper"].lora or ("", "")
    assert fetched("sd15-hyper", lora, [file, "Hyper-SDXL-1step.safetensors"]) == {file}
    tiny = ["config.json", "diffusion_pytorch_model.safetensors", "taesd_decoder.pth"]
    assert fetched("sd-turbo", PRESETS["sd-turbo"].fast_decoder, tiny) == set(tiny[:2])
