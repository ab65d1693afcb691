"""Known models: where their weights are and how they draw best. Data alone; nothing is loaded here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rtrecon.config import Settings


@dataclass(frozen=True)
class Preset:
    """A text-to-image model as diffusers keeps it, and how this program uses it.

    Attributes
    ----------
    repository : str
        Hub id or folder.
    licence : str
        What a user should know before publishing with it; empty where unknown.
    settings : Settings or None
        What it draws best with; None: judged by its scheduler.
    variant : str
        "fp16" where the half-precision files are wanted, if they are there.
    lora : (str, str) or None
        Hub id and file of weights that are fused into the U-Net.
    scheduler : str
        Class in diffusers that takes the place of the repository's own; empty: its own.
    schedule : tuple of (str, value)
        What is changed in the scheduler's configuration.
    size_px : int or None
        Edge of its images; None: as the U-Net's configuration has it.
    latent_px : int or None
        Edge of the images whose latents are decoded; None: `size_px`. A smaller one is decoded,
        resized and encoded again before it is noised.
    fast_decoder : str
        Hub id or folder of the `AutoencoderTiny` for its latents; empty: none is known.
    """

    repository: str
    licence: str = ""
    settings: Settings | None = None
    variant: str = ""
    lora: tuple[str, str] | None = None
    scheduler: str = ""
    schedule: tuple[tuple[str, Any], ...] = ()
    size_px: int | None = None
    latent_px: int | None = None
    fast_decoder: str = ""

    @property
    def repositories(self) -> list[str]:
        """Everything that has to be on the machine, the optional decoder last."""
        lora = [self.lora[0]] if self.lora else []
        return [self.repository, *lora, *filter(None, [self.fast_decoder])]


_SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
_OPEN = "OpenRAIL-M: any use but the harmful ones that it lists"
_STABILITY = "Stability AI Community License: research, and commerce below a turnover it names"
_DDIM = (("clip_sample", False),)  # the class clips by default, which is for models of pixels
_TAESD, _TAESDXL = "madebyollin/taesd", "madebyollin/taesdxl"
# Without guidance, which the distilled models have in their weights. A distilled model knows four
# noise levels, so that three of four steps are strength 0.75.
_DISTILLED = Settings(steps=3, strength=0.75, guidance=1.0)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        # Luo et al. 2023, "LCM-LoRA". Recommended for its licence.
        "sd15-lcm": Preset(
            _SD15, _OPEN, Settings(steps=4, strength=0.75, guidance=1.0),
            lora=("latent-consistency/lcm-lora-sdv1-5", "pytorch_lora_weights.safetensors"),
            scheduler="LCMScheduler", fast_decoder=_TAESD,
        ),
        # Ren et al. 2024, "Hyper-SD": the four-step weights want DDIM and trailing timesteps.
        "sd15-hyper": Preset(
            _SD15, _OPEN, _DISTILLED,
            lora=("ByteDance/Hyper-SD", "Hyper-SD15-4steps-lora.safetensors"),
            scheduler="DDIMScheduler",
            schedule=(*_DDIM, ("timestep_spacing", "trailing")), fast_decoder=_TAESD,
        ),
        # Sauer et al. 2023, "Adversarial diffusion distillation".
        "sd-turbo": Preset(
            "stabilityai/sd-turbo", _STABILITY, _DISTILLED, variant="fp16", size_px=512,
            fast_decoder=_TAESD,
        ),
        "sdxl-turbo": Preset(
            "stabilityai/sdxl-turbo", _STABILITY, _DISTILLED, variant="fp16", size_px=512,
            fast_decoder=_TAESDXL,
        ),
        # Takagi & Nishimoto, CVPR 2023, as their code has it.
        "takagi2023": Preset(
            "CompVis/stable-diffusion-v1-4", _OPEN,
            Settings(
                steps=40, strength=0.8, by_evidence=False, guidance=5.0, samples=5, preview=False
            ),
            scheduler="DDIMScheduler", schedule=_DDIM, size_px=512, latent_px=320, fast_decoder=_TAESD,
        ),
    }
)  # fmt: skip
