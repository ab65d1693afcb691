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
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from simulator import scenes
from simulator.judge import Judge
from simulator.miniature import (
    batches,
    models,
    sampling,
    score,
    stage_autoencoder,
    stage_diffusion,
    stage_distillation,
    stage_judge,
    stage_towers,
)
from simulator.miniature.data import Data, rendered
from simulator.miniature.parts import Parts, export, pipeline, untrained
from simulator.miniature.tokenizer import tokenizer as tokenizer_of
from simulator.miniature.trainer import Budget

STAGES = ("judge", "autoencoder", "thing", "decoder", "towers", "diffusion", "distillation")
MINUTES = (11.0, 52.0, 53.0, 178.0, 72.0, 65.0, 18.0)
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
    parser.add_argument("--scenes", type=int, default=65_536, help="scenes to render")
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
        options.scenes, options.workers = 16, 0
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
    coarse = stage_autoencoder.train(data, folder, budget["autoencoder"], budget["thing"])
    latents = encoded(data, folder, coarse)
    autoencoder = models.autoencoder()
    autoencoder.encoder = coarse.encoder
    autoencoder.decoder = stage_autoencoder.train_decoder(
        data, latents, folder, coarse.decoder, budget["decoder"]
    )
    parts = replace(untrained(tokenizer), autoencoder=autoencoder)

    towers = stage_towers.train(data, folder, parts, budget["towers"])
    parts = replace(
        parts, text_encoder=towers.text_encoder, image_encoder=towers.image_encoder.eval()
    )

    known = stage_diffusion.Batches(data, latents, tokenizer, parts.text_encoder)
    preview = Preview(parts, judge, folder, rounds=max(1, min(8, len(data) // 100)))
    teacher = stage_diffusion.train(known, folder, parts.unet, budget["diffusion"], preview.guided)
    unet = stage_distillation.train(
        known, folder, teacher, budget["distillation"], preview.in_few_steps
    )
    export(replace(parts, unet=unet), folder / "pipeline")


def encoded(data: Data, folder: Path, autoencoder: AutoencoderTiny) -> Tensor:
    """Return the latents (n, 32, 8, 8) of all scenes, encoding them the first time."""
    path = folder / "latents.safetensors"
    if not path.exists():
        every = np.arange(len(data))
        save_file({"latents": stage_autoencoder.latents(data, autoencoder, every)}, path)
    return load_file(path)["latents"]


class Preview:
    """Shows at each checkpoint how far the U-Net is: pictures of captions never trained on, judged.

    Parameters
    ----------
    parts : all but the U-Net trained
    judge : its verdicts go into the log
    folder : where the sheets go
    rounds : pictures of each kind
    """

    def __init__(self, parts: Parts, judge: Judge, folder: Path, rounds: int) -> None:
        self.parts, self.judge, self.folder = parts, judge, folder
        rng = np.random.default_rng(99)
        self.scenes = [scenes.sample_scene(rng, kind) for kind in rounds * scenes.KINDS]

    def guided(self, unet: nn.Module, steps: int) -> None:
        """Show what the teacher draws in eight steps under guidance."""
        made = pipeline(replace(self.parts, unet=unet), models.scheduler())
        self.show(f"diffusion-{steps:06}", made, sampling.Recipe(8, stage_distillation.GUIDANCE))

    def in_few_steps(self, unet: nn.Module, steps: int) -> None:
        """Show what the distilled U-Net draws; leave a folder that others can already use."""
        parts = replace(self.parts, unet=unet)
        export(parts, self.folder / "pipeline")
        for few in (4, 1):
            self.show(f"distillation-{steps:06}-{few}", pipeline(parts), sampling.Recipe(few))

    def show(self, name: str, made: StableDiffusionPipeline, recipe: sampling.Recipe) -> None:
        """Write a sheet of pictures; log the judge's scores."""
        captions = [scenes.caption(scene) for scene in self.scenes]
        under = sampling.conditioning(made.tokenizer, made.text_encoder, captions)
        pictures = sampling.decoded(made.vae, sampling.denoised(made, under, recipe))
        scores = score.agreement(self.judge, self.scenes, pictures)
        log.info("%s: %s", name, " ".join(f"{key} {value:.2f}" for key, value in scores.items()))
        rows = 2 * torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - 1
        batches.sheet(rows.split(len(scenes.KINDS))[:4], self.folder / f"{name}.png")


if __name__ == "__main__":
    main()
