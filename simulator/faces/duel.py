"""Adversarial training: a generator and a critic that learns to tell its pictures from true ones."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

from simulator.miniature.trainer import Budget, Trainer, rate_factor

_PATCH_PX = 4
_CHANNELS = (3 * _PATCH_PX**2, 80, 128, 160)


class Critic(nn.Module):
    """How true pictures look, given the words said of them (Miyato & Koyama 2018).

    Spectral normalisation keeps it smooth, so that the generator has a slope to climb.
    """

    def __init__(self, n_words: int, channels: Sequence[int] = _CHANNELS) -> None:
        super().__init__()
        layers = (nn.Conv2d(*pair, 4, stride=2, padding=1) for pair in pairwise(channels))
        self.layers = nn.ModuleList(spectral_norm(layer) for layer in layers)
        self.last = spectral_norm(nn.Conv2d(channels[-1], 256, 4))
        self.truth = spectral_norm(nn.Linear(256, 1))
        self.words = spectral_norm(nn.Linear(n_words, 256, bias=False))

    def forward(self, pictures: Tensor, words: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Pictures (n, 3, 128, 128), words (n, n_words) -> scores (n,) and maps on the way."""
        at, maps = nn.functional.pixel_unshuffle(pictures, _PATCH_PX), []
        for layer in self.layers:
            at = nn.functional.leaky_relu(layer(at), 0.2)
            maps.append(at)
        whole = nn.functional.leaky_relu(self.last(at).flatten(1), 0.2)  # (n, 256)
        fits = (self.words(words) * whole).sum(dim=1)
        return self.truth(whole)[:, 0] + fits, maps


class Duel(Trainer):
    """A trainer that lets an opponent take a step after each of the module's own.

    Parameters
    ----------
    opponent : trained with an optimiser of its own
    answer : the opponent's loss on what the module's last loss was of; None: it does not play yet
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        module: nn.Module,
        loss: Callable[[float], Tensor],
        budget: Budget,
        opponent: nn.Module,
        answer: Callable[[], Tensor | None],
        rate: float = 1e-3,
        sheet: Callable[[nn.Module, int], None] | None = None,
    ) -> None:
        self.opponent, self.answer = opponent, answer
        self.reply = torch.optim.Adam(opponent.parameters(), lr=rate, betas=(0.5, 0.99), fused=True)
        super().__init__(name, folder, module, loss, budget, rate, sheet=sheet)

    def step(self) -> float:
        """Take a step of the module, then one of its opponent; return the module's loss."""
        self.opponent.requires_grad_(False)
        loss = super().step()
        self.opponent.requires_grad_(True)
        answer = self.answer()
        if answer is not None:
            for group in self.reply.param_groups:
                group["lr"] = self.rate * rate_factor(self.share)
            answer.backward()
            self.reply.step()
            self.reply.zero_grad()
        return loss

    def progress(self) -> dict[str, Any]:
        """What a checkpoint holds: the opponent as well."""
        opponent = {"opponent": self.opponent.state_dict(), "reply": self.reply.state_dict()}
        return super().progress() | opponent

    def resume(self, progress: dict[str, Any]) -> None:
        """Go on from what a checkpoint holds."""
        super().resume(progress)
        self.opponent.load_state_dict(progress["opponent"])
        self.reply.load_state_dict(progress["reply"])


def hinge(true: Tensor, drawn: Tensor) -> Tensor:
    """The critic's loss from its scores of true and of drawn pictures."""
    return relu(1 - true).mean() + relu(1 + drawn).mean()
