"""Stage: text and image encoder, drawn together.

Each picture has to find its caption among those of the batch and among captions of itself with one
word wrong (another kind, colour, place ...), and each caption its picture. The attributes can also
be read from both by the same linear readings, which brings both into one space sooner.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from simulator.miniature import batches, models
from simulator.miniature.captions import (
    NOT_SAID,
    VALUES,
    all_ids,
    answers,
    nearly_right,
    token_ids,
)
from simulator.miniature.data import Data
from simulator.miniature.parts import Parts
from simulator.miniature.trainer import Budget, Trainer

BATCH = 96
WRONG = 2
READINGS = 0.5


class Towers(nn.Module):
    """Both encoders, the temperature of their comparison and the readings of attributes."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.text_encoder = parts.text_encoder
        self.image_encoder = parts.image_encoder
        self.log_scale = nn.Parameter(torch.tensor(2.5))
        self.readings = nn.ModuleDict(
            {name: nn.Linear(models.TEXT_DIM, len(values)) for name, values in VALUES.items()}
        )

    def texts(self, ids: Tensor) -> Tensor:
        """Return embeddings (n, 192) of unit length of token ids (n, 28)."""
        return functional.normalize(self.text_encoder(ids).pooler_output, dim=1)

    def images(self, pictures: Tensor) -> Tensor:
        """Return embeddings (n, 192) of unit length of pictures (n, 3, 128, 128)."""
        return functional.normalize(self.image_encoder(pictures).image_embeds, dim=1)

    def contrast(self, images: Tensor, texts: Tensor, wrong: Tensor) -> Tensor:
        """Return the loss of finding each other; wrong texts are (n, several, 192)."""
        scale = self.log_scale.clamp(max=4.6).exp()
        across = scale * images @ texts.T
        own = scale * torch.einsum("nd,nwd->nw", images, wrong)
        right = torch.arange(len(images))
        found = functional.cross_entropy(torch.cat([across, own], dim=1), right)
        return (found + functional.cross_entropy(across.T, right)) / 2

    def read(self, embedded: Tensor, right: dict[str, Tensor]) -> Tensor:
        """Return the loss of reading the attributes from embeddings; noise has only a kind."""
        scale = self.log_scale.clamp(max=4.6).exp()
        losses = [
            functional.cross_entropy(scale * reading(embedded), right[name], ignore_index=NOT_SAID)
            for name, reading in self.readings.items()
        ]
        return torch.stack(losses).mean()


def train(data: Data, folder: Path, parts: Parts, budget: Budget) -> Towers:
    """Train both encoders; return them averaged over the last steps."""
    rng = np.random.default_rng(4)
    towers = Towers(parts)
    ids = all_ids(parts.tokenizer, data)
    right = {name: answers(data, name) for name in VALUES}

    def loss(_share: float) -> Tensor:
        chosen = batches.drawn(data, BATCH, rng)
        pictures = batches.degraded(batches.images(data, chosen), rng)
        numbers = torch.from_numpy(chosen)
        wording = torch.from_numpy(rng.integers(ids.shape[1], size=len(chosen)))
        wrong = [nearly_right(data, number, rng) for number in chosen for _ in range(WRONG)]
        every = torch.cat([ids[numbers, wording], token_ids(parts.tokenizer, wrong)])
        texts, images = towers.texts(every), towers.images(pictures)
        texts, wrong_texts = texts[: len(chosen)], texts[len(chosen) :].unflatten(0, (-1, WRONG))
        asked = {name: values[numbers] for name, values in right.items()}
        read = towers.read(images, asked) + towers.read(texts, asked)
        return towers.contrast(images, texts, wrong_texts) + READINGS * read

    return Trainer("towers", folder, towers, loss, budget, rate=1e-3, average=0.99).run()
