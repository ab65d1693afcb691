"""Latent diffusion with a denoise loop of our own around the real diffusers classes.

The loop lets every step out and skips the pipeline's overhead; a test holds it to diffusers'
own image-to-image pipelines from the same latents.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from rtrecon.config import Settings
from rtrecon.generators import Aim, Newer, Step, check_aim, check_values
from rtrecon.generators.compute import Compute, Transfer
from rtrecon.generators.presets import Preset
from rtrecon.generators.schedule import Schedule
from rtrecon.generators.text import text_of
from rtrecon.generators.weights import load_fast_decoder, load_pipeline

_BATCH = 32
# Of the steps: later a new aim hardly moves a picture, and in the last steps it spoils it
# (docs/reconstruction.md).
AIMED_UNTIL = 0.5
TAKES = frozenset({"steps", "strength", "by_evidence", "guidance", "samples", "preview", "seed"})


class Diffusion:
    """One diffusers pipeline (U-Net, autoencoder, text towers). Owned by one thread.

    Parameters
    ----------
    preset : Preset
    name : str
    compute : Compute, optional
        The best of this machine by default.

    Raises
    ------
    BadGenerator
        Its weights are missing or damaged.
    """

    def __init__(self, preset: Preset, name: str, compute: Compute | None = None) -> None:
        self.name = name
        self.compute = compute = compute or Compute.best()
        pipeline, self.identity = load_pipeline(preset, name)
        unet, vae = pipeline.unet, pipeline.vae
        edge, factor = int(unet.config.sample_size), int(pipeline.vae_scale_factor)
        self.size_px = preset.size_px or edge * factor
        self._latent_px = preset.latent_px or self.size_px
        self._drawn = (int(unet.config.in_channels), *2 * (self.size_px // factor,))
        self.latent = (self._drawn[0], *2 * (self._latent_px // factor,))
        self._text = text_of(pipeline, compute.device, self.size_px)
        self.conditioning = self._text.conditioning
        self._empty = compute.tensor(self._text.empty())[None].to(compute.dtype)
        self._schedule = Schedule(pipeline.scheduler)
        self.defaults = preset.settings or _settings_for(pipeline.scheduler)
        self._autoencoder = _Autoencoder(vae, compute)
        self._unet = compute.compiled(compute.place(unet, compute.dtype))
        fast = load_fast_decoder(preset, name)
        self._fast = None if fast is None else _Autoencoder(fast, compute)
        self.takes = TAKES | ({"fast_decoder"} if self._fast else set())

    @torch.inference_mode()
    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        """Noise z part of the way and denoise it under c (Takagi & Nishimoto, CVPR 2023).

        Raises
        ------
        BadInput
            z or c of another shape, or with values that are not numbers; strength and steps that
            leave nothing to do.
        """
        check_aim(aim, self)
        timesteps = self._schedule.begin(settings, aim)
        on_device = timesteps.to(self.compute.device)
        sources = [torch.Generator("cpu").manual_seed(seed + n) for n in range(settings.samples)]
        z, latents = self._noised(aim, sources, timesteps)
        c = self._conditioning(aim, settings)
        shown: tuple[Transfer, int] | None = None
        for step, t in enumerate(timesteps, 1):
            early = 1 < step <= 1 + AIMED_UNTIL * len(timesteps)
            if early and newer is not None and (moved := newer()) is not None:
                check_aim(moved, self)
                z, latents = self._moved(moved, z, latents, t)
                c = self._conditioning(moved, settings)
            predicted = self._predict(latents, t, on_device[step - 1], c, settings)
            latents, clean = self._schedule.step(predicted, t, latents, sources)
            if shown is not None:  # the step that follows it is queued by now
                yield Step(shown[0].wait(), shown[1], len(timesteps))
                shown = None
            if step < len(timesteps) and settings.preview:
                shown = (self._developed(clean, fast=True), step)
                if not self.compute.queued:
                    yield Step(shown[0].wait(), step, len(timesteps))
                    shown = None
        final = self._developed(latents, fast=settings.fast_decoder)
        yield Step(final.wait(), len(timesteps), len(timesteps))

    @torch.inference_mode()
    def decode_latents(self, z: NDArray[np.float32]) -> NDArray[np.uint8]:
        """What the autoencoder makes of z, with its own decoder: the small one is another model's."""
        check_values("z", z, self.latent)
        drawn: NDArray[np.uint8] = self._developed(self.compute.tensor(z)[None], fast=False).wait()
        return drawn[0]

    def settle(self) -> None:
        """Compile nothing more from now on."""
        for part in (self._unet, self._autoencoder, self._fast):
            if part is not None:
                part.settle()

    @torch.inference_mode()
    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Latents (n, *latent), in the U-Net's scale, of images (height, width, 3)."""
        rows = []
        for start in range(0, len(images), _BATCH):
            pixels = np.stack([self._resized(image) for image in images[start : start + _BATCH]])
            batch = self.compute.tensor(pixels).permute(0, 3, 1, 2) / 127.5 - 1
            rows.append(self._autoencoder.encode(batch).cpu().numpy())
        return np.concatenate(rows)

    def encode_captions(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Conditionings (n, *conditioning) of captions."""
        return self._text.encode(captions)

    def _noised(
        self, aim: Aim, sources: list[torch.Generator], timesteps: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        """What z is in the U-Net's size, and the noised latents (samples, *drawn) to begin with."""
        # Drawn on the CPU, so that a seed gives the same picture on every machine; each sample
        # from a source of its own, so that it does not depend on how many there are.
        noise = torch.cat([torch.randn((1, *self._drawn), generator=s) for s in sources])
        noise = noise.to(self.compute.device)
        scheduler = self._schedule.scheduler
        if aim.z is None:
            return None, noise * scheduler.init_noise_sigma
        z = self._enlarged(self.compute.tensor(aim.z)[None])
        return z, scheduler.add_noise(z.expand_as(noise), noise, timesteps[:1])

    def _moved(
        self, aim: Aim, z: Tensor | None, latents: Tensor, t: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        """Latents on their way, shifted by what z has moved, at their present level of noise."""
        if z is None or aim.z is None:
            return z, latents
        new = self._enlarged(self.compute.tensor(aim.z)[None])
        add_noise, at = self._schedule.scheduler.add_noise, t[None]
        none = torch.zeros_like(z)
        return new, latents + add_noise(new, none, at) - add_noise(z, none, at)

    def _enlarged(self, z: Tensor) -> Tensor:
        """Z (1, *latent) in the size that is drawn: decoded, resized and encoded again."""
        if self.latent == self._drawn:
            return z
        pixels = self._autoencoder.decode(z).clamp(-1, 1)
        # Antialiased bicubic is the form that PIL uses, too.
        size = (self.size_px, self.size_px)
        resized = interpolate(pixels, size, mode="bicubic", antialias=True).clamp(-1, 1)
        return self._autoencoder.encode(resized)

    def _conditioning(self, aim: Aim, settings: Settings) -> Tensor:
        """Each sample's c, and before it, under guidance, that of no caption."""
        c = self.compute.tensor(aim.c)[None].to(self.compute.dtype)
        c = c.expand(settings.samples, -1, -1)
        if settings.guidance == 1:
            return c
        return torch.cat([self._empty.expand_as(c), c])

    def _predict(
        self, latents: Tensor, t: Tensor, on_device: Tensor, c: Tensor, settings: Settings
    ) -> Tensor:
        scaled = self._schedule.scheduler.scale_model_input(latents, t)
        if settings.guidance != 1:
            scaled = torch.cat([scaled, scaled])
        batch = scaled.to(self.compute.dtype).contiguous(memory_format=torch.channels_last)
        inputs = self._text.inputs(c)
        predicted = self._unet(batch, on_device, **inputs, return_dict=False)[0].float()
        if settings.guidance == 1:
            return predicted
        without, with_c = predicted.chunk(2)
        return without + settings.guidance * (with_c - without)

    def _developed(self, latents: Tensor, fast: bool) -> Transfer:
        """Pictures (samples, height, width, 3) of latents, on their way to this thread."""
        decoder = self._fast if fast and self._fast is not None else self._autoencoder
        pixels = (decoder.decode(latents) / 2 + 0.5).clamp(0, 1) * 255
        return Transfer(pixels.permute(0, 2, 3, 1).round().to(torch.uint8))

    def _resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = (self._latent_px, self._latent_px)
        if image.shape[:2] == size:
            return image
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


class _Autoencoder:
    """Pictures <-> latents in the U-Net's scale; the encoder, which defines z, in float32."""

    def __init__(self, vae: Any, compute: Compute) -> None:
        self._vae = compute.place(vae, torch.float32)
        # In float16 some decoders overflow; bfloat16 reaches as far as float32.
        self._dtype = compute.dtype if compute.dtype != torch.float16 else torch.float32
        for name, part in vae.named_children():
            if name in ("decoder", "post_quant_conv"):
                part.to(self._dtype)
        self._scale = float(vae.config.scaling_factor)
        self._decode = compute.compiled(vae.decode)
        self.settle = self._decode.settle

    def decode(self, latents: Tensor) -> Tensor:
        """Pixels (batch, 3, height, width), about -1 to 1, of latents."""
        scaled = (latents / self._scale).to(self._dtype)
        scaled = scaled.contiguous(memory_format=torch.channels_last)
        pixels: Tensor = self._decode(scaled, return_dict=False)[0]
        return pixels.float()

    def encode(self, pixels: Tensor) -> Tensor:
        """Latents of pixels (batch, 3, height, width), -1 to 1: the mean where it is a distribution."""
        encoded = self._vae.encode(pixels)
        latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
        return latents.float() * self._scale


def _settings_for(scheduler: Any) -> Settings:
    """What suits a folder of which nothing else is known.

    A scheduler of a distilled model means few steps without guidance; any other model wants more
    steps, and guidance, to draw well.
    """
    config = scheduler.config
    few = config.get("original_inference_steps") or config.get("timestep_spacing") == "trailing"
    return Settings() if few else Settings(steps=20, guidance=5.0)
