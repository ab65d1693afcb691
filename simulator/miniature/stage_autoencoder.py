"""Stages: the autoencoder, then its decoder alone on normalised latents.

Latents pass through a batch normalisation without parameters, which is folded into the encoder's
last convolution when the encoder is done: each latent channel then has zero mean and unit SD,
what the diffusion and the decoder's clamp expect.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn

from simulator.miniature import batches, models
from simulator.miniature.data import Data
from simulator.miniature.trainer import Budget, Trainer

BATCH = 8
EMPHASIS = 8.0
JITTER = 0.1


class Normalised(nn.Module):
    """The autoencoder with its latents normalised per batch."""

    def __init__(self) -> None:
        super().__init__()
        self.autoencoder = models.autoencoder().to(memory_format=torch.channels_last)
        self.normalisation = nn.BatchNorm2d(models.LATENT_CHANNELS, affine=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return pictures (batch, 3, 128, 128), encoded and decoded."""
        latents = self.normalisation(self.autoencoder.encoder(pictures))
        return self.autoencoder.decoder(jittered(latents))


def jittered(latents: Tensor) -> Tensor:
    """Return the latents with a little noise, since the diffusion never hits them exactly."""
    return latents + JITTER * torch.rand(len(latents), 1, 1, 1) * torch.randn_like(latents)


def train(data: Data, folder: Path, budget: Budget) -> AutoencoderTiny:
    """Train encoder and decoder together; return them, normalisation folded in."""
    module = Normalised()
    loss = _loss(data, module, np.random.default_rng(2), squares_first=True)
    sheet = _sheet(data, folder / "autoencoder.png")
    trained = Trainer("autoencoder", folder, module, loss, budget, rate=2e-3, sheet=sheet).run()
    fold(data, trained.autoencoder)
    return trained.autoencoder


def train_decoder(
    data: Data, folder: Path, autoencoder: AutoencoderTiny, budget: Budget
) -> AutoencoderTiny:
    """Train the decoder further; the encoder stays as it is."""
    autoencoder.encoder.requires_grad_(False)
    loss = _loss(
        data,
        lambda pictures: autoencoder.decoder(jittered(autoencoder.encoder(pictures))),
        np.random.default_rng(3),
    )
    sheet = _sheet(data, folder / "decoder.png")
    return Trainer("decoder", folder, autoencoder, loss, budget, rate=1.5e-3, sheet=sheet).run()


def _loss(
    data: Data,
    network: Callable[[Tensor], Tensor],
    rng: np.random.Generator,
    squares_first: bool = False,
) -> Callable[[float], Tensor]:
    """Return the loss: absolute errors keep outlines sharp, squared ones get going faster."""

    def loss(share: float) -> Tensor:
        chosen = batches.drawn(data, BATCH, rng)
        pictures = batches.images(data, chosen).contiguous(memory_format=torch.channels_last)
        error = network(pictures) - pictures
        weights = batches.weights(data, chosen, EMPHASIS)
        crisp = (weights * error.abs()).mean() + edges(error, weights)
        if not squares_first:
            return crisp
        return (1 - share) * 4 * (weights * error.square()).mean() + share * crisp

    return loss


def edges(error: Tensor, weights: Tensor) -> Tensor:
    """Return the mean absolute difference between neighbouring errors: it keeps outlines sharp."""
    down = (weights[:, :, 1:] * error.diff(dim=2).abs()).mean()
    across = (weights[..., 1:] * error.diff(dim=3).abs()).mean()
    return down + across


def _sheet(data: Data, path: Path) -> Callable[[nn.Module, int], None]:
    chosen = np.arange(min(12, len(data)))

    def sheet(module: nn.Module, _steps: int) -> None:
        with torch.no_grad():
            pictures = batches.images(data, chosen)
            whole = isinstance(module, Normalised)
            shown = module(pictures) if whole else module.decoder(module.encoder(pictures))
            batches.sheet([pictures, shown], path)

    return sheet


def fold(data: Data, autoencoder: AutoencoderTiny, count: int = 2048) -> None:
    """Scale and shift the encoder's last convolution: zero mean, unit SD per latent channel."""
    with torch.no_grad():
        found = latents(data, autoencoder, np.arange(min(count, len(data))))
        mean, sd = found.mean(dim=(0, 2, 3)), found.std(dim=(0, 2, 3))
        last = autoencoder.encoder.layers[-1]
        last.weight /= sd[:, None, None, None]
        last.bias.copy_((last.bias - mean) / sd)


def latents(data: Data, autoencoder: AutoencoderTiny, chosen: np.ndarray) -> Tensor:
    """Return the latents (n, 16, 8, 8) of the chosen scenes."""
    with torch.no_grad():
        parts = np.array_split(chosen, -(-len(chosen) // 64))
        pictures = (batches.images(data, part) for part in parts)
        return torch.cat([autoencoder.encoder(batch) for batch in pictures]).contiguous()
