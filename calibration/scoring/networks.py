"""The networks that the field compares pictures by, from weights that lie on this machine.

Nothing is downloaded and nothing but safetensors is read: a network whose weights are not in the
local cache is left out, and why is told. docs/metrics.md says how torchvision's get there.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.scoring.metrics import Features, Pictures
from rtrecon.errors import BadInput
from rtrecon.generators import find_generator

_BATCH = 16
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and SD of R, G, B
CLIP = "openai/clip-vit-large-patch14"
OWN_CLIP = "miniature"  # the generator whose image tower is always at hand


@dataclass(frozen=True)
class Network:
    """One network of torchvision.

    Attributes
    ----------
    builder : str
        Its function in `torchvision.models`.
    weights : str
        File in `checkpoints` of torch's hub cache, without its ending.
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
        "alexnet", "alexnet-owt-7be5be79", 256,
        {"alexnet2": "features.4", "alexnet5": "features.11"},
    ),
    Network("inception_v3", "inception_v3_google-0cc3c7bd", 342, {"inception": "avgpool"}),
    Network("efficientnet_b1", "efficientnet_b1-c27df63c", 255, {"effnet": "avgpool"}),
    Network("resnet50", "swav_800ep_pretrain", 224, {"swav": "avgpool"}),
)  # fmt: skip
DISTANCES = frozenset({"effnet", "swav"})
"""Metrics that are mean correlation distances; the others are two-way identifications."""


def local_networks() -> tuple[dict[str, Features], dict[str, str]]:
    """The metrics whose network is here, and of each other one why it is left out."""
    found: dict[str, Features] = {
        "miniature_clip": ClipFeatures(find_generator(OWN_CLIP).repository)
    }
    absent: dict[str, str] = {}
    for network in NETWORKS:
        try:
            model = load_network(network, cache() / f"{network.weights}.safetensors")
        except (ImportError, BadInput) as error:
            absent |= dict.fromkeys(network.layers, str(error))
            continue
        for name, layer in network.layers.items():
            found[name] = LayerFeatures(model, layer, network.size_px)
    try:
        found["clip"] = ClipFeatures(CLIP)
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
        No such file, a damaged one, or weights of another network.
    """
    if not file.is_file():
        raise BadInput(f"{file} is not there: docs/metrics.md says how to make it")
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from torchvision import models

    options = (
        {"init_weights": False, "transform_input": True}
        if network.builder == "inception_v3"
        else {}
    )
    model = getattr(models, network.builder)(weights=None, **options)
    try:
        state = load_file(file)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{file} cannot be read ({error}): make it anew") from error
    own = model.state_dict()
    # SwAV's has no last layer of its own and another one's prototypes instead.
    missing = [key for key in own if key not in state and not key.startswith("fc.")]
    missing += [key for key in own if key in state and state[key].shape != own[key].shape]
    if missing:
        raise BadInput(f"{file} has no {missing[0]} that fits: it is not of {network.builder}")
    model.load_state_dict({key: state[key] for key in own if key in state}, strict=False)
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
        import torch

        hook = self._model.get_submodule(self._layer).register_forward_hook(
            lambda _module, _inputs, output: taken.append(output.flatten(1).numpy())
        )
        try:
            with torch.inference_mode():
                for part in _batches(pictures):
                    self._model(self._prepared(part))
        finally:
            hook.remove()
        return np.concatenate(taken)

    def _prepared(self, pictures: Pictures) -> Any:
        import torch

        scaled = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        size = (self._size_px, self._size_px)
        small = torch.nn.functional.interpolate(scaled, size, mode="bilinear", antialias=True)
        mean, sd = (torch.tensor(x)[:, None, None] for x in IMAGENET)
        return (small - mean) / sd


class ClipFeatures:
    """Pictures -> CLIP's projected picture embedding.

    Parameters
    ----------
    source : str
        Hub id, or the folder of a pipeline that has `image_encoder` and `feature_extractor`.

    Raises
    ------
    OSError
        It is not on this machine.
    """

    def __init__(self, source: str) -> None:
        from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

        inside = (Path(source) / "image_encoder").is_dir()
        tower, processor = ("image_encoder", "feature_extractor") if inside else ("", "")
        self._process = CLIPImageProcessor.from_pretrained(
            source, subfolder=processor, local_files_only=True
        )
        model = CLIPVisionModelWithProjection.from_pretrained(
            source, subfolder=tower, local_files_only=True, use_safetensors=True
        )
        self._model = model.float().eval()

    def __call__(self, pictures: Pictures) -> NDArray[np.float32]:
        """Features (n, n_features) of pictures (n, height, width, 3)."""
        import torch

        embedded = []
        with torch.inference_mode():
            for part in _batches(pictures):
                prepared = self._process(list(part), return_tensors="pt")
                embedded.append(self._model(**prepared).image_embeds.numpy())
        return np.concatenate(embedded)


def _batches(pictures: Pictures) -> Iterator[Pictures]:
    for start in range(0, len(pictures), _BATCH):
        yield np.ascontiguousarray(pictures[start : start + _BATCH])
