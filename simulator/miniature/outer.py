"""The autoencoder's layers next to the pixels, taken together as one convolution each.

``AutoencoderTiny`` has three convolutions between the pixels and its first block, and three
between its last block and the pixels, without an activation among them. One convolution of stride
four gives the same at a tenth of the cost, which halves the time of a training step. Only along the
picture's border, where each of the three pads with zeros, the results differ a little.
"""

import torch
from diffusers import AutoencoderTiny
from torch import Tensor
from torch.nn import functional

LAYERS_IN, LAYERS_OUT = 3, 5


def encoded(model: AutoencoderTiny, pictures: Tensor) -> Tensor:
    """Return what the encoder gives for pictures (batch, 3, 128, 128) in -1..1."""
    outer, inner = model.encoder.layers[:LAYERS_IN], model.encoder.layers[LAYERS_IN:]
    kernel = chained(chained(outer[0].weight, outer[1].weight, 1), outer[2].weight, 2)
    bias = outer[0].bias
    for layer in outer[1:]:
        bias = layer.weight.sum(dim=(2, 3)) @ bias
    taken = functional.conv2d(pictures.add(1).div(2), kernel, bias, stride=4, padding=4)
    return inner(taken)


def decoded(model: AutoencoderTiny, latents: Tensor) -> Tensor:
    """Return what the decoder gives for latents (batch, 32, 8, 8)."""
    inner, outer = model.decoder.layers[:-LAYERS_OUT], model.decoder.layers[-LAYERS_OUT:]
    small = inner(3 * torch.tanh(latents / 3))
    # Written backwards, from the pixels: each doubling is a sum over two by two pixels.
    _, first, _, second, last = outer
    channels = len(first.weight)
    doubling = torch.eye(channels)[:, :, None, None].expand(-1, -1, 2, 2)
    kernel = chained(backwards(last.weight), backwards(second.weight), 1)
    kernel = chained(kernel, doubling, 1)
    kernel = chained(chained(kernel, backwards(first.weight), 2), doubling, 2)
    blocks = kernel.view(channels, 3, 3, 4, 3, 4).flip(2, 4).permute(1, 3, 5, 0, 2, 4)
    fine = functional.conv2d(small, blocks.reshape(48, channels, 3, 3), padding=1)
    return (functional.pixel_shuffle(fine, 4) + last.bias[:, None, None]).mul(2).sub(1)


def chained(first: Tensor, second: Tensor, stride: int) -> Tensor:
    """Return the kernel of two convolutions one after the other; the first has the stride."""
    return functional.conv_transpose2d(second, first, stride=stride)


def backwards(weight: Tensor) -> Tensor:
    """Return the weights of the convolution's adjoint."""
    return weight.transpose(0, 1).flip(2, 3)
