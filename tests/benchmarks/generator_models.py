"""Models to be timed: the miniature, and the shapes of known models with random weights.

Random weights of a real shape cost the same arithmetic as trained ones. They are written to disk in
half precision and come in through the program's own loading code, as a user's would.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    DiffusionPipeline,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from rtrecon.generators.compute import Compute
from rtrecon.generators.presets import Preset
from simulator.miniature import PRESET
from simulator.miniature.tokenizer import tokenizer
from tests.toy_models import scheduler

TOKENS = 77  # of CLIP
WORDS = tokenizer(["a picture"])
WORDS.model_max_length = TOKENS
HEAD = 64  # features a head of a text tower
_DOWN = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
_UP = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3


@dataclass(frozen=True)
class Shape:
    """A model without its weights.

    Attributes
    ----------
    unet, vae : mapping
        What differs from the defaults of diffusers, which are those of Stable Diffusion.
    text : tuple of int
        Width of each text tower; each has one layer, since towers do not run while pictures are drawn.
    scheduler : type
    small : mapping or None
        The `AutoencoderTiny` beside it, likewise.
    unet_tflop, vae_tflop, small_tflop : float or None
        Of a step and of a picture at 512x512: counted, 2 a multiplication and addition.
    """

    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text: tuple[int, ...]
    scheduler: type
    small: Mapping[str, Any] | None = None
    unet_tflop: float | None = None
    vae_tflop: float | None = None
    small_tflop: float | None = None


@dataclass(frozen=True)
class Model:
    """What is timed: a preset, where its weights come from, and its shape if they are random."""

    name: str
    preset: Preset
    weights: str
    shape: Shape | None = None
    fast: bool = False

    @property
    def image_to_image(self) -> bool:
        """Whether diffusers' own image-to-image takes its latents: only those with 4 channels."""
        return self.shape is not None

    @property
    def wide(self) -> bool:
        """Whether it has two text towers."""
        return self.shape is not None and len(self.shape.text) > 1

    @property
    def decoder(self) -> str:
        """Which of its decoders makes the picture."""
        if self.shape is None or self.shape.small is None:
            return "its own"
        return "small" if self.fast else "full"


_VAE = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    "sample_size": 512,
}  # fmt: skip
_SD = {"sample_size": 64, "down_block_types": _DOWN, "up_block_types": _UP}
_XL = {
    "block_out_channels": (320, 640, 1280), "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10), "cross_attention_dim": 2048,
    "use_linear_projection": True, "sample_size": 64, "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
    "down_block_types": ("DownBlock2D", *_DOWN[:2]), "up_block_types": (*_UP[2:], "UpBlock2D"),
}  # fmt: skip
_COSTS = {"small": {"latent_channels": 4}, "vae_tflop": 2.51, "small_tflop": 0.14}

BIGGER_TOY = Shape(
    {
        "block_out_channels": (64, 128, 256), "layers_per_block": 2, "cross_attention_dim": 768,
        "sample_size": 32, "down_block_types": _DOWN[1:], "up_block_types": _UP[:3],
    },
    {**_VAE, "block_out_channels": (32, 64, 64, 64), "layers_per_block": 1},
    (768,), DDIMScheduler,
)  # fmt: skip
REAL = {
    "sd-turbo": Shape(
        {
            **_SD, "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 1024,
            "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True,
        },
        _VAE, (1024,), EulerDiscreteScheduler, unet_tflop=0.80, **_COSTS,
    ),
    "sd15": Shape(
        {
            **_SD, "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768,
            "attention_head_dim": 8,
        },
        _VAE, (768,), DDIMScheduler, unet_tflop=0.80, **_COSTS,
    ),
    "sdxl-turbo": Shape(
        _XL, {**_VAE, "scaling_factor": 0.13025}, (768, 1280), EulerAncestralDiscreteScheduler,
        unet_tflop=1.59, **_COSTS,
    ),
}  # fmt: skip


