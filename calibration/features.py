"""What a diffusion model makes of each stimulus: the features that voxels are explained by.

As in the encoding analysis of Takagi & Nishimoto (CVPR 2023), for which no code was published: the
latent z of the picture, the conditioning c of its caption, the latent z_c after noising z and
denoising it under c, z_c from several noise levels and after several steps of one run, and the
activations of each block of the U-Net early, in the middle and late in that run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d
from tqdm import tqdm

from rtrecon.config import Settings
from rtrecon.errors import BadGenerator
from rtrecon.generators import CONFIG, Aim, find_generator
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.presets import Preset
from rtrecon.generators.schedule import Schedule
from rtrecon.generators.text import text_of
from rtrecon.generators.weights import load_pipeline

STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
STRENGTH = (
    0.8  # of z_c and of the run whose steps and blocks are looked at, as in the paper's pictures
)
LEAST_STEPS = 8  # of that run: a model that draws in two would have no middle
MOMENTS = 9  # of the run that z_c is kept at, the noised latent and the last step among them
STAGES = ("first step", "midway", "last step")
POOLED = 2048  # features of one block at most, as far as its channels allow
_BATCH = 32


@dataclass(frozen=True)
class FeatureSet:
    """What each stimulus is in one space.

    Attributes
    ----------
    family : str
        "space" (z, c, z_c), "noise", "step" or "block".
    label : str
        Within the family: the space, the strength, how many steps are done, or the block.
    values : float32 (n_stimuli, n_features)
    stage : str
        Of a block: when in the run; else empty.
    """

    family: str
    label: str
    values: NDArray[np.float32]
    stage: str = ""


class Moment(NamedTuple):
    """After one denoising step. `latents`: (batch, *latent); `blocks`: (batch, channels, h, w)."""

    latents: Tensor
    blocks: dict[str, Tensor]


def diffusion_preset(name: str) -> Preset:
    """Where a diffusion model is.

    Raises
    ------
    BadGenerator
        Not there, or a generator that denoises nothing.
    """
    preset = find_generator(name)
    if (Path(preset.repository) / CONFIG).is_file():
        raise BadGenerator(
            f"generator '{name}' is adversarial and has no steps, noise or U-Net to explain "
            "a brain by: name a diffusion model with --generator"
        )
    return preset


def features_of(
    preset: Preset, name: str, pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str]
) -> list[FeatureSet]:
    """All features of stimuli, z, c and z_c first.

    z is that of the size which is drawn. Each stimulus is noised by noise of its own, so that what
    noise hides is hidden from the features, too.

    Raises
    ------
    BadGenerator
        Weights that are missing or damaged.
    """
    compute = replace(Compute.best(), backend="")  # hooks and compiled graphs do not go together
    generator = Diffusion(replace(preset, latent_px=None), name, compute)
    z, c = generator.encode_images(pictures), generator.encode_captions(captions)
    settings = replace(generator.defaults, strength=STRENGTH, by_evidence=False)
    settings = replace(settings, steps=max(settings.steps, LEAST_STEPS))
    size_px = generator.size_px
    del generator  # its weights are about to be loaded again, in a form that can be watched
    denoiser = Denoiser(preset, name, size_px, compute)
    with tqdm(
        total=len(z) * len(STRENGTHS), desc="denoising", unit="picture", disable=None
    ) as progress:
        run = _run(denoiser, z, c, settings, progress)
        noise = {
            strength: _z_c(denoiser, z, c, replace(settings, strength=strength), progress)
            for strength in STRENGTHS
            if strength != STRENGTH
        }
    z_c = next(s.values for s in reversed(run) if s.family == "step")
    levels = noise | {STRENGTH: z_c}
    return [
        FeatureSet("space", "z", _rows(z)),
        FeatureSet("space", "c", _rows(c)),
        FeatureSet("space", "z_c", z_c),
        *(FeatureSet("noise", f"{level:g}", levels[level]) for level in STRENGTHS),
        *run,
    ]


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


def _run(
    denoiser: Denoiser,
    z: NDArray[np.float32],
    c: NDArray[np.float32],
    settings: Settings,
    progress: Any,
) -> list[FeatureSet]:
    """z_c after several steps of one run, and all blocks at three of them."""
    steps: dict[int, list[NDArray[np.float32]]] = {}
    blocks: dict[tuple[str, str], list[NDArray[np.float32]]] = {}
    for part in _batches(len(z)):
        moments = [
            (_array(moment.latents.flatten(1)), {k: _array(pooled(m)) for k, m in moment.blocks.items()})
            for moment in denoiser(z[part], c[part], settings, part.start)
        ]  # fmt: skip
        last = len(moments) - 1
        for n in np.unique(np.linspace(0, last, MOMENTS).round().astype(int)).tolist():
            steps.setdefault(n, []).append(moments[n][0])
        for stage, n in zip(STAGES, (1, (1 + last) // 2, last), strict=True):
            for block in denoiser.blocks:
                blocks.setdefault((stage, block), []).append(moments[n][1][block])
        progress.update(part.stop - part.start)
    return [
        *(
            FeatureSet("block", block, np.concatenate(rows), stage)
            for (stage, block), rows in blocks.items()
        ),
        *(FeatureSet("step", str(n), np.concatenate(rows)) for n, rows in steps.items()),
    ]


def _z_c(
    denoiser: Denoiser,
    z: NDArray[np.float32],
    c: NDArray[np.float32],
    settings: Settings,
    progress: Any,
) -> NDArray[np.float32]:
    rows = []
    for part in _batches(len(z)):
        *_, last = denoiser(z[part], c[part], settings, part.start)
        rows.append(_array(last.latents.flatten(1)))
        progress.update(part.stop - part.start)
    return np.concatenate(rows)


def _batches(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _BATCH, n)) for start in range(0, n, _BATCH))


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.float().cpu().numpy()


def _rows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.reshape(len(values), -1)
