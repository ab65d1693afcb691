"""Train the miniature model from nothing: ``python -m simulator.miniature.train --output DIR``.

The output holds the rendered scenes, a checkpoint, a log and sample sheets per stage, and the
pipeline folder and the judge. Run again, it goes on where it stopped.
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from simulator import scenes
from simulator.judge import Judge
from simulator.miniature import (
    batches,
    sampling,
    score,
    stage_autoencoder,
    stage_diffusion,
    stage_judge,
    stage_vision,
)
from simulator.miniature.data import Data, rendered
from simulator.miniature.parts import Parts, export, pipeline, untrained
from simulator.miniature.tokenizer import tokenizer as tokenizer_of
from simulator.miniature.trainer import Budget

STAGES = ("judge", "half", "autoencoder", "decoder", "diffusion", "vision")
MINUTES = (3.0, 8.0, 6.0, 4.0, 40.0, 4.0)
SMOKE_STEPS = 8
log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> None:
    """Run the stages in order; finished ones are loaded."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parsed(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    folder = options.output
    data = rendered(folder / "scenes", options.scenes, options.seed, options.workers)
    train(data, folder, budgets(options))


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="simulator.miniature.train", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--scenes", type=int, default=24_064, help="scenes to render")
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4, help="rendering processes; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--minutes",
        type=float,
        nargs=len(STAGES),
        default=MINUTES,
        metavar=STAGES,
        help="training time of each stage",
    )
    parser.add_argument("--steps", type=int, help="stop each stage after so many steps")
    parser.add_argument("--smoke", action="store_true", help="a few steps of each stage, no use")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.scenes, options.workers = 128, 0
        options.steps = options.steps or SMOKE_STEPS
    return options


def budgets(options: argparse.Namespace) -> dict[str, Budget]:
    """Return each stage's budget."""
    steps, log_steps = options.steps or float("inf"), 2 if options.smoke else 10
    return {
        stage: Budget(60 * minutes, steps, log_steps=log_steps)
        for stage, minutes in zip(STAGES, options.minutes, strict=True)
    }


def train(data: Data, folder: Path, budget: dict[str, Budget]) -> None:
    """Run all stages on the scenes; leave ``pipeline/`` and ``judge.safetensors`` in the folder."""
    judge = stage_judge.train(data, folder, budget["judge"])
    judge.save(folder / "judge.safetensors")
    tokenizer = tokenizer_of(caption for captions in data.captions for caption in captions)
    autoencoder = stage_autoencoder.train(data, folder, budget["half"], budget["autoencoder"])
    autoencoder = stage_autoencoder.train_decoder(data, folder, autoencoder, budget["decoder"])
    parts = replace(untrained(tokenizer), autoencoder=autoencoder)

    latents = encoded(data, folder, autoencoder)
    known = stage_diffusion.Batches(data, latents, tokenizer)
    preview = Preview(parts, judge, folder, rounds=min(8, len(data) // 100))
    denoiser = stage_diffusion.Denoiser(parts.text_encoder, parts.unet)
    denoiser = stage_diffusion.train(known, folder, denoiser, budget["diffusion"], preview)
    parts = replace(parts, text_encoder=denoiser.text_encoder, unet=denoiser.unet)

    vision = stage_vision.train(data, folder, parts, budget["vision"])
    export(replace(parts, image_encoder=vision), folder / "pipeline")


def encoded(data: Data, folder: Path, autoencoder: AutoencoderTiny) -> Tensor:
    """Return the latents (n, 16, 8, 8) of all scenes, encoding them the first time."""
    path = folder / "latents.safetensors"
    if not path.exists():
        every = np.arange(len(data))
        save_file({"latents": stage_autoencoder.latents(data, autoencoder, every)}, path)
    return load_file(path)["latents"]


class Preview:
    """Shows how far the diffusion is, and leaves a pipeline folder others can already use.

    Called at each checkpoint: pictures of captions never trained on, judged.
    """

    def __init__(self, parts: Parts, judge: Judge, folder: Path, rounds: int) -> None:
        self.parts, self.judge, self.folder = parts, judge, folder
        rng = np.random.default_rng(99)
        self.scenes = [scenes.sample_scene(rng, kind) for kind in rounds * scenes.KINDS]

    def __call__(self, denoiser: nn.Module, steps: int) -> None:
        """Write the folder and a sheet of pictures; log the judge's scores."""
        parts = replace(self.parts, text_encoder=denoiser.text_encoder, unet=denoiser.unet)
        export(parts, self.folder / "pipeline")
        captions = [scenes.caption(scene) for scene in self.scenes]
        pictures = sampling.text_to_image(pipeline(parts), captions, sampling.Recipe())
        scores = score.agreement(self.judge, self.scenes, pictures)
        log.info("step %d: %s", steps, " ".join(f"{k} {v:.2f}" for k, v in scores.items()))
        rows = 2 * torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - 1
        batches.sheet(rows.split(len(scenes.KINDS))[:4], self.folder / f"diffusion-{steps:05}.png")


if __name__ == "__main__":
    main()
