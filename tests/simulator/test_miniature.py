"""The miniature model: does its folder load, do its parts do their work, can it be trained?"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from simulator import judge as judge_module
from simulator import scenes
from simulator.judge import Judge
from simulator.miniature import FOLDER, models, outer, sampling, score, train
from simulator.miniature.batchnorm import folded, with_batch_norms
from simulator.miniature.sampling import Recipe

MEGABYTE = 1_000_000
CAPTION = "a large red car in the centre of a sandy beach by day"


@pytest.fixture(scope="module", autouse=True)
def two_threads() -> Iterator[None]:
    """Use two threads: what the machine has must not change the results."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    loaded = StableDiffusionPipeline.from_pretrained(
        FOLDER, dtype=torch.float32, local_files_only=True
    )
    loaded.set_progress_bar_config(disable=True)
    return loaded


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load()


@pytest.fixture(scope="module")
def unseen(pipeline: StableDiffusionPipeline) -> score.Unseen:
    return score.unseen(pipeline, 48)


def painted(pipeline: StableDiffusionPipeline, caption: str, seed: int = 0) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    settings = {"num_inference_steps": 4, "guidance_scale": 1.0, "generator": generator}
    return pipeline(caption, output_type="np", **settings).images[0]


def test_the_folder_holds_the_real_classes(pipeline: StableDiffusionPipeline) -> None:
    assert isinstance(pipeline.vae, AutoencoderTiny)
    assert isinstance(pipeline.unet, UNet2DConditionModel)
    assert isinstance(pipeline.text_encoder, CLIPTextModel)
    assert isinstance(pipeline.tokenizer, CLIPTokenizer)
    assert isinstance(pipeline.image_encoder, CLIPVisionModelWithProjection)
    assert pipeline.safety_checker is None
    assert pipeline.vae_scale_factor == 16
    assert pipeline.vae.config.scaling_factor == 1.0


def test_the_weights_are_small() -> None:
    sizes = [file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()]
    weights = judge_module.WEIGHTS.stat().st_size
    assert weights < MEGABYTE
    assert sum(sizes) + weights <= 40 * MEGABYTE


def test_each_known_word_is_one_token_and_any_text_passes(
    pipeline: StableDiffusionPipeline,
) -> None:
    rng = np.random.default_rng(0)
    tokenizer = pipeline.tokenizer
    for _ in range(200):
        caption = scenes.caption(scenes.sample_scene(rng), rng)
        pieces = tokenizer.tokenize(caption)
        assert len(pieces) == len(caption.replace(",", " ,").split())
        assert len(pieces) + 2 <= tokenizer.model_max_length
    ids = sampling.token_ids(tokenizer, ["Xylophon für 3 Äpfel, \N{SNOWMAN}!"])
    assert ids.shape == (1, tokenizer.model_max_length)


def test_the_same_seed_gives_the_same_picture(pipeline: StableDiffusionPipeline) -> None:
    first = painted(pipeline, CAPTION)
    assert first.shape == (128, 128, 3)
    np.testing.assert_array_equal(first, painted(pipeline, CAPTION))
    assert np.abs(first - painted(pipeline, CAPTION, seed=1)).mean() > 0.01


def test_the_caption_decides_what_is_shown(
    pipeline: StableDiffusionPipeline, judge: Judge, unseen: score.Unseen
) -> None:
    latents = sampling.denoised(pipeline, unseen.conditions, Recipe())
    scores = score.judged(judge, unseen, sampling.decoded(pipeline.vae, latents))
    assert scores["kind"] > 0.85  # chance .08
    assert scores["colour"] > 0.95
    assert scores["place"] > 0.95
    assert scores["position"] > 0.9
    assert scores["two_way"] > 0.95


def test_latents_are_normal(unseen: score.Unseen) -> None:
    mean, sd = unseen.latents.mean(dim=(0, 2, 3)), unseen.latents.std(dim=(0, 2, 3))
    assert mean.abs().max() < 0.25
    assert 0.8 < sd.min() <= sd.max() < 1.2


def test_the_autoencoder_keeps_what_matters(
    pipeline: StableDiffusionPipeline, judge: Judge, unseen: score.Unseen
) -> None:
    _, reconstruction = score.autoencoding(pipeline, judge, unseen)
    assert reconstruction["psnr"] > 24
    assert reconstruction["object_psnr"] > 23
    assert reconstruction["kind"] > 0.95
    assert reconstruction["two_way"] > 0.98


