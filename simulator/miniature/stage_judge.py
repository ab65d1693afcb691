"""Stage: the judge, on true renders."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from simulator import scenes
from simulator.judge import Judge, JudgeNetwork
from simulator.miniature import batches
from simulator.miniature.data import Data
from simulator.miniature.trainer import Budget, Trainer

VALUES = {
    "kind": [*scenes.KINDS, scenes.NOISE],
    "colour": list(scenes.COLOURS),
    "place": list(scenes.PLACES),
    "position": list(scenes.POSITIONS),
}
BATCH = 64
NOT_SAID = -1


def train(data: Data, folder: Path, budget: Budget) -> Judge:
    """Train the judge; return it."""
    rng = np.random.default_rng(1)
    answers = {name: numbered(data, name) for name in VALUES}
    network = JudgeNetwork(VALUES)

    def loss(_share: float) -> Tensor:
        chosen = batches.drawn(data, BATCH, rng)
        pictures = batches.degraded(batches.images(data, chosen), rng).add(1).div(2)
        scores = network(pictures)[1]
        return sum(  # noise has no colour, place or position
            (
                functional.cross_entropy(scores[name], answers[name][chosen], ignore_index=NOT_SAID)
                for name in VALUES
            ),
            torch.zeros(()),
        )

    return Judge(Trainer("judge", folder, network, loss, budget, rate=3e-3).run())


def numbered(data: Data, name: str) -> Tensor:
    """Return each scene's value of the attribute as a class number, -1 where it has none."""
    numbers = {value: number for number, value in enumerate(VALUES[name])}
    return torch.tensor([numbers.get(value, NOT_SAID) for value in data.labels[name]])
