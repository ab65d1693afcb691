"""Networks of the adversarial generator: a picture's code, and a picture from a code and words.

Up-convolutions as in DCGAN (Radford et al. 2016); the encoder makes of them the autoencoder of a
VAE-GAN (Larsen et al. 2016). The layers next to the pixels take four by four of them together.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

_COARSE_PX = 4
_PATCH_PX = 4
_PIXELS = 3 * _PATCH_PX**2
_SLOPE = 0.2


class Up(nn.Module):
    """Codes (n, latent) and words (n, n_words) -> pictures (n, 3, edge, edge) in -1..1.

    Parameters
    ----------
    latent, n_words : int
    channels : of the maps of 4, 8, 16 ... pixels; the picture has four times the last one's edge
    """

    def __init__(self, latent: int, n_words: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.coarse = nn.Linear(latent + n_words, channels[0] * _COARSE_PX**2)
        self.first = nn.BatchNorm2d(channels[0])
        self.blocks = nn.Sequential(*(_doubling(*pair) for pair in pairwise(channels)))
        self.pixels = nn.Conv2d(channels[-1], _PIXELS, 3, padding=1)

    def forward(self, z: Tensor, words: Tensor) -> Tensor:
        """Draw, in one pass."""
        coarse = self.coarse(torch.cat([z, words], dim=1))
        maps = coarse.unflatten(1, (-1, _COARSE_PX, _COARSE_PX))
        maps = nn.functional.leaky_relu(self.first(maps), _SLOPE)
        pixels = nn.functional.pixel_shuffle(self.pixels(self.blocks(maps)), _PATCH_PX)
        return pixels.tanh()


class Down(nn.Module):
    """Pictures (n, 3, edge, edge) in -1..1 -> means and log variances of their codes.

    The means have mean 0 and standard deviation 1 over the pictures trained on, which also keeps
    the words from taking the codes' place (Zhu et al. 2020, "A Batch Normalized Inference Network
    Keeps the KL Vanishing Away").

    Parameters
    ----------
    latent : int
    channels : of the maps of 4, 8, 16 ... pixels, as in `Up`
    """

    def __init__(self, latent: int, channels: Sequence[int]) -> None:
        super().__init__()
        downwards = (_PIXELS, *reversed(channels[:-1]))
        self.blocks = nn.Sequential(*(_halving(*pair) for pair in pairwise(downwards)))
        self.codes = nn.Linear(channels[0] * _COARSE_PX**2, 2 * latent)
        self.standard = nn.BatchNorm1d(latent, affine=False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log variances, each (n, latent)."""
        maps = self.blocks(nn.functional.pixel_unshuffle(pictures, _PATCH_PX))
        mean, log_variance = self.codes(maps.flatten(1)).chunk(2, dim=1)
        return self.standard(mean), log_variance


def edge_px(channels: Sequence[int]) -> int:
    """Edge of the pictures of networks of so many channels."""
    return int(_COARSE_PX * 2 ** (len(channels) - 1) * _PATCH_PX)


def _doubling(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outer),
        nn.LeakyReLU(_SLOPE),
    )


def _halving(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outer),
        nn.LeakyReLU(_SLOPE),
    )
