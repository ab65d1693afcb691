"""Batches of rendered scenes as the training stages want them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from simulator.miniature.data import Data


def drawn(data: Data, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the numbers of ``size`` different scenes, sorted: memory maps like that."""
    return np.sort(rng.choice(len(data), min(size, len(data)), replace=False))


def images(data: Data, chosen: NDArray[np.int64]) -> Tensor:
    """Return images (n, 3, 128, 128) in -1..1."""
    pixels = np.ascontiguousarray(data.images[chosen].transpose(0, 3, 1, 2))
    return torch.from_numpy(pixels).float().div(127.5).sub(1)


def weights(data: Data, chosen: NDArray[np.int64], emphasis: float) -> Tensor:
    """Return weights (n, 1, 128, 128) of mean 1 that count pixels of the object more.

    Objects cover a small part of most scenes but carry most of what a person looks for. Noise
    patterns have no object: they count as background.
    """
    masks = torch.from_numpy(data.masks(chosen)).float()[:, None]
    noise = torch.tensor([data.labels["kind"][number] == "noise" for number in chosen])
    masks[noise] = 0
    emphasised = 1 + emphasis * masks
    return emphasised / emphasised.mean()


def degraded(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Return pictures (n, 3, h, w) slightly blurred, brightened or darkened, and noisy."""
    sigma = float(rng.uniform(0.01, 1.6))
    offsets = torch.arange(-4, 5).float()
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    blurred = functional.conv2d(pictures, kernel, padding=(0, 4), groups=3)
    blurred = functional.conv2d(blurred, kernel.transpose(2, 3), padding=(4, 0), groups=3)
    noise = torch.randn_like(blurred) * float(rng.uniform(0, 0.06))
    return blurred * float(rng.uniform(0.92, 1.08)) + noise


def sheet(rows: Sequence[Tensor], path: Path) -> None:
    """Write a contact sheet: each row (n, 3, h, w) in -1..1."""
    lines = [torch.cat(list(row), dim=2) for row in rows]
    whole = torch.cat(lines, dim=1).add(1).mul(127.5).clamp(0, 255).byte()
    Image.fromarray(whole.permute(1, 2, 0).contiguous().numpy()).save(path)
