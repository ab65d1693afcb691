"""Latent diffusion from an ordinary diffusers pipeline folder, with a denoise loop of our own.

The loop lets every step out and skips the pipeline's overhead; a test holds it to diffusers'
own image-to-image pipeline from the same latents.
"""

import hashlib
import inspect
import json
import os
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from numpy.typing import NDArray
from PIL import Image
from transformers.utils import logging as transformers_logging

from rtrecon.config import Settings
from rtrecon.errors import BadGenerator, BadInput
from rtrecon.generators import Aim, Newer, Step

_BATCH = 32
TAKES = frozenset({"steps", "strength", "guidance", "samples", "preview", "fast_decoder", "seed"})

# What they say at load time is about parts that are not used here.
for chatter in (diffusers_logging, transformers_logging):
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()


class Diffusion:
    """One diffusers pipeline folder (U-Net, autoencoder, text tower). Owned by one thread.

    Parameters
    ----------
    folder : Path
        As `save_pretrained` writes it; safetensors only, nothing is downloaded.
    name : str

    Raises
    ------
    BadGenerator
        Not such a folder.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.identity = identity(folder)
        pipeline = _load(folder)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Half the cores: beside ingest and window a third thread of four waits at every barrier
        # for a core, and an image takes twice as long as with two.
        torch.set_num_threads(max(1, usable_cores() // 2))
        for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
            module.to(self._device, torch.float32).eval().requires_grad_(False)
        self._unet, self._vae = pipeline.unet, pipeline.vae
        self._text, self._tokenizer = pipeline.text_encoder, pipeline.tokenizer
        self._scheduler = pipeline.scheduler
        self._scale = float(self._vae.config.scaling_factor)
        edge = int(self._unet.config.sample_size)
        self.latent = (int(self._unet.config.in_channels), edge, edge)
        self.conditioning = (
            int(self._tokenizer.model_max_length),
            int(self._text.config.hidden_size),
        )
        self.size_px = edge * int(pipeline.vae_scale_factor)
        self.defaults, self.takes = Settings(), TAKES
        self._empty = torch.from_numpy(self.encode_captions([""])).to(self._device)

    @torch.inference_mode()
    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        """Noise z part of the way and denoise it under c (Takagi & Nishimoto, CVPR 2023).

        Raises
        ------
        BadInput
            z or c of another shape, or with values that are not numbers.
        """
        z, c = aim
        if z is not None:
            _check("z", z, self.latent)
        _check("c", c, self.conditioning)
        scheduler, timesteps = self._schedule(settings, from_noise=z is None)
        conditioning = self._tensor(c)[None]  # (1, tokens, features)
        # Drawn on the CPU, so that a seed gives the same picture on every machine.
        source = torch.Generator("cpu").manual_seed(seed)
        noise = torch.randn((1, *self.latent), generator=source).to(self._device)
        drawing = _drawing(scheduler, source)
        if z is None:
            latents = noise * scheduler.init_noise_sigma
        else:
            latents = scheduler.add_noise(self._tensor(z)[None], noise, timesteps[:1])
        for step, t in enumerate(timesteps, 1):
            predicted = self._predict(
                scheduler.scale_model_input(latents, t), t, conditioning, settings
            )
            stepped = scheduler.step(predicted, t, latents, **drawing)
            latents = stepped.prev_sample
            if step == len(timesteps):
                yield Step(self._picture(latents), step, step)
            elif settings.preview:
                clean = getattr(stepped, "pred_original_sample", None)
                yield Step(self._picture(latents if clean is None else clean), step, len(timesteps))

    @torch.inference_mode()
    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Latents (n, *latent), in the U-Net's scale, of images (height, width, 3)."""
        rows = []
        for start in range(0, len(images), _BATCH):
            pixels = np.stack([self._resized(image) for image in images[start : start + _BATCH]])
            batch = (
                self._tensor(pixels).permute(0, 3, 1, 2) / 127.5 - 1
            )  # (batch, 3, height, width)
            encoded = self._vae.encode(batch)
            latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
            rows.append((latents * self._scale).cpu().numpy())
        return np.concatenate(rows)

    @torch.inference_mode()
    def encode_captions(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Conditionings (n, *conditioning): the text tower's last hidden states."""
        rows = []
        for start in range(0, len(captions), _BATCH):
            tokens = self._tokenizer(
                list(captions[start : start + _BATCH]),
                padding="max_length",
                max_length=self._tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            )
            states = self._text(tokens.input_ids.to(self._device)).last_hidden_state
            rows.append(states.float().cpu().numpy())
        return np.concatenate(rows)

    def _schedule(self, settings: Settings, from_noise: bool) -> tuple[Any, torch.Tensor]:
        """A scheduler of this image's own and the timesteps that are really done."""
        scheduler = deepcopy(self._scheduler)
        strength = 1.0 if from_noise else settings.strength
        total = max(settings.steps, round(settings.steps / strength))
        # A distilled model knows a few steps of the noise schedule and no others.
        total = min(total, scheduler.config.get("original_inference_steps", total))
        scheduler.set_timesteps(total, device=self._device)
        start = max(0, total - settings.steps) * scheduler.order
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(start)
        return scheduler, scheduler.timesteps[start:]

    def _predict(
        self, latents: torch.Tensor, t: torch.Tensor, c: torch.Tensor, settings: Settings
    ) -> torch.Tensor:
        if settings.guidance == 1:
            return self._unet(latents, t, encoder_hidden_states=c, return_dict=False)[0]
        both = torch.cat([self._empty, c])
        without, with_c = self._unet(
            torch.cat([latents, latents]), t, encoder_hidden_states=both, return_dict=False
        )[0].chunk(2)
        return without + settings.guidance * (with_c - without)

    def _picture(self, latents: torch.Tensor) -> NDArray[np.uint8]:
        decoded = self._vae.decode(latents / self._scale, return_dict=False)[0][0]
        pixels = (decoded.float() / 2 + 0.5).clamp(0, 1).permute(1, 2, 0) * 255
        return pixels.round().to(torch.uint8).cpu().numpy()[None]

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self._device)

    def _resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if image.shape[:2] == (self.size_px, self.size_px):
            return image
        picture = Image.fromarray(image).resize(
            (self.size_px, self.size_px), Image.Resampling.LANCZOS
        )
        return np.asarray(picture)


