"""Stage: the image encoder, drawn to the pooled captions of the trained text encoder."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from simulator.miniature import batches
from simulator.miniature.data import Data
from simulator.miniature.parts import Parts
from simulator.miniature.sampling import token_ids
from simulator.miniature.trainer import Budget, Trainer

BATCH = 96


class Contrast(nn.Module):
    """The image encoder and the temperature of its comparison with captions."""

    def __init__(self, encoder: CLIPVisionModelWithProjection) -> None:
        super().__init__()
        self.encoder = encoder
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def forward(self, pictures: Tensor, captions: Tensor) -> Tensor:
        """Return similarities (images, captions); captions are pooled and of unit length."""
        embedded = functional.normalize(self.encoder(pictures).image_embeds, dim=1)
        return self.log_scale.clamp(max=4.6).exp() * embedded @ captions.T


def train(
    data: Data,
    folder: Path,
    parts: Parts,
    budget: Budget,
) -> CLIPVisionModelWithProjection:
    """Train the image encoder; the text encoder stays as it is."""
    rng = np.random.default_rng(4)
    module = Contrast(parts.image_encoder)
    pooled = pooled_captions(data, parts.tokenizer, parts.text_encoder)

    def loss(_share: float) -> Tensor:
        chosen = batches.drawn(data, BATCH, rng)
        pictures = batches.degraded(batches.images(data, chosen), rng)
        wording = torch.from_numpy(rng.integers(pooled.shape[1], size=len(chosen)))
        similarity = module(pictures, pooled[torch.from_numpy(chosen), wording])
        answers = torch.arange(len(chosen))
        sides = (similarity, similarity.T)
        return sum((functional.cross_entropy(side, answers) / 2 for side in sides), torch.zeros(()))

    return Trainer("vision", folder, module, loss, budget).run().encoder


def pooled_captions(data: Data, tokenizer: CLIPTokenizer, encoder: CLIPTextModel) -> Tensor:
    """Return pooled embeddings (n, wordings, 192) of unit length."""
    with torch.no_grad():
        wordings = len(data.captions[0])
        flat = [caption for captions in data.captions for caption in captions]
        pooled = [
            encoder(token_ids(tokenizer, flat[start : start + 512])).pooler_output
            for start in range(0, len(flat), 512)
        ]
        return functional.normalize(torch.cat(pooled), dim=1).unflatten(0, (-1, wordings))
