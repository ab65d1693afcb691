"""Stage: the judge of faces, on true renders."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from simulator.faces.data import Data
from simulator.faces.face import (
    CLOTHES,
    DYED_HAIRS,
    HAIRS,
    KINDS,
    MOUTHS,
    OLD_HAIRS,
    PLACES,
    SKINS,
    VOCABULARY,
)
from simulator.judge import Judge, JudgeNetwork
from simulator.miniature import batches
from simulator.miniature.trainer import Budget, Trainer

ASKED = {
    "kind": KINDS, "skin": SKINS, "hair": (*HAIRS, *OLD_HAIRS, *DYED_HAIRS), "mouth": MOUTHS,
    "clothes": CLOTHES, "place": PLACES,
}  # fmt: skip
BATCH = 64


def train(data: Data, folder: Path, budget: Budget) -> Judge:
    """Train the judge; return it."""
    rng = np.random.default_rng(1)
    columns = {
        name: [VOCABULARY.index(value) for value in values] for name, values in ASKED.items()
    }
    network = JudgeNetwork({name: list(values) for name, values in ASKED.items()})

    def loss(_share: float) -> Tensor:
        true, words = data.batch(BATCH, rng)
        scores = network(batches.degraded(true, rng).add(1).div(2))[1]
        return sum(
            (cross_entropy(scores[name], words[:, columns[name]].argmax(1)) for name in ASKED),
            torch.zeros(()),
        )

    return Judge(Trainer("judge", folder, network, loss, budget, rate=3e-3).run())
