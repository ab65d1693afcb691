"""Settings -> the noise levels that one image passes through."""

import inspect
from typing import Any

import torch

from rtrecon.config import Settings
from rtrecon.errors import BadInput
from rtrecon.generators import Aim


class Schedule:
    """A diffusers scheduler, told for each image where to begin and how many steps to do.

    Timesteps stay on the CPU: a scheduler that looked them up on the GPU would make every step
    wait for it.
    """

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.known = scheduler.config.get("original_inference_steps")
        takes = inspect.signature(scheduler.step).parameters
        self._draws = "generator" in takes
        self._set = inspect.signature(scheduler.set_timesteps).parameters

    def begin(self, settings: Settings, aim: Aim) -> torch.Tensor:
        """The timesteps that are really done for an aim.

        `settings.steps` of them, as far as the model knows so many, from `settings.strength` on;
        from more noise where the aim is less reliable, and from noise alone where there is no z.

        Raises
        ------
        BadInput
            Strength and steps leave nothing to do.
        """
        strength = _strength(settings, aim)
        if self.known and "strength" in self._set:
            return self._of_known(settings.steps, strength)
        total = max(settings.steps, round(settings.steps / strength))
        trained = int(self.scheduler.config.num_train_timesteps)
        if total > trained:
            raise BadInput(
                f"{settings.steps} steps at strength {strength:g} would be the last of {total}, and this "
                f"model has {trained}: at least strength {settings.steps / trained:.3g}, or fewer steps"
            )
        self.scheduler.set_timesteps(total)
        return self._from((total - settings.steps) * self.scheduler.order)

    def _of_known(self, steps: int, strength: float) -> torch.Tensor:
        """A distilled model knows a few noise levels and no others."""
        known = int(self.known * strength)
        if known < 1:
            raise BadInput(
                f"strength {strength:g} leaves none of the {self.known} noise levels that this model "
                f"knows, so 0 steps: at least {1 / self.known:.2g}"
            )
        self.scheduler.set_timesteps(min(steps, known), strength=strength)
        return self._from(0)

    def _from(self, start: int) -> torch.Tensor:
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(start)
        timesteps: torch.Tensor = self.scheduler.timesteps[start:]
        return timesteps

    def step(
        self,
        predicted: torch.Tensor,
        t: torch.Tensor,
        latents: torch.Tensor,
        sources: list[torch.Generator],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The next latents, and the clean ones that they head for, where the scheduler says.

        A stochastic scheduler draws from the image's own sources, never from the global one.
        """
        drawing = {"generator": sources} if self._draws else {}
        stepped = self.scheduler.step(predicted, t, latents, **drawing)
        clean = getattr(stepped, "pred_original_sample", None)
        if clean is None:
            clean = getattr(stepped, "denoised", None)
        return stepped.prev_sample, stepped.prev_sample if clean is None else clean


def _strength(settings: Settings, aim: Aim) -> float:
    """How far along the whole process an aim is noised."""
    if aim.z is None:
        return 1.0
    unknown = 1 - aim.reliability if settings.by_evidence else 0.0
    return settings.strength + (1 - settings.strength) * unknown
