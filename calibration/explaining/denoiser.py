"""A diffusion model whose every step and block can be seen."""

from collections.abc import Iterator
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from rtrecon.config import Settings
from rtrecon.generators import Aim
from rtrecon.generators.compute import Compute
from rtrecon.generators.presets import Preset
from rtrecon.generators.schedule import Schedule
from rtrecon.generators.text import text_of
from rtrecon.generators.weights import load_pipeline

POOLED = 2048  # features of one block at most, as far as its channels allow


class Moment(NamedTuple):
    """After one denoising step. `latents`: (batch, *latent); `blocks`: (batch, channels, h, w)."""

    latents: Tensor
    blocks: dict[str, Tensor]


class Denoiser:
    """A diffusion model whose every step and block can be seen, many pictures at a time.

    Attributes
    ----------
    blocks : tuple of str
        Names of the U-Net's blocks in the order in which they work.
    """

    def __init__(self, preset: Preset, name: str, size_px: int, compute: Compute) -> None:
        pipeline, _ = load_pipeline(preset, name)
        self._compute = compute
        self._unet = compute.place(pipeline.unet, compute.dtype)
        self._schedule = Schedule(pipeline.scheduler)
        self._text = text_of(pipeline, compute.device, size_px)
        self._empty = compute.tensor(self._text.empty())[None]
        self._seen: dict[str, Tensor] = {}
        modules = _blocks(pipeline.unet)
        self.blocks = tuple(modules)
        for block, module in modules.items():
            module.register_forward_hook(self._watcher(block))

    @torch.inference_mode()
    def __call__(
        self, z: NDArray[np.float32], c: NDArray[np.float32], settings: Settings, first: int = 0
    ) -> Iterator[Moment]:
        """Noise z (batch, *latent) and denoise it under c (batch, *conditioning), step by step.

        The noised latents come first, with no blocks. Stimulus n is noised from a seed of its own,
        `settings.seed + first + n`; what comes out is what `Diffusion.images` draws from it.
        """
        timesteps = self._schedule.begin(settings, Aim(z[0], c[0]))
        seeds = range(settings.seed + first, settings.seed + first + len(z))
        sources = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        noise = torch.cat([torch.randn((1, *z.shape[1:]), generator=s) for s in sources])
        start = self._compute.tensor(z)
        noise = noise.to(start.device)
        latents = self._schedule.scheduler.add_noise(start, noise, timesteps[:1])
        conditioning = self._compute.tensor(c)
        yield Moment(latents, {})
        for t in timesteps:
            predicted = self._predict(latents, t, conditioning, settings.guidance)
            latents, _ = self._schedule.step(predicted, t, latents, sources)
            seen = {name: maps[-len(z) :].float() for name, maps in self._seen.items()}
            yield Moment(latents, seen)

    def _predict(self, latents: Tensor, t: Tensor, c: Tensor, guidance: float) -> Tensor:
        """What the U-Net predicts; under guidance the pictures with a caption are its last."""
        scaled = self._schedule.scheduler.scale_model_input(latents, t)
        if guidance != 1:
            scaled = torch.cat([scaled, scaled])
            c = torch.cat([self._empty.expand_as(c), c])
        dtype, device = self._compute.dtype, self._compute.device
        batch = scaled.to(dtype).contiguous(memory_format=torch.channels_last)
        inputs = self._text.inputs(c.to(dtype))
        predicted: Tensor = self._unet(batch, t.to(device), **inputs, return_dict=False)[0].float()
        if guidance == 1:
            return predicted
        without, with_c = predicted.chunk(2)
        return without + guidance * (with_c - without)

    def _watcher(self, name: str) -> Any:
        def keep(_module: Any, _inputs: Any, output: Any) -> None:
            self._seen[name] = output[0] if isinstance(output, tuple) else output

        return keep


def pooled(maps: Tensor, at_most: int = POOLED) -> Tensor:
    """Activations (batch, channels, h, w) averaged over a square grid, (batch, n_features).

    The finest grid with `at_most` features, but one cell a channel at least.
    """
    grid = max(1, min(*maps.shape[2:], isqrt(at_most // maps.shape[1])))
    return adaptive_avg_pool2d(maps, grid).flatten(1)


def _blocks(unet: Any) -> dict[str, Any]:
    """The U-Net's blocks in the order in which they work."""
    middle = {} if unet.mid_block is None else {"middle": unet.mid_block}
    return (
        {f"down {n}": block for n, block in enumerate(unet.down_blocks, 1)}
        | middle
        | {f"up {n}": block for n, block in enumerate(unet.up_blocks, 1)}
    )
