"""Stage: the U-Net learns to jump to the clean latents in one to four steps.

Latent consistency distillation (Luo et al. 2023, arXiv:2310.04378): what the learner says from a
noise step must be what it says one step further along the teacher's own, guided way. Guidance thus
goes into the weights, and a picture needs one U-Net call a step instead of two.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from simulator.miniature.models import FEW_STEPS
from simulator.miniature.stage_diffusion import STEPS, Batches, Noisy
from simulator.miniature.trainer import Budget, Trainer

BATCH = 64
GUIDANCE = 2.0
SOFT = 0.03


def train(
    known: Batches,
    folder: Path,
    teacher: UNet2DConditionModel,
    budget: Budget,
    after: Callable[[nn.Module, int], None] | None = None,
) -> UNet2DConditionModel:
    """Distil the teacher; return the learner averaged over the last steps."""
    learner = deepcopy(teacher).requires_grad_(True)
    teacher.eval().requires_grad_(False)
    jump = STEPS // FEW_STEPS

    def loss(_share: float) -> Tensor:
        times = jump * torch.randint(1, FEW_STEPS + 1, (BATCH,)) - 1
        noisy = known.draw(times, as_decoded=True)
        with torch.no_grad():
            further = moved(known, teacher, noisy, times - jump)
            there = clean(known, trainer.average.module, further)
            right = torch.where(further.times.view(-1, 1, 1, 1) < 0, further.latents, there)
        error = clean(known, learner, noisy) - right
        return (noisy.weights * ((error.square() + SOFT**2).sqrt() - SOFT)).mean()

    trainer = Trainer(
        "distillation", folder, learner, loss, budget, rate=3e-4, average=0.98, sheet=after
    )
    return trainer.run()


def moved(known: Batches, teacher: UNet2DConditionModel, noisy: Noisy, times: Tensor) -> Noisy:
    """Return the batch at lower noise steps, moved by the teacher with guidance (DDIM)."""
    empty = known.empty.expand_as(noisy.conditions)
    without, under = teacher(
        noisy.latents.repeat(2, 1, 1, 1),
        noisy.times.repeat(2),
        torch.cat([empty, noisy.conditions]),
        return_dict=False,
    )[0].chunk(2)
    velocity = without + GUIDANCE * (under - without)
    signal, rest = known.roots(noisy.times)
    next_signal, next_rest = known.roots(times)
    found = signal * noisy.latents - rest * velocity
    noise = rest * noisy.latents + signal * velocity
    return noisy._replace(latents=next_signal * found + next_rest * noise, times=times)


def clean(known: Batches, unet: nn.Module, noisy: Noisy) -> Tensor:
    """Return the clean latents (n, 32, 8, 8) that the U-Net sees in the noisy ones."""
    times = noisy.times.clamp(min=0)
    velocity = unet(noisy.latents, times, noisy.conditions, return_dict=False)[0]
    signal, rest = known.roots(times)
    return signal * noisy.latents - rest * velocity
