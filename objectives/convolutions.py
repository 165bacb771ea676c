"""Convolutions that stay away from kernels of torch's CPU build that give garbage in silence.

Two were found in torch 2.13, both in oneDNN, by comparing small layers with float64:

- A kernel of one voxel with a stride: the gradient of its weights writes outside its buffer where
  channels are last in memory and few: below 8 with AVX2, where the heap breaks. Input or weights
  alone in that layout are enough. https://github.com/uxlfoundation/oneDNN/issues/6035
- bfloat16, and an image smaller along an axis than the kernel: gradients, and of volumes one voxel
  deep answers as well, are what memory held before.

Not met by ours, and so not guarded: with AVX-512 a kernel of 7 voxels breaks on volumes 5 to 7
voxels deep in float32 too. Ours sees 16 or more.
"""

from typing import TypeGuard, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd

from objectives.periodic_padding import periodic_padding

__all__ = ["sound", "unsound"]


Network = TypeVar("Network", bound=nn.Module)


class _Sound(_ConvNd):
    """A convolution by other means, where its own are not to be trusted."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """What the layer answers; only transposed convolutions are given a size."""
        size = () if output_size is None else (output_size,)
        if _is_strided_pointwise(self):  # a plain convolution of every second or third voxel
            x = input[(..., *(slice(None, None, step) for step in self.stride))]
            return CONVOLVE[x.ndim - 2](x, self.weight, self.bias, groups=self.groups)
        small = any(n < k for n, k in zip(input.shape[2:], self.kernel_size, strict=True))
        if small and input.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return super().forward(input.float(), *size)
        return super().forward(input, *size)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As the layer's own, with a periodic padding whose gradient costs less."""
        if self.padding_mode != "circular":
            return super()._conv_forward(input, weight, bias)
        x = periodic_padding(input, tuple(self._reversed_padding_repeated_twice))
        convolve = CONVOLVE[len(self.kernel_size)]
        return convolve(x, weight, bias, self.stride, dilation=self.dilation, groups=self.groups)


class _SoundConv1d(_Sound, nn.Conv1d):
    pass


class _SoundConv2d(_Sound, nn.Conv2d):
    pass


class _SoundConv3d(_Sound, nn.Conv3d):
    pass


class _SoundConvTranspose1d(_Sound, nn.ConvTranspose1d):
    pass


class _SoundConvTranspose2d(_Sound, nn.ConvTranspose2d):
    pass


class _SoundConvTranspose3d(_Sound, nn.ConvTranspose3d):
    pass


CONVOLVE = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
SOUND: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: _SoundConv1d,
    nn.Conv2d: _SoundConv2d,
    nn.Conv3d: _SoundConv3d,
    nn.ConvTranspose1d: _SoundConvTranspose1d,
    nn.ConvTranspose2d: _SoundConvTranspose2d,
    nn.ConvTranspose3d: _SoundConvTranspose3d,
}


def unsound(network: nn.Module) -> dict[str, _ConvNd]:
    """Layers of a network, by name, whose gradient may break the heap."""
    return {
        name: layer
        for name, layer in network.named_modules()
        if _is_strided_pointwise(layer) and not isinstance(layer, _Sound)
    }


def sound(network: Network) -> Network:
    """The network, changed in place: its convolutions meet no kernel that is known to be wrong.

    It answers what it did, and its parameters keep their names. Whatever is trained passes through
    here, and a network that has strided layers of one voxel when it is made, since a gradient may
    be asked of it without any training.

    Raises
    ------
    ValueError
        For a transposed or padded convolution of one voxel with a stride.

    Examples
    --------
    >>> layer = nn.Conv2d(2, 3, kernel_size=1, stride=2)
    >>> images = torch.rand(4, 2, 8, 8)
    >>> torch.allclose(layer(images), sound(layer)(images), atol=1e-6)
    True
    >>> unsound(layer)
    {}
    """
    for name, layer in unsound(network).items():
        padded = layer.padding != "valid" and any(layer.padding)
        if layer.transposed or padded or type(layer) not in SOUND:
            raise ValueError(
                f"{name or 'network'}: a {type(layer).__name__} with a kernel of one voxel, stride "
                f"{layer.stride} and padding {layer.padding} corrupts memory on some processors. "
                "Use a plain convolution, and pad or upsample before it."
            )
    for layer in network.modules():
        if type(layer) in SOUND:
            layer.__class__ = SOUND[type(layer)]  # as torch.nn.utils.parametrize does
    return network


def _is_strided_pointwise(layer: nn.Module) -> TypeGuard[_ConvNd]:
    return isinstance(layer, _ConvNd) and max(layer.kernel_size) == 1 < max(layer.stride)
