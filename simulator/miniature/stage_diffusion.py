"""Stage: the text encoder and the U-Net, together, by denoising latents of captioned scenes.

The second half of the training also shows them what a brain's decoder will give them: conditioning
averaged over several wordings, with errors and shrinkage, and latents whose errors look like other
scenes' latents rather than like white noise.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from simulator.miniature import batches, models
from simulator.miniature.data import Data
from simulator.miniature.sampling import token_ids
from simulator.miniature.trainer import Budget, Trainer

BATCH = 64
EMPHASIS = 2.0
DROPPED = 0.1
DECODED_FROM = 0.5


class Denoiser(nn.Module):
    """Text encoder and U-Net."""

    def __init__(self, text_encoder: CLIPTextModel, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.unet = unet


class Batches:
    """Latents (n, 16, 8, 8), weights (n, 1, 8, 8) and token ids (n, wordings, 28) of all scenes."""

    def __init__(self, data: Data, latents: Tensor, tokenizer: CLIPTokenizer) -> None:
        self.latents = latents
        self.weights = torch.cat(
            [
                functional.avg_pool2d(batches.weights(data, part, EMPHASIS), models.SIZE_PX // 8)
                for part in np.array_split(np.arange(len(data)), -(-len(data) // 256))
            ]
        )
        self.ids = torch.stack([token_ids(tokenizer, wordings) for wordings in data.captions])
        self.empty = token_ids(tokenizer, [""])


def train(
    known: Batches,
    folder: Path,
    parts: Denoiser,
    budget: Budget,
    after: Callable[[nn.Module, int], None] | None = None,
) -> Denoiser:
    """Train both; return them averaged over the last steps."""
    levels = models.scheduler().alphas_cumprod

    def loss(share: float) -> Tensor:
        chosen = torch.randint(len(known.latents), (BATCH,))
        latents, late = known.latents[chosen], share > DECODED_FROM
        conditions = captioned(parts.text_encoder, known, chosen, late)
        noise = torch.randn_like(latents)
        if late:
            noise = torch.cat([coloured(noise, latents)[: BATCH // 4], noise[BATCH // 4 :]])
        times = drawn_times(BATCH)
        signal, rest = (root.view(-1, 1, 1, 1) for root in roots(levels[times]))
        noisy = signal * latents + rest * noise
        velocity = parts.unet(noisy, times, conditions, return_dict=False)[0]
        error = (velocity - (signal * noise - rest * latents)).square()
        return (known.weights[chosen] * error).mean()

    return Trainer("diffusion", folder, parts, loss, budget, rate=1e-3, sheet=after).run()


def roots(signal: Tensor) -> tuple[Tensor, Tensor]:
    """Return the factors of signal and noise for a share of signal in the variance."""
    return signal.sqrt(), (1 - signal).sqrt()


def drawn_times(count: int) -> Tensor:
    """Draw noise steps, most of them midway: there the picture is decided."""
    middle = torch.sigmoid(0.3 + torch.randn(count))
    share = torch.where(torch.rand(count) < 0.3, torch.rand(count), middle)
    return (1000 * share).long().clamp(0, 999)


def captioned(encoder: CLIPTextModel, known: Batches, chosen: Tensor, late: bool) -> Tensor:
    """Return conditioning (n, 28, 192), for some scenes that of the empty caption."""
    count, wordings = known.ids.shape[1], 4 if late else 1
    picked = torch.stack([torch.randperm(count)[:wordings] for _ in chosen])
    ids = known.ids[chosen[:, None], picked]  # (n, wordings, 28)
    empty = torch.rand(len(chosen)) < DROPPED
    first = torch.where(empty[:, None], known.empty, ids[:, 0])
    conditions = encoder(first).last_hidden_state
    if not late:
        return conditions
    half = len(chosen) // 2
    others = encoder(ids[:half, 1:].flatten(0, 1)).last_hidden_state
    others = others.unflatten(0, (half, -1)).mean(dim=1)
    decoded = as_decoded(0.25 * conditions[:half] + 0.75 * others)
    return torch.cat(
        [torch.where(empty[:half, None, None], conditions[:half], decoded), conditions[half:]]
    )


def as_decoded(conditions: Tensor) -> Tensor:
    """Return conditions as ridge regression predicts them.

    Its predictions are weighted sums of training targets: the errors are mixtures of other
    scenes' conditions. Their cosine to the truth is .6 to 1, their size .6 to 1.1 of it.
    """
    mean = conditions.mean(dim=0, keepdim=True).detach()
    truth = conditions - mean
    cosine = torch.empty(len(truth), 1, 1).uniform_(0.6, 1)
    size = torch.empty(len(truth), 1, 1).uniform_(0.6, 1.1)
    error = mixtures(truth.detach())
    return mean + size * (cosine * truth + (1 - cosine.square()).sqrt() * error)


def mixtures(values: Tensor) -> Tensor:
    """Return random mixtures of the batch, with the batch's own variance."""
    shares = torch.randn(len(values), len(values)) / len(values) ** 0.5
    return torch.einsum("ij,j...->i...", shares, values)


def coloured(noise: Tensor, latents: Tensor) -> Tensor:
    """Return noise part of which looks like latents; its variance stays one."""
    part = torch.rand(len(noise), 1, 1, 1)
    return (1 - part).sqrt() * noise + part.sqrt() * mixtures(latents)
