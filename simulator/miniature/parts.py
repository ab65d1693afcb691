"""The trained parts together, and how they become an ordinary pipeline folder."""

import copy
import shutil
from dataclasses import dataclass, fields
from pathlib import Path

from diffusers import (
    AutoencoderTiny,
    DDIMScheduler,
    LCMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from torch import nn
from transformers import (
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from simulator.miniature import models


@dataclass(frozen=True)
class Parts:
    """The networks of the pipeline in full precision; any of them may still be untrained."""

    autoencoder: AutoencoderTiny
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    image_encoder: CLIPVisionModelWithProjection


def untrained(tokenizer: CLIPTokenizer) -> Parts:
    """Return all parts with random weights."""
    first, last = tokenizer.bos_token_id, tokenizer.eos_token_id
    return Parts(
        autoencoder=models.autoencoder(),
        tokenizer=tokenizer,
        text_encoder=models.text_encoder(len(tokenizer), first, last),
        unet=models.unet(),
        image_encoder=models.image_encoder(),
    )


def pipeline(
    parts: Parts, scheduler: DDIMScheduler | LCMScheduler | None = None
) -> StableDiffusionPipeline:
    """Return the parts as a diffusers pipeline; they are shared, not copied.

    `scheduler`: the few-step one by default.
    """
    made = StableDiffusionPipeline(
        vae=parts.autoencoder,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        unet=parts.unet,
        scheduler=scheduler or models.few_step_scheduler(),
        safety_checker=None,
        feature_extractor=image_processor(),
        image_encoder=parts.image_encoder,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


def image_processor() -> CLIPImageProcessor:
    """Images of any size -> (batch, 3, 128, 128) in -1..1."""
    return CLIPImageProcessor(
        size={"shortest_edge": models.SIZE_PX},
        crop_size={"height": models.SIZE_PX, "width": models.SIZE_PX},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )


def export(parts: Parts, folder: Path) -> None:
    """Write the pipeline folder in half precision: beside first, then renamed.

    Whoever loads the folder meanwhile gets the old one or the new one, whole.
    """
    new, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    pipeline(halved(parts)).save_pretrained(new)
    # transformers 4 reads the tokenizer from these two, transformers 5 from tokenizer.json.
    parts.tokenizer.backend_tokenizer.model.save(str(new / "tokenizer"))
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def halved(parts: Parts) -> Parts:
    """Return a copy of the parts in half precision."""
    values = {field.name: getattr(parts, field.name) for field in fields(parts)}
    return Parts(
        **{
            name: copy.deepcopy(value).half() if isinstance(value, nn.Module) else value
            for name, value in values.items()
        }
    )