def test_errors_in_latents_and_conditioning_are_survived(
    pipeline: StableDiffusionPipeline, judge: Judge, unseen: score.Unseen
) -> None:
    torch.manual_seed(0)
    z, c = score.as_predicted(unseen)
    recipe = Recipe(steps=4, strength=0.7)
    latents = sampling.denoised(pipeline, c, recipe, start=z)
    scores = score.judged(judge, unseen, sampling.decoded(pipeline.vae, latents))
    assert scores["two_way"] > 0.9


def test_the_judge_knows_unseen_renders(judge: Judge, unseen: score.Unseen) -> None:
    scores = score.judged(judge, unseen, unseen.images)
    assert min(scores[name] for name in ("kind", "colour", "place", "position")) > 0.9
    noise = scenes.render(scenes.sample_scene(np.random.default_rng(5), scenes.NOISE)).image
    assert judge.classify(noise[None])["kind"] == [scenes.NOISE]
    features = judge.features(unseen.images)
    assert features.dtype == np.float32
    assert features.shape == (len(unseen.images), judge_module.FEATURES)


def test_folding_batch_normalisation_changes_no_picture() -> None:
    model = with_batch_norms(models.autoencoder())
    pictures = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        model.train().decoder(model.encoder(pictures))  # gather statistics
        before = model.eval().decoder(model.encoder(pictures))
        after = folded(model).decoder(model.encoder(pictures))
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)
    assert model.state_dict().keys() == models.autoencoder().state_dict().keys()


def test_the_outer_layers_are_one_convolution() -> None:
    model = models.autoencoder()
    torch.nn.init.normal_(model.encoder.layers[0].bias)
    pictures, features = torch.rand(2, 3, 128, 128) * 2 - 1, torch.randn(2, 32, 8, 8)
    seen: list[torch.Tensor] = []
    model.encoder.layers[3].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model.encoder(pictures)
        outer.encoded(model.encoder, pictures)
        apart, together = model.decoder(features), outer.decoded(model.decoder, features)
    inside = (..., slice(2, -2), slice(2, -2))  # they differ where zeros are padded
    torch.testing.assert_close(seen[0][inside], seen[1][inside], atol=1e-4, rtol=1e-3)
    inside = (..., slice(8, -8), slice(8, -8))
    torch.testing.assert_close(apart[inside], together[inside], atol=1e-5, rtol=1e-3)


def test_the_judge_refuses_other_sizes(judge: Judge) -> None:
    with pytest.raises(ValueError, match=r"\(n, 128, 128, 3\)"):
        judge.classify(np.zeros((1, 64, 64, 3), np.uint8))


def test_pictures_lie_near_their_captions(
    pipeline: StableDiffusionPipeline, unseen: score.Unseen
) -> None:
    """Captions that differ in one word can be told apart by the picture."""
    (found,) = score.towers(pipeline, unseen)
    assert found["kind"] > 0.75
    assert found["colour"] > 0.95
    assert found["place"] > 0.95
    assert found["retrieval"] > 0.9


def losses(folder: Path, stage: str) -> list[float]:
    lines = (folder / f"{stage}.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_a_short_training_learns_and_resumes(tmp_path: Path) -> None:
    smoke = ["--output", str(tmp_path), "--smoke", "--threads", "2"]
    train.main([*smoke, "--steps", "2"])
    rendered = (tmp_path / "scenes" / "images.npy").stat().st_mtime_ns
    first = {stage: losses(tmp_path, stage) for stage in train.STAGES}
    train.main([*smoke, "--steps", "6"])
    assert (tmp_path / "scenes" / "images.npy").stat().st_mtime_ns == rendered
    for stage in train.STAGES:
        assert losses(tmp_path, stage)[:1] == first[stage]
        assert len(losses(tmp_path, stage)) == 3
    for stage in ("judge", "autoencoder", "towers", "diffusion"):
        assert losses(tmp_path, stage)[-1] < losses(tmp_path, stage)[0]
    assert (tmp_path / "pipeline" / "model_index.json").exists()
    Judge.load(tmp_path / "judge.safetensors")
