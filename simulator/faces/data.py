"""Faces rendered once, by a pool of processes, and kept on disk.

- ``images.npy``: uint8 (n, 128, 128, 3)
- ``words.npy``: uint8 (n, n_words), 1 where the word of `face.VOCABULARY` can be said
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from simulator.faces.drawing import render
from simulator.faces.face import VOCABULARY, sample, words

SIZE_PX = 128
_CHUNK = 128


class Data(NamedTuple):
    """Rendered faces: `images` uint8 (n, 128, 128, 3), on disk; `words` uint8 (n, n_words)."""

    images: NDArray[np.uint8]
    words: NDArray[np.uint8]

    def batch(self, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Pictures (size, 3, 128, 128) in -1..1 and words (size, n_words), at random."""
        chosen = np.sort(rng.choice(len(self.words), size, replace=False))
        pixels = torch.from_numpy(self.images[chosen]).permute(0, 3, 1, 2)  # channels last
        return pixels.float().div(127.5).sub(1), torch.from_numpy(self.words[chosen]).float()


def rendered(folder: Path, count: int, seed: int = 0, workers: int = 2) -> Data:
    """Return ``count`` faces, from the folder if it holds them, else rendered into it."""
    if not (folder / "words.npy").exists():
        _render_all(folder, count, seed, workers)
    data = Data(np.load(folder / "images.npy", mmap_mode="r"), np.load(folder / "words.npy"))
    if len(data.words) != count:
        raise ValueError(f"{folder} holds {len(data.words)} faces, asked for {count}: remove it")
    return data


def _render_all(folder: Path, count: int, seed: int, workers: int) -> None:
    """The words come last and say that all is there."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = (count, SIZE_PX, SIZE_PX, 3)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, shape)
    said = np.zeros((count, len(VOCABULARY)), np.uint8)
    sizes = [min(_CHUNK, count - start) for start in range(0, count, _CHUNK)]
    seeds = [(seed, number) for number in range(len(sizes))]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        chunks = pool.map(_render_chunk, seeds, sizes)
        for number, chunk in enumerate(tqdm(chunks, "faces", len(sizes), unit="chunk")):
            rows = slice(number * _CHUNK, number * _CHUNK + len(chunk[0]))
            images[rows], said[rows] = chunk
    images.flush()
    np.save(folder / "words.npy", said)


def _render_chunk(seed: tuple[int, int], count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    faces = [sample(rng) for _ in range(count)]
    said = [[word in words(face) for word in VOCABULARY] for face in faces]
    return np.stack([render(face, SIZE_PX) for face in faces]), np.array(said, np.uint8)
