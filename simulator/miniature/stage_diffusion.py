"""Stage: the U-Net, by denoising latents of captioned scenes; the text encoder stays as it is.

The last part of the training also shows it what a brain's decoder will give it: conditioning
averaged over several wordings, with errors and shrinkage, and latents whose errors look like other
scenes' latents rather than like white noise.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from simulator.miniature import batches, models
from simulator.miniature.captions import all_ids, token_ids
from simulator.miniature.data import Data
from simulator.miniature.trainer import Budget, Trainer

BATCH = 64
EMPHASIS = 2.0
DROPPED = 0.1
DECODED_FROM = 0.6
STEPS = 1000


class Noisy(NamedTuple):
    """A batch for the U-Net.

    latents : (n, 32, 8, 8), with noise
    times : (n,), the noise step of each
    conditions : (n, 28, 192)
    clean : (n, 32, 8, 8), the true latents
    weights : (n, 1, 8, 8), how much each place counts
    """

    latents: Tensor
    times: Tensor
    conditions: Tensor
    clean: Tensor
    weights: Tensor


class Batches:
    """Draws batches of noisy latents.

    Parameters
    ----------
    data : the scenes
    latents : (n, 32, 8, 8), of all scenes
    tokenizer, text_encoder : make the conditioning
    """

    def __init__(
        self, data: Data, latents: Tensor, tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel
    ) -> None:
        self.latents = latents
        self.text_encoder = text_encoder.eval().requires_grad_(False)
        self.weights = torch.cat(
            [
                functional.avg_pool2d(batches.weights(data, part, EMPHASIS), models.SIZE_PX // 8)
                for part in np.array_split(np.arange(len(data)), -(-len(data) // 256))
            ]
        )
        self.ids = all_ids(tokenizer, data)
        self.empty = text_encoder(token_ids(tokenizer, [""])).last_hidden_state
        self.levels = models.scheduler().alphas_cumprod

    def draw(self, times: Tensor, as_decoded: bool) -> Noisy:
        """Return scenes at the given noise steps (n,).

        `as_decoded`: half of the conditions and, where noise is strong, a third of the latents
        have errors like a decoder's.
        """
        chosen = torch.randint(len(self.latents), times.shape)
        clean = self.latents[chosen]
        known = clean
        if as_decoded:
            wrong = (torch.rand(len(clean)) < 0.33) & (times > 0.4 * STEPS)
            known = torch.where(wrong.view(-1, 1, 1, 1), decoded_latents(clean), clean)
        signal, rest = self.roots(times)
        noisy = signal * known + rest * torch.randn_like(clean)
        return Noisy(noisy, times, self.captioned(chosen, as_decoded), clean, self.weights[chosen])

    def roots(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """Return the factors (n, 1, 1, 1) of signal and noise; step -1 is without noise."""
        level = torch.where(times < 0, torch.ones(()), self.levels[times]).view(-1, 1, 1, 1)
        return level.sqrt(), (1 - level).sqrt()

    @torch.no_grad()
    def captioned(self, chosen: Tensor, as_decoded: bool) -> Tensor:
        """Return conditioning (n, 28, 192), for some scenes that of the empty caption."""
        count = self.ids.shape[1]
        picked = torch.stack([torch.randperm(count)[:4] for _ in chosen])
        ids = self.ids[chosen[:, None], picked]  # (n, 4, 28)
        conditions = self.text_encoder(ids[:, 0]).last_hidden_state
        if as_decoded:
            half = len(chosen) // 2
            others = self.text_encoder(ids[:half, 1:].flatten(0, 1)).last_hidden_state
            others = others.unflatten(0, (half, -1)).mean(dim=1)
            decoded = decoded_conditions(0.25 * conditions[:half] + 0.75 * others)
            conditions = torch.cat([decoded, conditions[half:]])
        dropped = torch.rand(len(chosen), 1, 1) < DROPPED
        return torch.where(dropped, self.empty, conditions)


def train(
    known: Batches,
    folder: Path,
    unet: UNet2DConditionModel,
    budget: Budget,
    after: Callable[[nn.Module, int], None] | None = None,
) -> UNet2DConditionModel:
    """Train the U-Net; return it averaged over the last steps."""

    def loss(share: float) -> Tensor:
        noisy = known.draw(drawn_times(BATCH), share > DECODED_FROM)
        signal, rest = known.roots(noisy.times)
        velocity = unet(noisy.latents, noisy.times, noisy.conditions, return_dict=False)[0]
        right = (signal * noisy.latents - noisy.clean) / rest
        return (noisy.weights * (velocity - right).square()).mean()

    return Trainer(
        "diffusion", folder, unet, loss, budget, rate=1e-3, average=0.998, sheet=after
    ).run()


def drawn_times(count: int) -> Tensor:
    """Draw noise steps, most of them midway: there the picture is decided."""
    middle = torch.sigmoid(0.3 + torch.randn(count))
    share = torch.where(torch.rand(count) < 0.3, torch.rand(count), middle)
    return (STEPS * share).long().clamp(0, STEPS - 1)


def decoded_conditions(conditions: Tensor) -> Tensor:
    """Return conditions as ridge regression predicts them.

    Its predictions are weighted sums of training targets: the errors are mixtures of other
    scenes' conditions. Their cosine to the truth is .6 to 1, their size .6 to 1.1 of it.
    """
    mean = conditions.mean(dim=0, keepdim=True)
    truth = conditions - mean
    cosine = torch.empty(len(truth), 1, 1).uniform_(0.6, 1)
    size = torch.empty(len(truth), 1, 1).uniform_(0.6, 1.1)
    return mean + size * (cosine * truth + (1 - cosine.square()).sqrt() * mixtures(truth))


def decoded_latents(latents: Tensor) -> Tensor:
    """Return latents as ridge regression predicts them, brought back to their size.

    They correlate with the truth by .4 to .9; the errors are mixtures of other scenes' latents.
    """
    share = torch.empty(len(latents), 1, 1, 1).uniform_(0.4, 0.9)
    return share * latents + (1 - share.square()).sqrt() * mixtures(latents)


def mixtures(values: Tensor) -> Tensor:
    """Return random mixtures of the batch, with the batch's own variance."""
    shares = torch.randn(len(values), len(values)) / len(values) ** 0.5
    return torch.einsum("ij,j...->i...", shares, values)