def reduced(shape: Shape) -> Shape:
    """The same shape with the fewest channels that it can have, to try the code on any machine."""
    levels = len(shape.unet["block_out_channels"])
    few = {"block_out_channels": (16,) * levels, "norm_num_groups": 8}
    unet = {**few, "sample_size": 8, "attention_head_dim": 4}
    if "transformer_layers_per_block" in shape.unet:
        unet["transformer_layers_per_block"] = 1
    vae = {**few, "block_out_channels": (16,) * 4, "layers_per_block": 1}
    small = {f"{part}_block_out_channels": (8,) * 4 for part in ("encoder", "decoder")}
    return replace(
        shape, unet={**shape.unet, **unet}, vae={**shape.vae, **vae}, small=shape.small and small
    )


def miniature() -> Model:
    """The model that ships."""
    return Model("miniature", PRESET, "trained")


def variants(name: str, shape: Shape, folder: Path, device: torch.device) -> list[Model]:
    """The shape with the full decoder and, where it has one, with the small one."""
    model = Model(name, _written(shape, folder, device), "random", shape)
    return [model] if shape.small is None else [model, replace(model, fast=True)]


def diffusers_own(model: Model, compute: Compute) -> Any:
    """The pipeline that `AutoPipelineForImage2Image` takes, as diffusers' documentation loads it."""
    cls: Any = StableDiffusionXLImg2ImgPipeline if model.wide else StableDiffusionImg2ImgPipeline
    if not model.image_to_image:
        cls = StableDiffusionPipeline
    pipeline = cls.from_pretrained(
        model.preset.repository, dtype=compute.dtype, local_files_only=True,
        variant=model.preset.variant or None,
    )  # fmt: skip
    if model.fast:
        pipeline.vae = AutoencoderTiny.from_pretrained(
            model.preset.fast_decoder, dtype=compute.dtype, local_files_only=True
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(compute.device)


def prompt(model: Model, c: Tensor) -> dict[str, Tensor]:
    """What diffusers' pipelines take of a conditioning (1, tokens, features)."""
    if model.shape is None or not model.wide:
        return {"prompt_embeds": c}
    pooled = c[:, -1, : model.shape.text[-1]]  # ours keeps it as one row more
    return {"prompt_embeds": c[:, :-1], "pooled_prompt_embeds": pooled}


def _written(shape: Shape, folder: Path, device: torch.device) -> Preset:
    """Random weights on disk, made on the device because a CPU takes minutes for billions."""
    torch.manual_seed(0)
    with device:
        parts: dict[str, Any] = {
            "unet": UNet2DConditionModel(**shape.unet), "vae": AutoencoderKL(**shape.vae),
        }  # fmt: skip
        for number, width in enumerate(shape.text):
            cls = CLIPTextModelWithProjection if number else CLIPTextModel
            parts["text_encoder" + "_2" * number] = cls(_tower(width))
        small = None if shape.small is None else AutoencoderTiny(**shape.small)
    parts |= {"tokenizer" + "_2" * number: WORDS for number in range(len(shape.text))}
    pipeline = _pipeline(shape, parts)
    pipeline.to(torch.float16).save_pretrained(folder / "model", variant="fp16")
    if small is not None:
        small.half().save_pretrained(folder / "small")
    fast = "" if small is None else str(folder / "small")
    return Preset(str(folder / "model"), variant="fp16", fast_decoder=fast)


def _pipeline(shape: Shape, parts: dict[str, Any]) -> DiffusionPipeline:
    parts["scheduler"] = scheduler(shape.scheduler, timestep_spacing="trailing")
    if len(shape.text) > 1:
        return StableDiffusionXLPipeline(**parts, add_watermarker=False)
    return StableDiffusionPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


def _tower(width: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(WORDS), hidden_size=width, intermediate_size=width, num_hidden_layers=1,
        num_attention_heads=width // HEAD, max_position_embeddings=TOKENS, projection_dim=width,
        bos_token_id=WORDS.bos_token_id, eos_token_id=WORDS.eos_token_id,
        pad_token_id=WORDS.eos_token_id,
    )  # fmt: skip
