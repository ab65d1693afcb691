"""Stages: the autoencoder at half the size, at full size, then its decoder alone.

The layers next to the pixels cost most and learn least: the others are trained first, between
two small convolutions on pictures of 64 pixels, four times as fast.

Latents pass through a batch normalisation without parameters, which is folded into the encoder's
last convolution when the encoder is done: each latent channel then has zero mean and unit SD,
what the diffusion and the decoder's clamp expect.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn
from torch.nn import functional

from simulator.miniature import batches, models
from simulator.miniature.batchnorm import folded, with_batch_norms
from simulator.miniature.data import Data
from simulator.miniature.trainer import Budget, Trainer

BATCH = 16
EMPHASIS = 8.0
JITTER = 0.1
APART = 0.1


class Whole(nn.Module):
    """The autoencoder with its latents normalised per batch."""

    halvings = 0

    def __init__(self) -> None:
        super().__init__()
        autoencoder = with_batch_norms(models.autoencoder())
        self.autoencoder = autoencoder.to(memory_format=torch.channels_last)
        self.normalisation = nn.BatchNorm2d(models.LATENT_CHANNELS, affine=False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures (batch, 3, 128, 128), encoded and decoded, and their latents."""
        latents = self.normalisation(self.autoencoder.encoder(pictures))
        return self.autoencoder.decoder(jittered(latents)), latents


class Half(Whole):
    """The same on pictures (batch, 3, 64, 64), without the layers next to the pixels."""

    halvings = 1

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 48, 3, padding=1)
        self.head = nn.Conv2d(48, 3, 3, padding=1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures (batch, 3, 64, 64), encoded and decoded, and their latents."""
        encoder, decoder = self.autoencoder.encoder.layers, self.autoencoder.decoder.layers
        latents = self.normalisation(encoder[2:](self.stem(pictures)))
        clamped = 3 * torch.tanh(jittered(latents) / 3)
        return self.head(decoder[:-3](clamped)), latents


def jittered(latents: Tensor) -> Tensor:
    """Return the latents with a little noise, since the diffusion never hits them exactly."""
    return latents + JITTER * torch.rand(len(latents), 1, 1, 1) * torch.randn_like(latents)


def train(data: Data, folder: Path, half: Budget, whole: Budget) -> AutoencoderTiny:
    """Train encoder and decoder together; return them, all normalisation folded in."""
    small, large = Half(), Whole()
    trained = trainer("half", data, folder, small, half, rate=3e-3).run()
    weights = {k: v for k, v in trained.state_dict().items() if k.split(".")[0] not in OWN}
    large.load_state_dict(weights)
    autoencoder = folded(trainer("autoencoder", data, folder, large, whole, 2e-3).run().autoencoder)
    normalise(data, autoencoder)
    return autoencoder


OWN = ("stem", "head")


def trainer(
    name: str, data: Data, folder: Path, module: Whole, budget: Budget, rate: float
) -> Trainer:
    """Return the trainer of encoder and decoder together."""
    rng = np.random.default_rng(2)

    def loss(share: float) -> Tensor:
        pictures, weights = batch(data, rng, module.halvings)
        shown, latents = module(pictures)
        early, late = errors(shown - pictures, weights)
        return (1 - share) * early + share * late + APART * alike(latents)

    def sheet(averaged: nn.Module, _steps: int) -> None:
        pictures, _ = batch(data, np.random.default_rng(0), module.halvings)
        with torch.no_grad():
            batches.sheet([pictures, averaged(pictures)[0]], folder / f"{name}.png")

    return Trainer(name, folder, module, loss, budget, rate, sheet=sheet)


def train_decoder(
    data: Data, folder: Path, autoencoder: AutoencoderTiny, budget: Budget
) -> AutoencoderTiny:
    """Train the decoder further; the encoder stays as it is."""
    autoencoder.encoder.requires_grad_(False)
    rng = np.random.default_rng(3)

    def loss(_share: float) -> Tensor:
        pictures, weights = batch(data, rng, 0)
        shown = autoencoder.decoder(jittered(autoencoder.encoder(pictures)))
        return errors(shown - pictures, weights)[1]

    def sheet(averaged: nn.Module, _steps: int) -> None:
        pictures, _ = batch(data, np.random.default_rng(0), 0)
        with torch.no_grad():
            shown = averaged.decoder(averaged.encoder(pictures))
        batches.sheet([pictures, shown], folder / "decoder.png")

    return Trainer("decoder", folder, autoencoder, loss, budget, rate=1e-3, sheet=sheet).run()


def batch(data: Data, rng: np.random.Generator, halvings: int) -> tuple[Tensor, Tensor]:
    """Return pictures (n, 3, h, w) and weights (n, 1, h, w), at 128 pixels or halved."""
    chosen = batches.drawn(data, BATCH, rng)
    pictures, weights = batches.images(data, chosen), batches.weights(data, chosen, EMPHASIS)
    if halvings:
        pictures, weights = functional.avg_pool2d(pictures, 2), functional.avg_pool2d(weights, 2)
    return pictures.contiguous(memory_format=torch.channels_last), weights


def errors(error: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return a loss that gets going fast, and one that keeps outlines sharp."""
    down = (weights[:, :, 1:] * error.diff(dim=2).abs()).mean()
    across = (weights[..., 1:] * error.diff(dim=3).abs()).mean()
    squared = 4 * (weights * error.square()).mean()
    return squared, (weights * error.abs()).mean() + down + across


def alike(latents: Tensor) -> Tensor:
    """Return the mean squared correlation between latent channels.

    Unpunished, all sixteen take up brightness and colour, and outlines find no room.
    """
    flat = latents.transpose(0, 1).flatten(1)
    correlation = flat @ flat.T / flat.shape[1]
    return (correlation - torch.diag(correlation.diagonal())).square().mean()


def normalise(data: Data, autoencoder: AutoencoderTiny, count: int = 2048) -> None:
    """Scale and shift the encoder's last convolution: zero mean, unit SD per latent channel."""
    found = latents(data, autoencoder, np.arange(min(count, len(data))))
    mean, sd = found.mean(dim=(0, 2, 3)), found.std(dim=(0, 2, 3))
    last = autoencoder.encoder.layers[-1]
    with torch.no_grad():
        last.weight /= sd[:, None, None, None]
        last.bias.copy_((last.bias - mean) / sd)


def latents(data: Data, autoencoder: AutoencoderTiny, chosen: np.ndarray) -> Tensor:
    """Return the latents (n, 16, 8, 8) of the chosen scenes."""
    parts = np.array_split(chosen, -(-len(chosen) // 64))
    with torch.no_grad():
        pictures = (batches.images(data, part) for part in parts)
        return torch.cat([autoencoder.encoder(batch) for batch in pictures]).contiguous()
