"""One training loop for all stages: a time budget, checkpoints, sample sheets, a log."""

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

WARM_UP = 0.02
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Budget:
    """How long a stage trains: whichever of the two ends first.

    seconds : of training, summed over interruptions
    steps : optimiser steps
    checkpoint_s : training time between checkpoints
    log_steps : steps averaged in a line of the log
    """

    seconds: float = math.inf
    steps: float = math.inf
    checkpoint_s: float = 120.0
    log_steps: int = 10

    def share(self, seconds: float, steps: int) -> float:
        """Return the share of the budget used, 0 to 1."""
        return min(1.0, max(seconds / self.seconds, steps / self.steps))


class Trainer:
    """Trains a module in place of its exponential average, resuming where it stopped.

    Parameters
    ----------
    name : names the checkpoint ``NAME.pt`` and the log ``NAME.jsonl`` in ``folder``
    module : all that is trained; parameters that need no gradient stay as they are
    loss : share of the budget used (0 to 1) -> loss of a new batch, a scalar with gradient
    sheet : called with the averaged module and the number of steps at each checkpoint
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        module: nn.Module,
        loss: Callable[[float], Tensor],
        budget: Budget,
        rate: float = 1e-3,
        average: float = 0.995,
        sheet: Callable[[nn.Module, int], None] | None = None,
    ) -> None:
        self.name, self.folder, self.module = name, folder, module
        self.loss, self.budget, self.sheet = loss, budget, sheet
        self.rate = rate
        self.average = AveragedModel(module, multi_avg_fn=averaging(average))
        trained = [value for value in module.parameters() if value.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained, lr=rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        self.seconds, self.steps = 0.0, 0
        if self.checkpoint.exists():
            self.resume(torch.load(self.checkpoint, weights_only=True))

    @property
    def checkpoint(self) -> Path:
        """Where the stage is kept."""
        return self.folder / f"{self.name}.pt"

    @property
    def share(self) -> float:
        """The share of the budget used."""
        return self.budget.share(self.seconds, self.steps)

    def run(self) -> nn.Module:
        """Train until the budget is used; return the averaged module."""
        saved = self.seconds
        self.module.train()
        with tqdm(desc=self.name, initial=self.steps, unit="step") as bar:
            for losses in self.rounds():
                bar.update(len(losses))
                bar.set_postfix(loss=f"{losses[-1]:.4f}", done=f"{self.share:.0%}")
                self.log(sum(losses) / len(losses))
                if self.seconds - saved > self.budget.checkpoint_s:
                    saved = self.seconds
                    self.save()
        self.save()
        return self.average.module.eval()

    def rounds(self) -> Iterator[list[float]]:
        """Train a few steps at a time; yield their losses."""
        while self.share < 1:
            losses: list[float] = []
            while len(losses) < self.budget.log_steps and self.share < 1:
                start = time.perf_counter()
                losses.append(self.step())
                self.steps += 1
                self.seconds += time.perf_counter() - start
            yield losses

    def step(self) -> float:
        """Take one optimiser step; return its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * rate_factor(self.share)
        loss = self.loss(self.share)
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_parameters(self.module)
        return loss.item()

    def log(self, loss: float) -> None:
        """Append a line to the log."""
        line = {"step": self.steps, "seconds": round(self.seconds, 1), "loss": round(loss, 5)}
        with (self.folder / f"{self.name}.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def save(self) -> None:
        """Write the checkpoint whole: a run that is killed here keeps the previous one."""
        beside = self.checkpoint.with_suffix(".new")
        torch.save(self.progress(), beside)
        os.replace(beside, self.checkpoint)
        if self.sheet is not None:
            self.sheet(self.average.module.eval(), self.steps)

    def progress(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "module": self.module.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "seconds": self.seconds,
            "steps": self.steps,
        }

    def resume(self, progress: dict[str, Any]) -> None:
        """Go on from what a checkpoint holds."""
        self.module.load_state_dict(progress["module"])
        self.average.load_state_dict(progress["average"])
        self.optimizer.load_state_dict(progress["optimizer"])
        self.seconds, self.steps = progress["seconds"], progress["steps"]


def averaging(longest: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    """Average exponentially, over few steps at first: early weights are worth little."""

    def update(averages: list[Tensor], values: list[Tensor], count: Tensor | int) -> None:
        decay = min(longest, (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(decay)(averages, values, count)

    return update


def rate_factor(share: float) -> float:
    """Warm up over the first two percent, then half a cosine down to two percent."""
    if share < WARM_UP:
        return max(0.05, share / WARM_UP)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share))
