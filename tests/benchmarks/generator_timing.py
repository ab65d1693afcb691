"""A model's pictures in turns with diffusers' own, and how long each part of them takes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import _pytree as pytree

from rtrecon.config import Settings
from rtrecon.generators import Aim
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion
from tests.benchmarks import generator_models as models
from tests.benchmarks.document import milliseconds
from tests.benchmarks.generator_models import Model

SEED = 7
_WARM = 2


@dataclass(frozen=True)
class Timing:
    """Milliseconds of each repetition, (repeats,).

    Attributes
    ----------
    whole : float64
        A picture of ours.
    unet, decoder : float64
        What of it passes in them, all steps together.
    alone : float64
        Both called by themselves with the same tensors.
    preview : float64
        Until the first preview.
    theirs : float64
        A picture by diffusers' own pipeline.
    """

    whole: NDArray[np.float64]
    unet: NDArray[np.float64]
    decoder: NDArray[np.float64]
    alone: NDArray[np.float64]
    preview: NDArray[np.float64]
    theirs: NDArray[np.float64]


class Beside:
    """A model as this program runs it and as diffusers does, on the same latents."""

    def __init__(self, model: Model, compute: Compute) -> None:
        self.model, self.compute = model, compute
        self.ours = Diffusion(model.preset, model.name, compute)
        self._theirs = models.diffusers_own(model, compute)
        part: Any = self.ours._fast if model.fast else self.ours._autoencoder
        self.unet, self.decoder = _Watched(self.ours._unet), _Watched(part._decode)
        self.ours._unet, part._decode = self.unet, self.decoder
        rng = np.random.default_rng(0)
        c = rng.normal(size=self.ours.conditioning).astype(np.float32)
        z = rng.normal(size=self.ours.latent).astype(np.float32)
        self.aim = Aim(z if model.image_to_image else None, c)
        self._prompt = models.prompt(model, compute.tensor(c)[None].to(compute.dtype))
        self._z = compute.tensor(z)[None].to(compute.dtype)

    def settings(self, steps: int) -> Settings:
        """Strength 1, where both do as many steps as they are told."""
        return Settings(
            steps=steps, strength=1.0, preview=False, fast_decoder=self.model.fast, seed=SEED
        )

    def picture(self, steps: int) -> NDArray[np.uint8]:
        """Ours."""
        *_, last = self.ours.images(self.aim, SEED, self.settings(steps))
        return last.images[0]

    def first_preview(self, steps: int) -> None:
        """Draw until there is something to see."""
        next(self.ours.images(self.aim, SEED, replace(self.settings(steps), preview=True)))

    def their_picture(self, steps: int) -> NDArray[np.float32]:
        """Theirs."""
        source = torch.Generator().manual_seed(SEED)
        start: dict[str, Any] = {"image": self._z, "strength": 1.0}
        if not self.model.image_to_image:
            noise = torch.randn((1, *self.ours.latent), generator=source)
            start = {"latents": noise.to(self.compute.device, self.compute.dtype)}
        drawn = self._theirs(
            **start, **self._prompt, guidance_scale=1.0, num_inference_steps=steps,
            generator=source, output_type="np",
        )  # fmt: skip
        picture: NDArray[np.float32] = drawn.images[0]
        return picture

    def modules(self) -> None:
        """What the last picture that was kept called of the modules, and nothing else."""
        self.unet.again()
        self.decoder.again()


class _Watched:
    """A call that is timed without anybody waiting for it, and may keep what it is called with."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._kept: list[Any] = []
        self._spans: list[tuple[Any, Any]] = []
        self.keeps = False

    def __call__(self, *given: Any, **named: Any) -> Any:
        if self.keeps:  # copies, for a graph may draw over what it was given
            self._kept.append(pytree.tree_map_only(torch.Tensor, torch.clone, (given, named)))
        begin = _stamp(given[0])
        result = self._call(*given, **named)
        self._spans.append((begin, _stamp(given[0])))
        return result

    def taken_ms(self) -> float:
        """Time in all calls since this was asked last; they are finished."""
        spans, self._spans = self._spans, []
        return sum(
            begin.elapsed_time(end) if isinstance(begin, torch.cuda.Event) else 1e3 * (end - begin)
            for begin, end in spans
        )

    @torch.inference_mode()
    def again(self) -> None:
        """Call it as it was called when it kept that."""
        for given, named in self._kept:
            self._call(*given, **named)

    def forget(self) -> None:
        """Keep something else from now on."""
        self._kept = []


def _stamp(on: torch.Tensor) -> Any:
    """Now, in the order of the work on a tensor's device."""
    if not on.is_cuda:
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def timed(beside: Beside, steps: int, repeats: int) -> Timing:
    """Time all of it in turns; the order is turned round each time."""
    parts = (beside.unet, beside.decoder)
    for part in parts:
        part.forget()
        part.keeps = True
    beside.picture(steps)
    for part in parts:
        part.keeps = False
    calls: dict[str, Callable[[], object]] = {
        "theirs": lambda: beside.their_picture(steps), "whole": lambda: beside.picture(steps),
        "alone": beside.modules, "preview": lambda: beside.first_preview(steps),
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in ("unet", "decoder", *calls)}
    for go in range(_WARM + repeats):
        for name in list(calls)[:: 1 if go % 2 else -1]:
            for part in parts:
                part.taken_ms()
            times[name].append(milliseconds(calls[name], beside.compute))
            if name == "whole":
                times["unet"].append(beside.unet.taken_ms())
                times["decoder"].append(beside.decoder.taken_ms())
    return Timing(**{name: np.array(values[_WARM:]) for name, values in times.items()})


def product_ms(compute: Compute, voxels: int, values: int, repeats: int = 20) -> float:
    """A person's decoders, z and c at once: a pattern to the device, one product, the result back."""
    weights = torch.randn(values, voxels, device=compute.device)
    mean = torch.randn(values, device=compute.device)
    pattern = np.random.default_rng(0).normal(size=voxels).astype(np.float32)
    times = [
        milliseconds(lambda: torch.addmv(mean, weights, compute.tensor(pattern)).cpu(), compute)
        for _ in range(_WARM + repeats)
    ]
    return float(np.median(times[_WARM:]))
