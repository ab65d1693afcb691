"""Scores of a pipeline folder on scenes it has not seen: ``python -m simulator.miniature.score``.

Writes a table each for the autoencoder, for text to image, and for synthetic decoding: latents and
conditioning with errors as ridge regression makes them, instead of a brain's.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from simulator import scenes
from simulator.judge import Judge
from simulator.miniature import FOLDER
from simulator.miniature.sampling import Recipe, conditioning, decoded, denoised
from simulator.miniature.stage_diffusion import mixtures

SEED = 12_345
Z_CORRELATION, C_COSINE = 0.54, 0.74
Row = dict[str, str | float]
Table = list[Row]


@dataclass(frozen=True)
class Unseen:
    """Scenes with what the pipeline makes of them.

    images : uint8 (n, 128, 128, 3)
    masks : bool (n, 128, 128), on the object
    latents : (n, 16, 8, 8)
    conditions : (n, 28, 192)
    empty : (1, 28, 192)
    """

    scenes: list[scenes.Scene]
    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    latents: Tensor
    conditions: Tensor
    empty: Tensor


def unseen(pipeline: StableDiffusionPipeline, count: int, seed: int = SEED) -> Unseen:
    """Return ``count`` scenes, every kind alike often."""
    rng = np.random.default_rng(seed)
    drawn = [
        scenes.sample_scene(rng, scenes.KINDS[number % len(scenes.KINDS)])
        for number in range(count)
    ]
    renders = [scenes.render(scene) for scene in drawn]
    images = np.stack([render.image for render in renders])
    captions = [scenes.caption(scene) for scene in drawn]
    under = conditioning(pipeline.tokenizer, pipeline.text_encoder, [*captions, ""])
    masks = np.stack([render.mask for render in renders])
    return Unseen(drawn, images, masks, encoded(pipeline, images), under[:-1], under[-1:])


def encoded(pipeline: StableDiffusionPipeline, images: NDArray[np.uint8]) -> Tensor:
    """Return latents (n, 16, 8, 8) of images (n, 128, 128, 3)."""
    with torch.no_grad():
        pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        parts = pixels.float().div(127.5).sub(1).split(32)
        return torch.cat([pipeline.vae.encoder(part) for part in parts])


def judged(judge: Judge, known: Unseen, pictures: NDArray[np.uint8]) -> dict[str, float]:
    """Return the share of pictures in which the judge finds each attribute of the scene.

    ``two_way``: how often a picture's features correlate more with its own original's than with
    another original's (chance .5).
    """
    features = judge.features(pictures), judge.features(known.images)
    return agreement(judge, known.scenes, pictures) | {"two_way": two_way(*features)}


def agreement(
    judge: Judge, drawn: Sequence[scenes.Scene], pictures: NDArray[np.uint8]
) -> dict[str, float]:
    """Return per attribute the share of pictures in which the judge finds the scene's."""
    return {
        name: float(np.mean([getattr(s, name) == v for s, v in zip(drawn, values, strict=True)]))
        for name, values in judge.classify(pictures).items()
    }


def two_way(pictures: NDArray[np.float32], originals: NDArray[np.float32]) -> float:
    """Return two-way identification: pictures fixed, originals varied."""
    count = len(pictures)
    across = np.corrcoef(pictures, originals)[:count, count:]
    return float((across.diagonal()[:, None] > across).sum() / (count * (count - 1)))


def autoencoding(pipeline: StableDiffusionPipeline, judge: Judge, known: Unseen) -> Table:
    """Score originals and reconstructions."""
    pictures = decoded(pipeline.vae, known.latents)
    error = ((pictures.astype(float) - known.images) / 255) ** 2
    psnr = {
        "psnr": float(-10 * np.log10(error.mean())),
        "object_psnr": float(-10 * np.log10(error[known.masks].mean())),
    }
    return [
        {"pictures": "original"} | judged(judge, known, known.images),
        {"pictures": "reconstruction"} | judged(judge, known, pictures) | psnr,
    ]


def text_to_image(pipeline: StableDiffusionPipeline, judge: Judge, known: Unseen) -> Table:
    """Score pictures made from captions alone."""
    table: Table = []
    for guidance in (1.0, 2.0, 3.0):
        for steps in (1, 2, 4, 8):
            recipe = Recipe(steps, guidance)
            start = time.perf_counter()
            latents = denoised(pipeline.unet, known.conditions, known.empty, recipe)
            pictures = decoded(pipeline.vae, latents)
            cost = 1000 * (time.perf_counter() - start) / len(pictures)
            row: Row = {"guidance": guidance, "steps": steps, "ms_in_batch": cost}
            table.append({**row, **judged(judge, known, pictures)})
    return table


def decoding(pipeline: StableDiffusionPipeline, judge: Judge, known: Unseen) -> Table:
    """Score pictures made from latents and conditions with errors, over recipes."""
    torch.manual_seed(SEED)
    z, c = as_predicted(known)
    blank = known.empty.expand_as(c)
    table: Table = [{"from": "z, decoded"} | judged(judge, known, decoded(pipeline.vae, z))]
    cases = [("c", c, 1.0, g) for g in (1.0, 2.0, 3.0)]
    cases += [("z", blank, s, 1.0) for s in (0.5, 0.6, 0.7)]
    cases += [("z+c", c, s, g) for s in (0.5, 0.6, 0.7, 0.8, 0.9) for g in (1.0, 2.0, 3.0)]
    for name, conditions, strength, guidance in tqdm(cases, "decoding"):
        recipe = Recipe(4, guidance, strength)
        start = None if name == "c" else z
        latents = denoised(pipeline.unet, conditions, known.empty, recipe, start)
        row: Row = {"from": name, "strength": strength, "guidance": guidance}
        table.append({**row, **judged(judge, known, decoded(pipeline.vae, latents))})
    return table


def as_predicted(known: Unseen) -> tuple[Tensor, Tensor]:
    """Return latents and conditions with errors, brought back to the true SD.

    Errors are mixtures of other scenes, as those of ridge regression are.
    """
    mean = known.conditions.mean(dim=0, keepdim=True)
    z = Z_CORRELATION * known.latents + rest(Z_CORRELATION) * mixtures(known.latents)
    truth = known.conditions - mean
    return z, mean + C_COSINE * truth + rest(C_COSINE) * mixtures(truth)


def rest(share: float) -> float:
    """Return the size of the error that leaves a correlation of ``share``."""
    return (1 - share**2) ** 0.5


def lines(table: Table) -> str:
    """Return the table in Markdown."""
    columns = list(dict.fromkeys(name for row in table for name in row))
    rows = [
        [f"{row[c]:.2f}" if isinstance(row.get(c), float) else str(row.get(c, "")) for c in columns]
        for row in table
    ]
    rows = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(prog="simulator.miniature.score")
    parser.add_argument("--pipeline", type=Path, default=FOLDER)
    parser.add_argument("--judge", type=Path, help="weights; default: the shipped ones")
    parser.add_argument("--count", type=int, default=204)
    options = parser.parse_args()
    pipeline = StableDiffusionPipeline.from_pretrained(
        options.pipeline, dtype=torch.float32, local_files_only=True
    )
    judge = Judge.load(options.judge) if options.judge else Judge.load()
    known = unseen(pipeline, options.count)
    for score in (autoencoding, text_to_image, decoding):
        print(f"\n{score.__name__}\n\n{lines(score(pipeline, judge, known))}")


if __name__ == "__main__":
    main()
