"""Random noise patterns."""

from __future__ import annotations

import numpy as np
from PIL import Image


def noise(rng: np.random.Generator, size_px: int) -> np.ndarray:
    """Draw band-limited coloured noise whose grain and colourfulness vary.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of everything.
    size_px : int
        Width and height in pixels; the pattern is the same at every size.

    Returns
    -------
    numpy.ndarray
        uint8 (size_px, size_px, 3).
    """
    grain = round(2 ** rng.uniform(3.0, 4.4))
    total = _layer(rng, grain, size_px) + _layer(rng, grain // 2, size_px)
    grey = total.mean(axis=2, keepdims=True)
    colourful = rng.uniform(0.4, 1.0)
    pattern = grey + colourful * (total - grey)
    pattern = (pattern - pattern.mean()) / pattern.std()
    contrast, level = rng.uniform(40, 62), rng.uniform(112, 144)
    return np.clip(level + contrast * pattern, 0, 255).astype(np.uint8)


def _layer(rng: np.random.Generator, cells: int, size_px: int) -> np.ndarray:
    grid = rng.standard_normal((cells, cells, 3)).astype(np.float32)
    sides = (size_px, size_px)
    planes = [
        Image.fromarray(grid[:, :, c]).resize(sides, Image.Resampling.BICUBIC) for c in range(3)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)
