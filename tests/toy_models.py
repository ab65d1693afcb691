"""Models of the families that presets name, and an adversarial one, at toy size: real classes, random weights."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from rtrecon.generators.adversarial import Plan, save
from simulator.miniature.tokenizer import tokenizer

WORDS = tokenizer(["a dog", "a cat", "noise"])
PLAN = Plan(6, (16, 12, 8), 64, ("cat", "dog", "blue-eyed", "red"), "a toy", "BSD-3-Clause")
STABLE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def scheduler(cls: type, **changed: Any) -> Any:
    """A scheduler configured as Stable Diffusion's."""
    extra = {"clip_sample": False, "set_alpha_to_one": False} if cls is DDIMScheduler else {}
    return cls(**STABLE, steps_offset=1, **extra, **changed)


def sd1(folder: Path, sample_size: int = 4) -> Path:
    """Stable Diffusion 1.x: one text tower, epsilon, PNDM as its repositories have it."""
    torch.manual_seed(0)
    pipeline = StableDiffusionPipeline(
        _vae(), CLIPTextModel(_text(16)), WORDS, _unet(16, sample_size),
        scheduler(PNDMScheduler, skip_prk_steps=True), None, None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def sd2(folder: Path, predicts: str = "epsilon") -> Path:
    """Stable Diffusion 2.x and SD-Turbo: a wider text tower, linear projections, Euler trailing."""
    torch.manual_seed(1)
    unet = _unet(24, 4, use_linear_projection=True, attention_head_dim=(2, 4))
    pipeline = StableDiffusionPipeline(
        _vae(), CLIPTextModel(_text(24, hidden_act="gelu")), WORDS, unet,
        scheduler(EulerDiscreteScheduler, timestep_spacing="trailing", prediction_type=predicts),
        None, None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder, variant="fp16")
    return folder


def sdxl(folder: Path) -> Path:
    """Stable Diffusion XL and SDXL-Turbo: two text towers, pooled embedding, sizes."""
    torch.manual_seed(2)
    unet = _unet(
        16 + 24, 4, use_linear_projection=True, attention_head_dim=(2, 4),
        addition_embed_type="text_time", addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=12 + 6 * 4, transformer_layers_per_block=(1, 2),
    )  # fmt: skip
    first, second = _text(16, layers=2), _text(24, layers=2, projection_dim=12)
    pipeline = StableDiffusionXLPipeline(
        _vae(), CLIPTextModel(first), CLIPTextModelWithProjection(second), WORDS, WORDS, unet,
        scheduler(EulerAncestralDiscreteScheduler, timestep_spacing="trailing"),
        add_watermarker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def taesd(folder: Path) -> Path:
    """A small decoder for latents of the above, random like them."""
    torch.manual_seed(3)
    tiny = AutoencoderTiny(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1),
    )  # fmt: skip
    tiny.save_pretrained(folder)
    return folder


def lora(folder: Path, base: Path, file: str) -> Path:
    """LoRA weights for the U-Net of a folder, large enough to be seen."""
    torch.manual_seed(4)
    unet = UNet2DConditionModel.from_pretrained(base / "unet")
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    layers = {key: 8 * value for key, value in get_peft_model_state_dict(unet).items()}
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers, weight_name=file)
    return folder


def in_hub(cache: Path, repository: str) -> Path:
    """A folder where the hub's cache keeps the only revision of a repository."""
    kept = cache / f"models--{repository.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    folder = kept / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    return folder


def _text(width: int, layers: int = 1, **changed: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(WORDS), hidden_size=width, intermediate_size=32, num_hidden_layers=layers,
        num_attention_heads=2, max_position_embeddings=WORDS.model_max_length,
        bos_token_id=WORDS.bos_token_id, eos_token_id=WORDS.eos_token_id,
        pad_token_id=WORDS.eos_token_id, **changed,
    )  # fmt: skip


def _unet(text: int, sample_size: int, **changed: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=sample_size, in_channels=4, out_channels=4, block_out_channels=(8, 16),
        layers_per_block=1, cross_attention_dim=text, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **{"attention_head_dim": 4} | changed,
    )  # fmt: skip


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8), latent_channels=4, norm_num_groups=4, layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        sample_size=8,
    )  # fmt: skip


def adversarial(folder: Path, seed: int = 0) -> Path:
    """An adversarial generator's folder: random weights, batch statistics included."""
    source = torch.Generator().manual_seed(seed)
    up, down = PLAN.networks()
    for tensor in (*up.state_dict().values(), *down.state_dict().values()):
        if tensor.is_floating_point():
            tensor.copy_(0.3 * torch.randn(tensor.shape, generator=source))
    for name, tensor in (*up.state_dict().items(), *down.state_dict().items()):
        if name.endswith("running_var"):
            tensor.abs_().add_(0.5)
    save(folder, PLAN, up, down)
    return folder
