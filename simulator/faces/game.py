"""What the autoencoder and its critic play for: their losses, each batch drawn anew."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from rtrecon.generators.dcgan import Down, Up
from simulator.faces.data import SIZE_PX, Data
from simulator.faces.duel import Critic, hinge
from simulator.faces.face import VOCABULARY

LATENT = 64
CHANNELS = (192, 160, 112, 64)
BATCH = 24
IMAGINED = 6  # pictures of codes that no picture has, in each batch
WARM_UP = 0.12  # share of the training before the critic plays
KL = 3e-5  # weight of the codes' information, per nat, against the mean absolute error
LIKENESS = 1.0  # weight of the critic's maps
TRUTH = 0.6  # the critic's pull on a picture against that of the error, when it begins to play
_BALANCED_STEPS = 10  # between two measurements of the pulls


class Autoencoder(nn.Module):
    """Encoder and generator, trained together."""

    def __init__(self) -> None:
        super().__init__()
        self.down = Down(LATENT, CHANNELS)
        self.up = Up(LATENT, len(VOCABULARY), CHANNELS)
        self.to(memory_format=torch.channels_last)


class Game:
    """The losses of both sides, each batch drawn anew.

    Half of the batch is drawn from codes and words as decoders give them, which are uncertain:
    the picture is then the likeliest one and not a mixture.
    """

    def __init__(self, data: Data, module: Autoencoder, critic: Critic) -> None:
        self.data, self.module, self.critic = data, module, critic
        self.rng, self.attention = np.random.default_rng(2), attention(SIZE_PX)
        self.weight, self.steps = 0.0, 0
        self.last: tuple[Tensor, ...] | None = None

    def loss(self, share: float) -> Tensor:
        """The autoencoder's: error, information and, after the warm-up, the critic's verdict."""
        true, words = self.data.batch(BATCH, self.rng)
        mean, log_variance = self.module.down(true)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        imagined, other = torch.randn(IMAGINED, LATENT), words[torch.randperm(BATCH)[:IMAGINED]]
        codes, said = uncertain(z, words)
        drawn = self.module.up(torch.cat([codes, imagined]), torch.cat([said, other]))
        error = (self.attention * (drawn[:BATCH] - true).abs()).mean()
        information = (mean**2 + log_variance.exp() - log_variance - 1).sum(dim=1).mean() / 2
        loss = error + KL * information
        self.last = None
        if share > WARM_UP:
            asked = torch.cat([words, other])
            # Less and less: a critic that pulls to the end leaves a grain in the pictures.
            loss = loss + self.verdict(true, drawn, asked, error, TRUTH * (1 - share))
            self.last = (true, words, drawn.detach(), asked)
        return loss

    def verdict(
        self, true: Tensor, drawn: Tensor, words: Tensor, error: Tensor, truth: float
    ) -> Tensor:
        """How unlike true pictures the critic finds them, weighed against the error."""
        scores, maps = self.critic(drawn, words)
        with torch.no_grad():
            true_maps = self.critic(true, words[:BATCH])[1]
        pairs = zip(maps, true_maps, strict=True)
        likeness = sum((l1_loss(ours[:BATCH], theirs) for ours, theirs in pairs), torch.zeros(()))
        if self.steps % _BALANCED_STEPS == 0:
            balance = pull(error, drawn) / (pull(-scores.mean(), drawn) + 1e-12)
            self.weight = 0.8 * self.weight + 0.2 * balance if self.weight else balance
        self.steps += 1
        return LIKENESS * likeness - truth * self.weight * scores.mean()

    def answer(self) -> Tensor | None:
        """The critic's loss on the pictures of the last batch."""
        if self.last is None:
            return None
        true, words, drawn, asked = self.last
        scores = self.critic(torch.cat([true, drawn]), torch.cat([words, asked]))[0]
        return hinge(scores[:BATCH], scores[BATCH:])


def attention(size_px: int) -> Tensor:
    """How much an error counts, (size_px, size_px), mean 1: most where eyes and mouth are."""
    at = (torch.arange(size_px) + 0.5) / size_px
    away = ((at - 0.5) ** 2 + (at[:, None] - 0.56) ** 2) / (2 * 0.15**2)
    weights = 1 + 3 * (-away).exp()
    return weights / weights.mean()


def uncertain(z: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """Every other code and its words as decoders give them: part truth, part something else."""
    half = torch.zeros(len(z), 1)
    half[::2] = 1
    kept = 1 - half * 0.55 * torch.rand(len(z), 1)
    mixed = kept * z + (1 - kept**2).sqrt() * torch.randn_like(z)
    return mixed, words + half * 0.4 * torch.rand(len(z), 1) * torch.randn_like(words)


def pull(loss: Tensor, pictures: Tensor) -> float:
    """Length of a loss's gradient on the pictures."""
    return float(torch.autograd.grad(loss, pictures, retain_graph=True)[0].norm())
