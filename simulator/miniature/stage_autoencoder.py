"""Stages: the autoencoder, once more for the thing in the scene, then a finer decoder.

All train the layers next to the pixels taken together (`outer`), which is twice as fast. The end of
the last stage trains the decoder as it will run: layer by layer, and normalised by the averages over
many batches. A feature seen in few scenes is otherwise tamed by the statistics of its own batch, and
without them blows up.

Latents pass through a batch normalisation without parameters, which is folded into the encoder's
last convolution when the encoder is done: each latent channel then has zero mean and unit SD,
what the diffusion and the decoder's clamp expect.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import DecoderTiny
from numpy.typing import NDArray
from torch import Tensor, nn

from simulator.miniature import batches, models, outer
from simulator.miniature.batchnorm import folded, with_batch_norms
from simulator.miniature.data import Data
from simulator.miniature.trainer import Budget, Trainer

BATCH = 32
EMPHASIS = 12.0
JITTER = 0.1
APART = 0.1
AS_IT_RUNS_FROM = 0.7


class Whole(nn.Module):
    """The autoencoder with its latents normalised per batch."""

    def __init__(self) -> None:
        super().__init__()
        autoencoder = with_batch_norms(models.autoencoder(models.COARSE_BLOCKS))
        self.autoencoder = autoencoder.to(memory_format=torch.channels_last)
        self.normalisation = nn.BatchNorm2d(models.LATENT_CHANNELS, affine=False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures (batch, 3, 128, 128), encoded and decoded, and their latents."""
        latents = self.normalisation(outer.encoded(self.autoencoder.encoder, pictures))
        return outer.decoded(self.autoencoder.decoder, jittered(latents)), latents


def jittered(latents: Tensor) -> Tensor:
    """Return the latents with a little noise, since the diffusion never hits them exactly."""
    return latents + JITTER * torch.rand(len(latents), 1, 1, 1) * torch.randn_like(latents)


def train(data: Data, folder: Path, whole: Budget, thing: Budget) -> AutoencoderTiny:
    """Train encoder and decoder together; the decoder still has its batch normalisations."""
    module = Whole()

    def at_first(share: float) -> Tensor:
        pictures, weights = batch(data, rng, EMPHASIS)
        shown, latents = module(pictures)
        early, late = errors(shown - pictures, weights)
        return (1 - share / 2) * early + share * late + APART * alike(latents)

    def for_the_thing(_share: float) -> Tensor:
        pictures, weights = batch(data, rng, 2 * EMPHASIS)
        shown, latents = module(pictures)
        return errors(shown - pictures, weights)[0] + APART * alike(latents)

    rng = np.random.default_rng(2)
    first = trainer("autoencoder", data, folder, module, at_first, whole, rate=3e-3).run()
    module.load_state_dict(first.state_dict())
    rng = np.random.default_rng(5)
    last = trainer("thing", data, folder, module, for_the_thing, thing, rate=1.5e-3).run()
    folded(last.autoencoder.encoder)
    normalise(data, last.autoencoder)
    return last.autoencoder


def trainer(
    name: str,
    data: Data,
    folder: Path,
    module: Whole,
    loss: Callable[[float], Tensor],
    budget: Budget,
    rate: float,
) -> Trainer:
    """Return the trainer of encoder and decoder together, with its sheet."""

    def sheet(averaged: nn.Module, _steps: int) -> None:
        pictures, _ = batch(data, np.random.default_rng(0), EMPHASIS)
        with torch.no_grad():
            batches.sheet([pictures, averaged(pictures)[0]], folder / f"{name}.png")

    return Trainer(name, folder, module, loss, budget, rate, sheet=sheet)


def train_decoder(
    data: Data, latents: Tensor, folder: Path, coarse: DecoderTiny, budget: Budget
) -> DecoderTiny:
    """Train a decoder with a block more, from what the coarse one knows; the encoder stays."""
    decoder = finer(coarse)
    rng = np.random.default_rng(3)

    def loss(share: float) -> Tensor:
        chosen = batches.drawn(data, BATCH, rng)
        pictures, weights = shown_and_weights(data, chosen, 2 * EMPHASIS)
        seen = jittered(latents[chosen]).contiguous(memory_format=torch.channels_last)
        made = decoder.eval()(seen) if share > AS_IT_RUNS_FROM else outer.decoded(decoder, seen)
        return errors(made - pictures, weights)[0]

    def sheet(averaged: nn.Module, _steps: int) -> None:
        chosen = batches.drawn(data, BATCH, np.random.default_rng(0))
        with torch.no_grad():
            made = averaged(latents[chosen])
        batches.sheet([batches.images(data, chosen), made], folder / "decoder.png")

    trainer = Trainer("decoder", folder, decoder, loss, budget, rate=1.5e-3, sheet=sheet)
    return folded(trainer.run())


def finer(coarse: DecoderTiny) -> DecoderTiny:
    """Return a decoder with another block, untrained, behind those of the coarse one."""
    decoder = with_batch_norms(models.autoencoder().decoder)
    blocks = outer.split(coarse)[0]
    decoder.layers[: len(blocks)].load_state_dict(blocks.state_dict())
    return decoder.to(memory_format=torch.channels_last)


def batch(data: Data, rng: np.random.Generator, emphasis: float) -> tuple[Tensor, Tensor]:
    """Return pictures (n, 3, 128, 128) and the weights (n, 1, 128, 128) of their pixels."""
    return shown_and_weights(data, batches.drawn(data, BATCH, rng), emphasis)


def shown_and_weights(
    data: Data, chosen: NDArray[np.int64], emphasis: float
) -> tuple[Tensor, Tensor]:
    """Return pictures (n, 3, 128, 128) of the chosen scenes and the weights of their pixels."""
    pictures, weights = batches.images(data, chosen), batches.weights(data, chosen, emphasis)
    return pictures.contiguous(memory_format=torch.channels_last), weights


def errors(error: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return a loss that gets going fast, and one that keeps outlines sharp."""
    down = (weights[:, :, 1:] * error.diff(dim=2).abs()).mean()
    across = (weights[..., 1:] * error.diff(dim=3).abs()).mean()
    squared = 4 * (weights * error.square()).mean()
    return squared, (weights * error.abs()).mean() + down + across


def alike(latents: Tensor) -> Tensor:
    """Return the mean squared correlation between latent channels.

    Unpunished, all of them take up brightness and colour, and outlines find no room.
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
    """Return the latents (n, 32, 8, 8) of the chosen scenes."""
    parts = np.array_split(chosen, -(-len(chosen) // 64))
    with torch.no_grad():
        pictures = (batches.images(data, part) for part in parts)
        return torch.cat([autoencoder.encoder(batch) for batch in pictures]).contiguous()
