"""Stage: the judge, on true renders."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from simulator.judge import Judge, JudgeNetwork
from simulator.miniature import batches
from simulator.miniature.captions import NOT_SAID, VALUES, answers
from simulator.miniature.data import Data
from simulator.miniature.trainer import Budget, Trainer

ASKED = ("kind", "colour", "place", "position")
BATCH = 64


def train(data: Data, folder: Path, budget: Budget) -> Judge:
    """Train the judge; return it."""
    rng = np.random.default_rng(1)
    right = {name: answers(data, name) for name in ASKED}
    network = JudgeNetwork({name: VALUES[name] for name in ASKED})

    def loss(_share: float) -> Tensor:
        chosen = batches.drawn(data, BATCH, rng)
        pictures = batches.degraded(batches.images(data, chosen), rng).add(1).div(2)
        scores = network(pictures)[1]
        return sum(  # noise has no colour, place or position
            (
                functional.cross_entropy(scores[name], right[name][chosen], ignore_index=NOT_SAID)
                for name in ASKED
            ),
            torch.zeros(()),
        )

    return Judge(Trainer("judge", folder, network, loss, budget, rate=3e-3).run())
