"""Scenes rendered once, by a pool of processes, and kept on disk for all stages.

- ``images.npy``: uint8 (n, 128, 128, 3)
- ``masks.npy``: uint8 (n, 128, 16), object masks, eight pixels a byte
- ``scenes.json``: per scene its attributes and eight wordings of its caption
"""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from simulator import scenes
from simulator.miniature.models import SIZE_PX

CHUNK = 128
WORDINGS = 8
NOISE_SHARE = 0.08
ATTRIBUTES = ("kind", "colour", "place", "time", "size", "position")


@dataclass(frozen=True)
class Data:
    """Rendered scenes; the arrays stay on disk until they are read.

    images : uint8 (n, 128, 128, 3)
    packed : uint8 (n, 128, 16), object masks, eight pixels a byte
    labels : per attribute the value of each scene
    captions : per scene eight wordings
    """

    images: NDArray[np.uint8]
    packed: NDArray[np.uint8]
    labels: dict[str, list[str]]
    captions: list[list[str]]

    def __len__(self) -> int:
        return len(self.captions)

    def masks(self, chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the object masks (n, 128, 128) of the chosen scenes, 0 or 1."""
        return np.unpackbits(self.packed[chosen], axis=2)


def rendered(folder: Path, count: int, seed: int = 0, workers: int = 4) -> Data:
    """Return ``count`` scenes, from the folder if it holds them, else rendered into it."""
    if not (folder / "scenes.json").exists():
        render_all(folder, count, seed, workers)
    data = load(folder)
    if len(data) != count:
        raise ValueError(f"{folder} holds {len(data)} scenes, asked for {count}: remove it first")
    return data


def load(folder: Path) -> Data:
    """Return the scenes rendered into the folder."""
    texts = json.loads((folder / "scenes.json").read_text())
    return Data(
        images=np.load(folder / "images.npy", mmap_mode="r"),
        packed=np.load(folder / "masks.npy", mmap_mode="r"),
        labels=texts["labels"],
        captions=texts["captions"],
    )


def render_all(folder: Path, count: int, seed: int, workers: int) -> None:
    """Render into the folder; the list of scenes comes last and says that all is there."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = (count, SIZE_PX, SIZE_PX)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (*shape, 3))
    masks = np.lib.format.open_memmap(
        folder / "masks.npy", "w+", np.uint8, (count, SIZE_PX, SIZE_PX // 8)
    )
    labels: dict[str, list[str]] = {attribute: [] for attribute in ATTRIBUTES}
    captions: list[list[str]] = []
    for chunk in tqdm(chunks(count, seed, workers), "scenes", -(-count // CHUNK), unit="chunk"):
        rows = slice(len(captions), len(captions) + len(chunk[0]))
        images[rows], masks[rows] = chunk[:2]
        for attribute in ATTRIBUTES:
            labels[attribute] += chunk[2][attribute]
        captions += chunk[3]
    images.flush()
    masks.flush()
    (folder / "scenes.json").write_text(json.dumps({"labels": labels, "captions": captions}))


def chunks(count: int, seed: int, workers: int) -> Iterator[tuple]:
    """Yield the rendered chunks in order."""
    sizes = [min(CHUNK, count - start) for start in range(0, count, CHUNK)]
    seeds = [(seed, number) for number in range(len(sizes))]
    if workers == 0:
        yield from map(render_chunk, seeds, sizes)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(render_chunk, seeds, sizes)


def render_chunk(seed: tuple[int, int], count: int) -> tuple:
    """Return images, packed masks, labels and captions of ``count`` random scenes."""
    rng = np.random.default_rng(seed)
    drawn = [
        scenes.sample_scene(rng, scenes.NOISE if rng.random() < NOISE_SHARE else None)
        for _ in range(count)
    ]
    renders = [scenes.render(scene, SIZE_PX) for scene in drawn]
    return (
        np.stack([render.image for render in renders]),
        np.packbits(np.stack([render.mask for render in renders]), axis=2),
        {name: [str(getattr(scene, name)) for scene in drawn] for name in ATTRIBUTES},
        [[scenes.caption(scene, rng) for _ in range(WORDINGS)] for scene in drawn],
    )
