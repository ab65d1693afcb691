"""The networks that the field compares pictures by, from weights that lie on this machine.

Nothing is downloaded: a network whose weights are not in the local cache is left out, and why is
told. torchvision's files are only read where their name's hash fits, and as bare tensors: nothing
in them is executed.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.metrics import Features, Pictures
from rtrecon.errors import BadInput

_BATCH = 16
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and SD of R, G, B
CLIP = "openai/clip-vit-large-patch14"


@dataclass(frozen=True)
class Network:
    """One network of torchvision.

    Attributes
    ----------
    builder : str
        Its function in `torchvision.models`.
    weights : str
        File in `checkpoints` of torch's hub cache; hexadecimal digits before the suffix are its
        SHA-256's.
    size_px : int
        Edge that pictures are resized to.
    layers : mapping
        Name of the metric to the module whose output is taken.
    """

    builder: str
    weights: str
    size_px: int
    layers: Mapping[str, str]


NETWORKS = (
    Network(
        "alexnet", "alexnet-owt-7be5be79.pth", 256,
        {"alexnet2": "features.4", "alexnet5": "features.11"},
    ),
    Network("inception_v3", "inception_v3_google-0cc3c7bd.pth", 342, {"inception": "avgpool"}),
    Network("efficientnet_b1", "efficientnet_b1-c27df63c.pth", 255, {"effnet": "avgpool"}),
    Network("resnet50", "swav_800ep_pretrain.pth.tar", 224, {"swav": "avgpool"}),
)  # fmt: skip
DISTANCES = frozenset({"effnet", "swav"})
"""Metrics that are mean correlation distances; the others are two-way identifications."""


def local_networks() -> tuple[dict[str, Features], dict[str, str]]:
    """The metrics whose network is here, and of each other one why it is left out."""
    found: dict[str, Features] = {}
    absent: dict[str, str] = {}
    for network in NETWORKS:
        try:
            model = load_network(network, cache() / network.weights)
        except (ImportError, RuntimeError, BadInput) as error:
            absent |= dict.fromkeys(network.layers, str(error))
            continue
        for name, layer in network.layers.items():
            found[name] = LayerFeatures(model, layer, network.size_px)
    try:
        found["clip"] = _clip()
    except (ImportError, OSError) as error:
        absent["clip"] = f"{CLIP} is not in the local cache ({str(error).splitlines()[0]})"
    return found, absent


def cache() -> Path:
    """Where torch keeps checkpoints."""
    home = os.environ.get("TORCH_HOME")
    general = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return (Path(home) if home else general / "torch") / "hub" / "checkpoints"


def load_network(network: Network, file: Path) -> Any:
    """A torchvision network with the weights of a file.

    Raises
    ------
    ImportError
        torchvision is not installed.
    BadInput
        No such file, another than its name says, or weights of another network.
    """
    if not file.is_file():
        raise BadInput(f"{file} is not there: put torchvision's file of that name there")
    digits = file.name.split(".")[0].rpartition("-")[2]
    if digits != file.name.split(".")[0]:
        with file.open("rb") as opened:
            if not hashlib.file_digest(opened, "sha256").hexdigest().startswith(digits):
                raise BadInput(f"{file} is damaged (its hash differs): fetch it anew")
    import torch
    from torchvision import models

    options = (
        {"init_weights": False, "transform_input": True}
        if network.builder == "inception_v3"
        else {}
    )
    model = getattr(models, network.builder)(weights=None, **options)
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        own = model.state_dict()
        plain = {key.removeprefix("module."): value for key, value in state.items()}
        kept = {key: value for key, value in plain.items() if key in own}
        missing = [key for key in own if key not in kept and not key.startswith("fc.")]
        if missing:
            raise BadInput(f"{file} has no {missing[0]}: it is not of {network.builder}")
        model.load_state_dict(kept, strict=False)
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        raise BadInput(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    return model.eval()


class LayerFeatures:
    """Pictures -> what one module of a network gives for them.

    Parameters
    ----------
    model : torch.nn.Module
        Takes float (batch, 3, size_px, size_px), normalised as for ImageNet.
    layer : str
    size_px : int
    """

    def __init__(self, model: Any, layer: str, size_px: int) -> None:
        self._model, self._layer, self._size_px = model, layer, size_px

    def __call__(self, pictures: Pictures) -> NDArray[np.float32]:
        """Features (n, n_features) of pictures (n, height, width, 3)."""
        taken: list[NDArray[np.float32]] = []
        hook = self._model.get_submodule(self._layer).register_forward_hook(
            lambda _module, _inputs, output: taken.append(output.flatten(1).numpy())
        )
        try:
            _in_batches(self._model, pictures, self._size_px, *IMAGENET)
        finally:
            hook.remove()
        return np.concatenate(taken)


def _in_batches(
    model: Callable[[Any], Any],
    pictures: Pictures,
    size_px: int,
    mean: tuple[float, ...],
    sd: tuple[float, ...],
    how: str = "bilinear",
) -> list[Any]:
    import torch

    outputs = []
    with torch.inference_mode():
        for start in range(0, len(pictures), _BATCH):
            part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _BATCH]))
            scaled = part.permute(0, 3, 1, 2).float() / 255  # (batch, 3, height, width)
            small = torch.nn.functional.interpolate(
                scaled, (size_px, size_px), mode=how, antialias=True, align_corners=False
            )
            centre, spread = (torch.tensor(x)[:, None, None] for x in (mean, sd))
            outputs.append(model((small - centre) / spread))
    return outputs


def _clip() -> Features:
    """CLIP ViT-L/14's projected picture embedding."""
    from transformers import CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection.from_pretrained(
        CLIP, local_files_only=True, use_safetensors=True
    ).eval()
    mean, sd = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

    def features(pictures: Pictures) -> NDArray[np.float32]:
        parts = _in_batches(
            lambda x: model(pixel_values=x).image_embeds, pictures, 224, mean, sd, "bicubic"
        )
        return np.concatenate([part.numpy() for part in parts])

    return features
