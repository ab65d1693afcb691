"""Train the faces' network from nothing: ``python -m simulator.faces.train OUT``.

The output holds the rendered faces, a checkpoint, a log and sample sheets per stage, and what the
package ships: ``model/`` and ``judge.safetensors``. Run again, it goes on where it stopped.
"""

import argparse
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import nn

from rtrecon.generators.adversarial import Plan, save
from rtrecon.generators.dcgan import edge_px
from simulator.faces import stage_judge
from simulator.faces.data import Data, rendered
from simulator.faces.duel import Critic, Duel
from simulator.faces.face import VOCABULARY
from simulator.faces.game import BATCH, CHANNELS, LATENT, Autoencoder, Game, uncertain
from simulator.miniature import batches
from simulator.miniature.trainer import Budget

_PLAN = Plan(
    LATENT, CHANNELS, edge_px(CHANNELS), VOCABULARY,
    about="Drawn faces (rtrecon, simulator/faces): a VAE-GAN trained on nothing else.",
    licence="BSD-3-Clause",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Train the judge and the network; finished stages are loaded."""
    options = _parsed(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    folder: Path = options.output
    data = rendered(folder / "faces", options.faces, workers=options.threads)
    judge, duel = (Budget(60 * m, options.steps, checkpoint_s=150.0) for m in options.minutes)
    stage_judge.train(data, folder, judge).save(folder / "judge.safetensors")
    train(data, folder, duel)


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulator.faces.train", description=__doc__)
    parser.add_argument("output", type=Path, metavar="OUT")
    parser.add_argument("--faces", type=int, default=24_576, help="faces to render")
    parser.add_argument(
        "--minutes", type=float, nargs=2, default=(4.0, 38.0), metavar=("JUDGE", "NETWORK")
    )
    parser.add_argument("--steps", type=float, default=float("inf"), help="of each stage at most")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(arguments)


def train(data: Data, folder: Path, budget: Budget) -> None:
    """Train the network; leave ``model/`` in the folder at each checkpoint."""
    module, critic = Autoencoder(), Critic(len(VOCABULARY)).to(memory_format=torch.channels_last)
    game = Game(data, module, critic)

    def show(average: nn.Module, steps: int) -> None:
        made = settled(average, data)
        sheet(made, data, folder / f"faces-{steps:06}.png")
        save(folder / "model", _PLAN, made.up, made.down)

    Duel("faces", folder, module, game.loss, budget, critic, game.answer, 1.5e-3, show).run()


@torch.no_grad()
def settled(average: nn.Module, data: Data, count: int = 60) -> Autoencoder:
    """A copy of the averaged weights with batch statistics of their own."""
    module: Autoencoder = deepcopy(average)
    for norm in _norms(module):
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
    rng = np.random.default_rng(3)
    module.train()
    for _ in range(count):
        true, words = data.batch(BATCH, rng)
        module.up(module.down(true)[0], words)
    return module.eval()


def _norms(module: nn.Module) -> Iterator[nn.BatchNorm1d | nn.BatchNorm2d]:
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            yield layer


@torch.no_grad()
def sheet(module: Autoencoder, data: Data, path: Path) -> None:
    """Faces, what is made of them, the same from uncertain codes, and imagined ones."""
    true, words = data.batch(BATCH, np.random.default_rng(4))
    z = module.down(true)[0]
    rows = [true, module.up(z, words), module.up(*uncertain(z, words))]
    shown = [row[:16:2] for row in rows] + [row[1:16:2] for row in rows]
    imagined = module.up(torch.randn(8, LATENT), words[:8])
    batches.sheet([row.contiguous() for row in (*shown, imagined)], path)


if __name__ == "__main__":
    main()
