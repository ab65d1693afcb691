"""Scores of a pipeline folder on scenes it has not seen: ``python -m simulator.miniature.score``.

A table each for the towers, the autoencoder, text to image, and synthetic decoding: latents and
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
from torch.nn import functional
from tqdm import tqdm

from simulator import scenes
from simulator.judge import Judge
from simulator.miniature import FOLDER
from simulator.miniature.captions import VALUES, altered, token_ids
from simulator.miniature.sampling import Recipe, conditioning, decoded, denoised
from simulator.miniature.stage_diffusion import mixtures

SEED = 12_345
Z_CORRELATION, C_COSINE = 0.54, 0.74
STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.9)
Row = dict[str, str | float]
Table = list[Row]


@dataclass(frozen=True)
class Unseen:
    """Scenes with what the pipeline makes of them.

    images : uint8 (n, 128, 128, 3)
    masks : bool (n, 128, 128), on the object
    latents : (n, 32, 8, 8)
    conditions : (n, 28, 192)
    """

    scenes: list[scenes.Scene]
    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    latents: Tensor
    conditions: Tensor


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
    under = conditioning(pipeline.tokenizer, pipeline.text_encoder, captions)
    masks = np.stack([render.mask for render in renders])
    return Unseen(drawn, images, masks, encoded(pipeline, images), under)


def encoded(pipeline: StableDiffusionPipeline, images: NDArray[np.uint8]) -> Tensor:
    """Return latents (n, 32, 8, 8) of images (n, 128, 128, 3)."""
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


def towers(pipeline: StableDiffusionPipeline, known: Unseen) -> Table:
    """Score what the image encoder reads from originals: which of a few captions is right?

    Per attribute the captions differ in its value alone.
    """
    embedded = functional.normalize(images_embedded(pipeline, known.images), dim=1)
    row: Row = {}
    for name in ("kind", "colour", "place", "position"):
        values = [value for value in VALUES[name] if value != scenes.NOISE]
        hits = []
        for scene, picture in zip(known.scenes, embedded, strict=True):
            captions = [scenes.caption(altered(scene, name, value)) for value in values]
            texts = functional.normalize(texts_embedded(pipeline, captions), dim=1)
            hits.append(values[int((texts @ picture).argmax())] == getattr(scene, name))
        row[name] = float(np.mean(hits))
    captions = [scenes.caption(scene) for scene in known.scenes]
    texts = functional.normalize(texts_embedded(pipeline, captions), dim=1)
    best = (embedded @ texts.T).argmax(dim=1)
    row["retrieval"] = float((best == torch.arange(len(best))).float().mean())
    return [row]


def images_embedded(pipeline: StableDiffusionPipeline, images: NDArray[np.uint8]) -> Tensor:
    """Return embeddings (n, 192) of images (n, 128, 128, 3)."""
    pixels = pipeline.feature_extractor(list(images), return_tensors="pt").pixel_values
    with torch.no_grad():
        return torch.cat([pipeline.image_encoder(part).image_embeds for part in pixels.split(64)])


def texts_embedded(pipeline: StableDiffusionPipeline, captions: list[str]) -> Tensor:
    """Return pooled conditioning (n, 192) of captions."""
    with torch.no_grad():
        return pipeline.text_encoder(token_ids(pipeline.tokenizer, captions)).pooler_output


def text_to_image(pipeline: StableDiffusionPipeline, judge: Judge, known: Unseen) -> Table:
    """Score pictures made from captions alone, by steps."""
    table: Table = []
    for steps, guidance in ((1, 1.0), (2, 1.0), (4, 1.0), (8, 1.0), (4, 1.5)):
        start = time.perf_counter()
        latents = denoised(pipeline, known.conditions, Recipe(steps, guidance))
        pictures = decoded(pipeline.vae, latents)
        cost = 1000 * (time.perf_counter() - start) / len(pictures)
        row: Row = {"guidance": guidance, "steps": steps, "ms_in_batch": cost}
        table.append({**row, **judged(judge, known, pictures)})
    return table


def decoding(pipeline: StableDiffusionPipeline, judge: Judge, known: Unseen) -> Table:
    """Score pictures made in four steps from latents and conditions with errors.

    ``r``: correlation of the latents with the truth.
    """
    torch.manual_seed(SEED)
    z, c = as_predicted(known)
    blank = conditioning(pipeline.tokenizer, pipeline.text_encoder, [""]).expand_as(c)
    cases: list[tuple[str, Tensor, Tensor | None, float]] = [("c", c, None, 1.0)]
    cases += [("z", blank, z, strength) for strength in STRENGTHS]
    cases += [("z+c", c, z, strength) for strength in STRENGTHS]
    cases += [("z+true c", known.conditions, z, strength) for strength in STRENGTHS]
    table: Table = [{"from": "z, decoded"} | scored(pipeline, judge, known, z)]
    for name, conditions, start, strength in tqdm(cases, "decoding"):
        recipe = Recipe(4, strength=strength)
        latents = denoised(pipeline, conditions, recipe, start)
        row: Row = {"from": name, "strength": strength}
        table.append({**row, **scored(pipeline, judge, known, latents)})
    return table


def scored(
    pipeline: StableDiffusionPipeline, judge: Judge, known: Unseen, latents: Tensor
) -> dict[str, float]:
    """Return the judge's verdict on latents and their correlation with the truth."""
    pairs = zip(latents.flatten(1).numpy(), known.latents.flatten(1).numpy(), strict=True)
    r = float(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]))
    return judged(judge, known, decoded(pipeline.vae, latents)) | {"r": r}


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
    parser.add_argument("--count", type=int, default=504)
    options = parser.parse_args()
    pipeline = StableDiffusionPipeline.from_pretrained(
        options.pipeline, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    pipeline.set_progress_bar_config(disable=True)
    judge = Judge.load(options.judge) if options.judge else Judge.load()
    known = unseen(pipeline, options.count)
    print(f"\ntowers\n\n{lines(towers(pipeline, known))}")
    for score in (autoencoding, text_to_image, decoding):
        print(f"\n{score.__name__}\n\n{lines(score(pipeline, judge, known))}", flush=True)


if __name__ == "__main__":
    main()
