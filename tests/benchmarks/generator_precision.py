"""Which precision and memory format is fastest here, and what half precision does to pictures."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rtrecon.generators import Aim
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.weights import load_pipeline
from simulator.scenes import caption, render, sample_scene
from tests.benchmarks import generator_models as models
from tests.benchmarks.document import milliseconds
from tests.benchmarks.generator_models import Model

FORMS = {
    "float32": (torch.float32, torch.contiguous_format),
    "float32, channels last": (torch.float32, torch.channels_last),
    "bfloat16": (torch.bfloat16, torch.contiguous_format),
    "bfloat16, channels last": (torch.bfloat16, torch.channels_last),
}
HEAD = ["model", "batch", "part", *FORMS]
QUALITY_HEAD = ["changed", "PSNR dB, median", "lowest", "largest difference of 255, median"]
BATCHES = (1, 4)
SCENES = 24
_WARM = 2


def rows(model: Model, compute: Compute, repeats: int) -> Iterator[list[str]]:
    """U-Net and decoder of a model in each form, in turns; ratios to the first form."""
    pipeline, _ = load_pipeline(model.preset, model.name)
    forms = {name: _Form(pipeline, compute, *form) for name, form in FORMS.items()}
    for batch in BATCHES:
        for part in ("U-Net", "decoder"):
            times: dict[str, list[float]] = {name: [] for name in forms}
            calls = {name: form.call(part, batch) for name, form in forms.items()}
            for _ in range(_WARM + repeats):
                for name, call in calls.items():
                    times[name].append(milliseconds(call, compute))
            ms = np.array(list(times.values()))[:, _WARM:]  # (forms, repeats)
            cells = zip(np.median(ms, axis=1), np.median(ms / ms[0], axis=1), strict=True)
            written = [f"{each:.1f} ({ratio:.2f})" for each, ratio in cells]
            yield [model.name, str(batch), part, *written]


class _Form:
    """A pipeline's U-Net and autoencoder in one precision and memory format, not compiled."""

    def __init__(
        self, pipeline: Any, compute: Compute, dtype: torch.dtype, memory: torch.memory_format
    ) -> None:
        self._config, self._device, self._dtype = pipeline.unet.config, compute.device, dtype
        self._memory = memory
        self._tokens = pipeline.tokenizer.model_max_length
        self._unet, self._vae = (
            copy.deepcopy(part).to(compute.device, dtype).to(memory_format=memory).eval()
            for part in (pipeline.unet, pipeline.vae)
        )

    def call(self, part: str, batch: int) -> Callable[[], object]:
        """One call of a part; the values do not matter."""
        edge = self._config.sample_size
        latents = self._random(batch, self._config.in_channels, edge, edge)
        latents = latents.contiguous(memory_format=self._memory)
        if part == "decoder":
            return partial(self._run, self._vae.decode, latents)
        c = self._random(batch, self._tokens, self._config.cross_attention_dim)
        t = torch.tensor(500, device=self._device)
        return partial(self._run, self._unet, latents, t, encoder_hidden_states=c)

    @torch.inference_mode()
    def _run(self, call: Callable[..., object], *given: Any, **named: Any) -> None:
        call(*given, **named, return_dict=False)

    def _random(self, *shape: int) -> torch.Tensor:
        drawn = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        return drawn.to(self._device, self._dtype)


def quality(compute: Compute, scenes: int = SCENES) -> list[list[str]]:
    """How far the miniature's pictures in bfloat16, or from other noise, are from those in float32."""
    model = models.miniature()
    exact, half = (
        Diffusion(model.preset, model.name, replace(compute, dtype=dtype, backend=""))
        for dtype in (torch.float32, torch.bfloat16)
    )
    aims = _aims(exact, scenes)
    true = _pictures(exact, aims, 0)
    changed = {
        "bfloat16 in place of float32": _pictures(half, aims, 0),
        "other noise": _pictures(exact, aims, 1),
    }
    rows = []
    for name, pictures in changed.items():
        mse = ((pictures - true) ** 2).mean(axis=(1, 2, 3))
        psnr_db = 10 * np.log10(255**2 / np.maximum(mse, 1e-6))
        most = np.abs(pictures - true).max(axis=(1, 2, 3))
        rows.append(
            [name, f"{np.median(psnr_db):.1f}", f"{psnr_db.min():.1f}", f"{np.median(most):.0f}"]
        )
    return rows


def _aims(generator: Diffusion, scenes: int) -> list[Aim]:
    rng = np.random.default_rng(0)
    drawn = [sample_scene(rng) for _ in range(scenes)]
    z = generator.encode_images([render(scene).image for scene in drawn])
    c = generator.encode_captions([caption(scene) for scene in drawn])
    return [Aim(*both) for both in zip(z, c, strict=True)]


def _pictures(generator: Diffusion, aims: Sequence[Aim], seed: int) -> NDArray[np.float64]:
    """The finished pictures (aims, height, width, 3) with the model's own settings."""
    finals = []
    for aim in aims:
        *_, last = generator.images(aim, seed, generator.defaults)
        finals.append(last.images[0].astype(np.float64))
    return np.stack(finals)
