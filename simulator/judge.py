"""A judge of pictures: which kind, colour, place and position do they show?

A small classifier trained on true renders only. It has never seen an output of the generative
model, nor has the model been trained against it, so its verdict on reconstructions is independent.
Do not trust it alone: it accepts blobs of the right colours that no person would recognise.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("judge.safetensors")
FEATURES = 128
_CHANNELS = (3, 24, 48, 80, 112, 144)
_BATCH = 64


class JudgeNetwork(nn.Module):
    """Images (batch, 3, 128, 128) in 0..1 -> features (batch, 128) -> scores per attribute.

    Parameters
    ----------
    values : per attribute the values it tells apart
    """

    def __init__(self, values: dict[str, list[str]]) -> None:
        super().__init__()
        self.values = values
        self.blocks = nn.Sequential(*(_halving(*pair) for pair in pairwise(_CHANNELS)))
        # The four columns stay apart, so that left and right can be told.
        self.features = nn.Sequential(nn.Linear(4 * _CHANNELS[-1], FEATURES), nn.ReLU())
        self.heads = nn.ModuleDict(
            {name: nn.Linear(FEATURES, len(choices)) for name, choices in values.items()}
        )

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return features (batch, 128) and per attribute scores (batch, values)."""
        columns = self.blocks(images - 0.5).mean(dim=2)  # (batch, 144, 4)
        features = self.features(columns.flatten(1))
        return features, {name: head(features) for name, head in self.heads.items()}


def _halving(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(),
    )


class Judge:
    """Tells what pictures show.

    Parameters
    ----------
    network : trained, with its batch statistics frozen
    """

    def __init__(self, network: JudgeNetwork) -> None:
        self.network = network.eval().float()

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Judge:
        """Return the judge kept in a safetensors file, the shipped one by default."""
        with safe_open(path, "pt") as file:
            network = JudgeNetwork(json.loads(file.metadata()["values"]))
        network.load_state_dict(load_file(path))
        return cls(network)

    def save(self, path: Path = WEIGHTS) -> None:
        """Write the judge in half precision."""
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor
            for name, tensor in self.network.state_dict().items()
        }
        save_file(tensors, path, {"values": json.dumps(self.network.values)})

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return features (n, 128) of images (n, 128, 128, 3), to compare pictures by."""
        return torch.cat([features for features, _ in self._outputs(images)]).numpy()

    def classify(self, images: NDArray[np.uint8]) -> dict[str, list[str]]:
        """Return for images (n, 128, 128, 3) the likeliest value of each attribute.

        Attributes are kind (12 kinds and noise), colour, place and position.
        """
        scores = [scores for _, scores in self._outputs(images)]
        return {
            name: [choices[int(best)] for part in scores for best in part[name].argmax(dim=1)]
            for name, choices in self.network.values.items()
        }

    def _outputs(self, images: NDArray[np.uint8]) -> list[tuple[Tensor, dict[str, Tensor]]]:
        with torch.inference_mode():
            if images.dtype != np.uint8 or images.shape[1:] != (128, 128, 3):
                raise ValueError(
                    "the judge takes uint8 images (n, 128, 128, 3), "
                    f"got {images.dtype} {images.shape}"
                )
            parts = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
            return [self.network(as_tensor(part)) for part in parts]


def as_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Images (n, 128, 128, 3) in 0..255 -> (n, 3, 128, 128) in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float().div(255)
