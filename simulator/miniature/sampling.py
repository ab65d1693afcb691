"""The denoising loop, for latents that are the caller's own.

diffusers' image-to-image pipeline takes only latents of four channels; these have sixteen.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from simulator.miniature import models


@dataclass(frozen=True)
class Recipe:
    """How latents are denoised.

    steps : U-Net calls (twice as many with guidance), whatever the strength
    guidance : 1 is none
    strength : how far along the noise schedule the starting latents are noised, 0 to 1
    """

    steps: int = 4
    guidance: float = 2.0
    strength: float = 1.0


def token_ids(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Return token ids (n, 28)."""
    return tokenizer(
        captions,
        padding="max_length",
        max_length=models.TEXT_TOKENS,
        truncation=True,
        return_tensors="pt",
    ).input_ids


def conditioning(
    tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, captions: list[str]
) -> Tensor:
    """Return conditioning (n, 28, 192) of captions."""
    with torch.no_grad():
        return text_encoder(token_ids(tokenizer, captions)).last_hidden_state


def denoised(
    unet: UNet2DConditionModel,
    conditions: Tensor,
    empty: Tensor,
    recipe: Recipe,
    start: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """Return latents (n, 16, 8, 8) made under conditions (n, 28, 192) by DDIM without noise.

    Parameters
    ----------
    empty : conditioning (1, 28, 192) of the empty caption, for guidance
    start : latents (n, 16, 8, 8) to begin from; none: pure noise
    """
    with torch.no_grad():
        levels = signal_levels()
        times = torch.linspace(1000 * recipe.strength, 0, recipe.steps + 1).round().long() - 1
        shape = (models.LATENT_CHANNELS, models.LATENT_PX, models.LATENT_PX)
        noise = torch.randn(len(conditions), *shape, generator=torch.Generator().manual_seed(seed))
        signal = levels[times[0]] if start is not None else torch.zeros(())
        latents = signal.sqrt() * (0.0 if start is None else start) + (1 - signal).sqrt() * noise
        for time, next_time in pairwise(times):
            velocity = guided(unet, latents, time, conditions, empty, recipe.guidance)
            signal, next_signal = levels[time], levels[next_time]
            clean = signal.sqrt() * latents - (1 - signal).sqrt() * velocity
            noise = (1 - signal).sqrt() * latents + signal.sqrt() * velocity
            latents = next_signal.sqrt() * clean + (1 - next_signal).sqrt() * noise
        return latents


def signal_levels() -> Tensor:
    """Return the share of signal in the variance at steps 0..999, then 1 for no noise at all.

    Step -1, the end, is thus found at the end.
    """
    return torch.cat([models.scheduler().alphas_cumprod, torch.ones(1)])


def guided(
    unet: UNet2DConditionModel,
    latents: Tensor,
    time: Tensor,
    conditions: Tensor,
    empty: Tensor,
    guidance: float,
) -> Tensor:
    """Return the predicted velocity, pushed away from that of the empty caption."""
    if guidance == 1:
        return unet(latents, time, conditions, return_dict=False)[0]
    both = torch.cat([empty.expand_as(conditions), conditions])
    without, under = unet(latents.repeat(2, 1, 1, 1), time, both, return_dict=False)[0].chunk(2)
    return without + guidance * (under - without)


def decoded(autoencoder: AutoencoderTiny, latents: Tensor) -> NDArray:
    """Return images uint8 (n, 128, 128, 3) of latents (n, 16, 8, 8)."""
    with torch.no_grad():
        parts = [autoencoder.decoder(part) for part in latents.split(32)]
        pixels = torch.cat(parts).add(1).mul(127.5).round().clamp(0, 255).byte()
        return pixels.permute(0, 2, 3, 1).contiguous().numpy()


def text_to_image(
    pipeline: StableDiffusionPipeline, captions: list[str], recipe: Recipe
) -> NDArray:
    """Return images uint8 (n, 128, 128, 3) of captions."""
    under = conditioning(pipeline.tokenizer, pipeline.text_encoder, [*captions, ""])
    latents = denoised(pipeline.unet, under[:-1], under[-1:], recipe)
    return decoded(pipeline.vae, latents)
