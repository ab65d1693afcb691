"""Many pictures at once by diffusers' own pipeline, for scores and sample sheets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny, LCMScheduler, StableDiffusionPipeline
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from simulator.miniature import models
from simulator.miniature.captions import token_ids

_BATCH = 64


@dataclass(frozen=True)
class Recipe:
    """How latents are denoised.

    steps : whatever the strength
    guidance : 1 is none, and costs half as much
    strength : how far along the noise schedule the starting latents are noised, 0 to 1
    """

    steps: int = 4
    guidance: float = 1.0
    strength: float = 1.0


def conditioning(
    tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel, captions: list[str]
) -> Tensor:
    """Return conditioning (n, 28, 192) of captions."""
    with torch.no_grad():
        return text_encoder(token_ids(tokenizer, captions)).last_hidden_state


def denoised(
    pipeline: StableDiffusionPipeline,
    conditions: Tensor,
    recipe: Recipe,
    start: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """Return latents (n, 32, 8, 8) made under conditions (n, 28, 192).

    Parameters
    ----------
    start : latents (n, 32, 8, 8) to begin from, with the few-step scheduler; none: pure noise
    """
    source = torch.Generator().manual_seed(seed)
    shape = (models.LATENT_CHANNELS, models.LATENT_PX, models.LATENT_PX)
    latents = torch.randn(len(conditions), *shape, generator=source)
    settings: dict[str, Any] = {"num_inference_steps": recipe.steps}
    if start is not None:
        times = few_steps(pipeline.scheduler, recipe)
        first = torch.tensor(times[:1]).expand(len(start))
        latents = pipeline.scheduler.add_noise(start, latents, first)
        settings = {"timesteps": times}
    empty = conditioning(pipeline.tokenizer, pipeline.text_encoder, [""])
    made = [
        pipeline(
            prompt_embeds=under,
            negative_prompt_embeds=empty.expand_as(under),
            latents=part,
            guidance_scale=recipe.guidance,
            generator=source,
            output_type="latent",
            **settings,
        ).images
        for under, part in zip(conditions.split(_BATCH), latents.split(_BATCH), strict=True)
    ]
    return torch.cat(made)


def few_steps(scheduler: LCMScheduler, recipe: Recipe) -> list[int]:
    """Return the scheduler's noise steps from ``strength`` down, as many as the recipe wants."""
    total = max(recipe.steps, round(recipe.steps / recipe.strength))
    scheduler.set_timesteps(total)
    return scheduler.timesteps[total - recipe.steps :].tolist()


def decoded(autoencoder: AutoencoderTiny, latents: Tensor) -> NDArray[np.uint8]:
    """Return images (n, 128, 128, 3) of latents (n, 32, 8, 8)."""
    with torch.no_grad():
        parts = [autoencoder.decoder(part) for part in latents.split(_BATCH)]
        pixels = torch.cat(parts).add(1).mul(127.5).round().clamp(0, 255).byte()
        return pixels.permute(0, 2, 3, 1).contiguous().numpy()
