"""A toy person, a toy scanner and a toy generator: real classes, small sizes."""

import gc
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pylsl
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel

from rtrecon.artifact import Artifact, GeneratorTie, LinearMap, Null
from rtrecon.confidence import Confidence
from rtrecon.evidence import Model
from rtrecon.generators import Generator
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.presets import Preset
from rtrecon.marker_inlets import MarkerInlets
from rtrecon.response import Response
from rtrecon.types import Event, Geometry, Marker, Volume, read_only
from rtrecon.wire import ScannerOutlet
from simulator.miniature.tokenizer import tokenizer

NAMES = ("cat", "dog", "noise")


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generator") / "toy"
    save_toy(folder)
    return folder


def save_toy(folder: Path) -> None:
    """An ordinary Stable Diffusion folder of toy size, untrained."""
    torch.manual_seed(0)
    words = tokenizer(["a dog", "a cat", "noise"])
    text = CLIPTextConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=words.model_max_length,
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id,
        pad_token_id=words.eos_token_id,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=4, in_channels=4, out_channels=4, block_out_channels=(8, 16),
        layers_per_block=1, cross_attention_dim=16, attention_head_dim=4, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8), latent_channels=4, norm_num_groups=4, layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        sample_size=8,
    )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear", clip_sample=False, steps_offset=1, set_alpha_to_one=False
    )
    StableDiffusionPipeline(
        vae, CLIPTextModel(text), words, unet, scheduler, None, None, requires_safety_checker=False
    ).save_pretrained(folder)


@pytest.fixture(scope="session")
def toy_generator(toy_folder: Path) -> Diffusion:
    """In float32 on every machine: it is compared with other implementations."""
    return Diffusion(Preset(str(toy_folder)), "toy", Compute(torch.device("cpu")))


@pytest.fixture(scope="session")
def toy_geometry() -> Geometry:
    affine = np.array([[-3.0, 0, 0, 9], [0, 3, 0, -8], [0, 0, 3.5, -7], [0, 0, 0, 1]])
    return Geometry((6, 5, 4), read_only(affine), 2.0, "float32", 100.0)


@pytest.fixture(scope="session")
def toy_artifact(toy_generator: Diffusion, toy_geometry: Geometry) -> Artifact:
    return artifact_for(toy_generator, toy_geometry)


def artifact_for(generator: Generator, geometry: Geometry) -> Artifact:
    """Decoders of random weights that fit the toy scanner and a generator."""
    rng = np.random.default_rng(0)
    voxels = np.sort(rng.choice(geometry.n_voxels, 60, replace=False))
    early = np.arange(60) < 35
    n_z, n_c = (int(np.prod(shape)) for shape in (generator.latent, generator.conditioning))

    def linear(chosen: np.ndarray, targets: int) -> LinearMap:
        n = int(chosen.sum())
        arrays = rng.normal(size=n), rng.normal(size=(n, targets)), rng.normal(size=targets)
        return LinearMap(chosen, *(a.astype(np.float32) for a in arrays))

    tie = GeneratorTie("toy", generator.identity, generator.latent, generator.conditioning)
    return Artifact(
        name="sub-toy", shape=geometry.shape, affine=geometry.affine, tr_s=2.0,
        reference=None, voxels=voxels, sd=rng.uniform(1, 3, 60).astype(np.float32),
        response=Response(duration_s=6.0), model=Model(),
        generator=tie, z=linear(early, n_z), c=linear(~early, n_c),
        null=Null(linear(early, n_z), linear(~early, n_c)),
        candidates=NAMES, candidate_c=rng.normal(size=(3, n_c)).astype(np.float32),
        confidence=Confidence(0.2, 0.0, 0.0), about={},
    )  # fmt: skip


def toy_volumes(geometry: Geometry, count: int, seed: int = 0) -> np.ndarray:
    """Made-up volumes (i, j, k, count), float32."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(200, 900, geometry.shape)[..., None]
    return (base + rng.normal(scale=8, size=(*geometry.shape, count))).astype(np.float32)


def toy_run(geometry: Geometry, count: int = 20, seed: int = 0) -> Iterator[Volume | Marker]:
    """A run with a trial every five volumes, as its scanner would send it."""
    yield Marker(Event.RUN_START)
    data = toy_volumes(geometry, count, seed)
    for number in range(count):
        if number % 5 == 2:
            onset_s = number * geometry.tr_s + 0.3
            yield Marker(Event.TRIAL, NAMES[number % 3], onset_s, 6.0, f"{NAMES[number % 3]}.png")
        yield Volume(number, read_only(data[..., number]))
    yield Marker(Event.RUN_END, volumes=count)


@pytest.fixture
def stream_name() -> Iterator[str]:
    """A name that no other test uses; afterwards outlets that only a cycle holds give up their ports."""
    yield f"scanner-{uuid.uuid4().hex[:8]}"
    gc.collect()


def send(outlet: ScannerOutlet, items: Iterator[Volume | Marker], start: float) -> None:
    """Send items at once, stamped as if on time from `start` (LSL clock, s)."""
    per_volume = outlet.geometry.tr_s / outlet.geometry.speed
    stamp = start
    for item in items:
        if isinstance(item, Volume):
            stamp = start + (item.number + 1) * per_volume
            outlet.send_volume(item.number, item.data, stamp)
        else:
            outlet.send_marker(item, stamp)


def markers_of(inlets: MarkerInlets, count: int) -> list[Marker]:
    """The next markers that come; of `count` 0, none, but a stream has joined by then."""
    got: list[Marker] = []
    deadline = pylsl.local_clock() + 20
    while len(got) < count or not inlets.heard:
        assert pylsl.local_clock() < deadline, f"{len(got)} of {count} markers came"
        got += inlets.pull(0.02)
        inlets.let_join()
    return got
