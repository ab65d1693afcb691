"""Captions -> conditionings c, and c -> what the denoising network takes of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BATCH = 32


class TextTower:
    """One text encoder, as Stable Diffusion 1.x and 2.x have it. c: its last hidden states.

    It draws nothing, so it waits on the CPU and goes to the device only to encode.

    Attributes
    ----------
    conditioning : (int, int)
        Shape of c: (tokens, features).
    """

    def __init__(self, pipeline: Any, device: torch.device) -> None:
        self._encoders = [(pipeline.tokenizer, pipeline.text_encoder)]
        self._device = device
        self.conditioning = (
            int(pipeline.tokenizer.model_max_length),
            int(pipeline.text_encoder.config.hidden_size),
        )
        for _, encoder in self._encoders:
            encoder.to("cpu", torch.float32).eval().requires_grad_(False)

    @torch.inference_mode()
    def encode(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Conditionings (n, *conditioning), always in float32."""
        for _, encoder in self._encoders:
            encoder.to(self._device)
        parts = [list(captions[n : n + _BATCH]) for n in range(0, len(captions), _BATCH)]
        rows = [self._encoded(part).cpu().numpy() for part in parts]
        for _, encoder in self._encoders:
            encoder.to("cpu")
        return np.concatenate(rows)

    def empty(self) -> NDArray[np.float32]:
        """The conditioning of no caption, (*conditioning), for guidance."""
        return self.encode([""])[0]

    def inputs(self, c: Tensor) -> dict[str, Any]:
        """What a U-Net takes of c (batch, *conditioning)."""
        return {"encoder_hidden_states": c}

    def _encoded(self, captions: list[str]) -> Tensor:
        tokenizer, encoder = self._encoders[0]
        states: Tensor = encoder(self._tokens(tokenizer, captions)).last_hidden_state
        return states.float()

    def _tokens(self, tokenizer: Any, captions: list[str]) -> Tensor:
        tokens = tokenizer(
            captions,
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        ids: Tensor = tokens.input_ids.to(self._device)
        return ids


class TwoTextTowers(TextTower):
    """The two text encoders of Stable Diffusion XL.

    c: the last but one hidden states of both, side by side, and beneath them one more row with the
    second encoder's pooled embedding, filled up with zeros. So c remains one array that decoders
    predict, and nothing of what the U-Net takes is missing.
    """

    def __init__(self, pipeline: Any, device: torch.device, size_px: int) -> None:
        super().__init__(pipeline, device)
        second = pipeline.text_encoder_2.to("cpu", torch.float32).eval().requires_grad_(False)
        self._encoders.append((pipeline.tokenizer_2, second))
        tokens, features = self.conditioning
        self.conditioning = (tokens + 1, features + int(second.config.hidden_size))
        self._pooled = int(second.config.projection_dim)
        # original size, crop, target size: a whole picture of the size that is drawn
        self._sizes = torch.tensor([[size_px, size_px, 0, 0, size_px, size_px]], device=device)
        self._empty_is_zero = bool(pipeline.config.get("force_zeros_for_empty_prompt"))

    def empty(self) -> NDArray[np.float32]:
        """As above; this family takes zeros for no caption, if its configuration says so."""
        if self._empty_is_zero:
            return np.zeros(self.conditioning, np.float32)
        return super().empty()

    def inputs(self, c: Tensor) -> dict[str, Any]:
        """As above: hidden states, pooled embedding and sizes."""
        added = {
            "text_embeds": c[:, -1, : self._pooled],
            "time_ids": self._sizes.to(c.dtype).expand(len(c), -1),
        }
        return {"encoder_hidden_states": c[:, :-1], "added_cond_kwargs": added}

    def _encoded(self, captions: list[str]) -> Tensor:
        outputs = [
            encoder(self._tokens(tokenizer, captions), output_hidden_states=True)
            for tokenizer, encoder in self._encoders
        ]
        states = torch.cat([output.hidden_states[-2].float() for output in outputs], dim=-1)
        pooled = outputs[-1].text_embeds.float()  # (batch, pooled)
        row = torch.nn.functional.pad(pooled, (0, states.shape[-1] - self._pooled))
        return torch.cat([states, row[:, None]], dim=1)  # (batch, tokens + 1, features)


def text_of(pipeline: Any, device: torch.device, size_px: int) -> TextTower:
    """The text side of a pipeline."""
    if getattr(pipeline, "text_encoder_2", None) is not None:
        return TwoTextTowers(pipeline, device, size_px)
    return TextTower(pipeline, device)
