"""Batch normalisation for training only: ``AutoencoderTiny`` has none, and learns slowly so.

Folded into the convolutions afterwards, it leaves the class as diffusers knows it.
"""

from typing import TypeVar

from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

SHARE_OF_BRANCH = 0.3
Model = TypeVar("Model", bound=nn.Module)


def with_batch_norms(model: Model) -> Model:
    """Put a batch normalisation behind each convolution of the residual branches."""
    for block in blocks(model):
        layers: list[nn.Module] = []
        for layer in block.conv:
            layers.append(layer)
            if isinstance(layer, nn.Conv2d):
                layers.append(nn.BatchNorm2d(layer.out_channels))
        nn.init.constant_(layers[-1].weight, SHARE_OF_BRANCH)
        block.conv = nn.Sequential(*layers)
    return model


def folded(model: Model) -> Model:
    """Fold the batch normalisations away; the outputs stay the same."""
    model.eval()
    for block in blocks(model):
        layers = list(block.conv)
        block.conv = nn.Sequential(
            *(
                fuse_conv_bn_eval(layer, layers[number + 1])
                if isinstance(layer, nn.Conv2d)
                else layer
                for number, layer in enumerate(layers)
                if not isinstance(layer, nn.BatchNorm2d)
            )
        )
    return model


def blocks(model: nn.Module) -> list[AutoencoderTinyBlock]:
    """Return the residual blocks."""
    return [layer for layer in model.modules() if isinstance(layer, AutoencoderTinyBlock)]
