"""Captions of the rendered scenes as token ids, and captions that are nearly right."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from simulator import scenes
from simulator.miniature import models
from simulator.miniature.data import ATTRIBUTES, Data

VALUES: dict[str, list[str]] = {
    "kind": [*scenes.KINDS, scenes.NOISE],
    "colour": list(scenes.COLOURS),
    "place": list(scenes.PLACES),
    "time": list(scenes.TIMES),
    "size": list(scenes.SIZES),
    "position": list(scenes.POSITIONS),
}
NOT_SAID = -1
_CHUNK = 8192


def token_ids(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Return token ids (n, 28)."""
    return tokenizer(
        captions,
        padding="max_length",
        max_length=models.TEXT_TOKENS,
        truncation=True,
        return_tensors="pt",
    ).input_ids


def all_ids(tokenizer: CLIPTokenizer, data: Data) -> Tensor:
    """Return token ids (n, wordings, 28) of all scenes."""
    flat = [caption for wordings in data.captions for caption in wordings]
    parts = [flat[start : start + _CHUNK] for start in range(0, len(flat), _CHUNK)]
    ids = torch.cat([token_ids(tokenizer, part) for part in parts])
    return ids.unflatten(0, (len(data), -1))


def answers(data: Data, name: str) -> Tensor:
    """Return each scene's value of an attribute as a class number (n,), -1 where it has none."""
    numbers = {value: number for number, value in enumerate(VALUES[name])}
    return torch.tensor([numbers.get(value, NOT_SAID) for value in data.labels[name]])


def nearly_right(data: Data, number: int, rng: np.random.Generator) -> str:
    """Return a caption of a scene that is right but for one attribute."""
    labels = {name: data.labels[name][number] for name in ATTRIBUTES}
    scene = scenes.Scene(**labels, flip=False, seed=0)
    if scene.kind == scenes.NOISE:
        return scenes.caption(scenes.sample_scene(rng), rng)
    name = ATTRIBUTES[rng.integers(len(ATTRIBUTES))]
    others = [value for value in VALUES[name] if value not in (labels[name], scenes.NOISE)]
    return scenes.caption(altered(scene, name, others[rng.integers(len(others))]), rng)


def altered(scene: scenes.Scene, name: str, value: str) -> scenes.Scene:
    """Return the scene with another value of one attribute."""
    changes: dict[str, Any] = {name: value}
    return replace(scene, **changes)
