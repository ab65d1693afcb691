"""The autoencoder's layers next to the pixels, taken together as one convolution each.

``AutoencoderTiny`` has convolutions between the pixels and its first block, and between its last
block and the pixels, without an activation among them. One convolution with a stride gives the same
at a tenth of the cost, which halves the time of a training step. Only along the picture's border,
where each of the layers pads with zeros, the results differ a little.
"""

import torch
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock, DecoderTiny, EncoderTiny
from torch import Tensor, nn
from torch.nn import functional

LAYERS_IN = 3


def encoded(encoder: EncoderTiny, pictures: Tensor) -> Tensor:
    """Return what the encoder gives for pictures (batch, 3, 128, 128) in -1..1."""
    outer, inner = encoder.layers[:LAYERS_IN], encoder.layers[LAYERS_IN:]
    kernel = chained(chained(outer[0].weight, outer[1].weight, 1), outer[2].weight, 2)
    bias = outer[0].bias
    for layer in outer[1:]:
        bias = layer.weight.sum(dim=(2, 3)) @ bias
    taken = functional.conv2d(pictures.add(1).div(2), kernel, bias, stride=4, padding=4)
    return inner(taken)


def decoded(decoder: DecoderTiny, latents: Tensor) -> Tensor:
    """Return what the decoder gives for latents (batch, 32, 8, 8)."""
    inner, outer = split(decoder)
    small = inner(3 * torch.tanh(latents / 3))
    *others, last = outer
    channels = last.in_channels
    # Written backwards, from the pixels: each doubling is a sum over two by two pixels.
    doubling = torch.eye(channels)[:, :, None, None].expand(-1, -1, 2, 2)
    kernel, scale = backwards(last.weight), 1
    for layer in reversed(others):
        if isinstance(layer, nn.Conv2d):
            kernel = chained(kernel, backwards(layer.weight), scale)
        else:
            kernel, scale = chained(kernel, doubling, scale), 2 * scale
    blocks = kernel.view(channels, 3, 3, scale, 3, scale).flip(2, 4).permute(1, 3, 5, 0, 2, 4)
    fine = functional.conv2d(small, blocks.reshape(-1, channels, 3, 3), padding=1)
    return (functional.pixel_shuffle(fine, scale) + last.bias[:, None, None]).mul(2).sub(1)


def split(decoder: DecoderTiny) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the layers up to the last block, and those after it."""
    kinds = [isinstance(layer, AutoencoderTinyBlock) for layer in decoder.layers]
    after = len(kinds) - kinds[::-1].index(True)
    return decoder.layers[:after], decoder.layers[after:]


def chained(first: Tensor, second: Tensor, stride: int) -> Tensor:
    """Return the kernel of two convolutions one after the other; the first has the stride."""
    return functional.conv_transpose2d(second, first, stride=stride)


def backwards(weight: Tensor) -> Tensor:
    """Return the weights of the convolution's adjoint."""
    return weight.transpose(0, 1).flip(2, 3)
