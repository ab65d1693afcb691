"""A sheet to be named by somebody who has not seen the captions: does the judge deceive us?

``python -m simulator.miniature.blind --output DIR --seed N`` writes ``sheet.png``, 48 numbered
pictures, and ``answers.json``, what they should show; with ``--named FILE`` (JSON: a kind and a
colour a number) it counts how many were named rightly.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from simulator import scenes
from simulator.miniature import FOLDER
from simulator.miniature.sampling import Recipe, conditioning, decoded, denoised

COUNT, COLUMNS = 48, 8
TILE_PX, BELOW_PX = 256, 28


def sheet(pictures: NDArray[np.uint8]) -> Image.Image:
    """Lay out pictures (n, 128, 128, 3), numbered from 1, at twice their size."""
    rows = -(-len(pictures) // COLUMNS)
    whole = Image.new("RGB", (COLUMNS * TILE_PX, rows * (TILE_PX + BELOW_PX)), "white")
    draw = ImageDraw.Draw(whole)
    for number, picture in enumerate(pictures):
        left, top = number % COLUMNS * TILE_PX, number // COLUMNS * (TILE_PX + BELOW_PX)
        tile = Image.fromarray(picture).resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
        whole.paste(tile, (left, top))
        draw.text((left + 6, top + TILE_PX + 3), str(number + 1), "black", font_size=20)
    return whole


def write(pipeline: StableDiffusionPipeline, folder: Path, seed: int, steps: int) -> None:
    """Write the sheet of random captions and what it should show."""
    rng = np.random.default_rng(seed)
    drawn = [scenes.sample_scene(rng) for _ in range(COUNT)]
    captions = [scenes.caption(scene) for scene in drawn]
    under = conditioning(pipeline.tokenizer, pipeline.text_encoder, captions)
    latents = denoised(pipeline, under, Recipe(steps), seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    sheet(decoded(pipeline.vae, latents)).save(folder / "sheet.png")
    answers = {
        str(number): {"kind": scene.kind, "colour": scene.colour, "caption": caption}
        for number, (scene, caption) in enumerate(zip(drawn, captions, strict=True), 1)
    }
    (folder / "answers.json").write_text(json.dumps(answers, indent=1))


def counted(answers: dict, named: dict) -> dict[str, float]:
    """Return the share of pictures whose kind, and whose colour, was named rightly."""
    return {
        name: float(np.mean([named[number][name] == answers[number][name] for number in answers]))
        for name in ("kind", "colour")
    }


def main() -> None:
    """Write the sheet, or count what was named."""
    parser = argparse.ArgumentParser(prog="simulator.miniature.blind", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--pipeline", type=Path, default=FOLDER)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--named", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.named:
        answers = json.loads((options.output / "answers.json").read_text())
        print(counted(answers, json.loads(options.named.read_text())))
        return
    pipeline = StableDiffusionPipeline.from_pretrained(
        options.pipeline, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    pipeline.set_progress_bar_config(disable=True)
    write(pipeline, options.output, options.seed, options.steps)


if __name__ == "__main__":
    main()