def _check(name: str, values: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    """One bad value would spread over the whole picture, and a picture of it would look like one."""
    if values.shape != shape:
        raise BadInput(
            f"{name} has the shape {values.shape}, the generator takes {shape}: "
            "use decoders that were fitted for it"
        )
    if not np.isfinite(values).all():
        wrong = int((~np.isfinite(values)).sum())
        raise BadInput(
            f"{wrong} of the {values.size} values of {name} are no numbers: nothing is drawn from it"
        )


def usable_cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def identity(folder: Path) -> str:
    """Hash of what defines the spaces of z and c: autoencoder, text tower and tokenizer.

    The U-Net and the scheduler are left out: a few-step variant of a model shares its spaces,
    and decoders fitted for one serve the other.
    """
    digest = hashlib.sha256()
    for part in ("vae", "text_encoder", "tokenizer"):
        for file in sorted((folder / part).glob("*")):
            if file.suffix in {".safetensors", ".txt"} or file.name in {
                "config.json",
                "vocab.json",
            }:
                digest.update(f"{part}/{file.name}".encode())
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _drawing(scheduler: Any, source: torch.Generator) -> dict[str, torch.Generator]:
    """A stochastic scheduler draws from the image's own source, never from the global one."""
    takes = inspect.signature(scheduler.step).parameters
    return {"generator": source} if "generator" in takes else {}


def _load(folder: Path) -> Any:
    index = folder / "model_index.json"
    try:
        parts = json.loads(index.read_text(encoding="utf-8"))
        missing = [
            part for part in ("unet", "vae", "text_encoder", "tokenizer") if part not in parts
        ]
        if missing:
            raise BadGenerator(
                f"generator '{folder}' has no {missing[0]}: name a text-to-image pipeline"
            )
        pipeline = DiffusionPipeline.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadGenerator(
            f"generator '{folder}' cannot be loaded ({reason}): name the folder of a diffusers pipeline"
        ) from error
    return pipeline
