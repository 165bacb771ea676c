"""Layers that work in 2-D and 3-D alike: `spatial_dims` picks the torch module."""

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from objectives.convolutions import sound

CONVOLUTION: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def convolution(
    spatial_dims: int,
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    stride: tuple[int, ...] | int = 1,
    padding: str = "zeros",
    bias: bool = True,
) -> nn.Module:
    """Convolution that keeps the size at stride 1 and divides it at any other."""
    layer = CONVOLUTION[spatial_dims](
        inputs,
        outputs,
        kernel,
        stride,
        padding=kernel // 2,
        padding_mode=padding if kernel > 1 else "zeros",
        bias=bias,
    )
    return sound(layer)


def weight_of(layer: nn.Module, name: str = "weight") -> Tensor:
    """Weights of a layer, or its bias."""
    weight = getattr(layer, name)
    assert isinstance(weight, Tensor)
    return weight


class ResidualBlock(nn.Module):
    """Pre-activation residual block that starts as the identity (its last convolution is zero)."""

    def __init__(self, spatial_dims: int, inputs: int, outputs: int, padding: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            BATCH_NORM[spatial_dims](inputs),
            nn.SiLU(),
            convolution(spatial_dims, inputs, outputs, padding=padding),
            BATCH_NORM[spatial_dims](outputs),
            nn.SiLU(),
            convolution(spatial_dims, outputs, outputs, padding=padding),
        )
        for parameter in self.body[-1].parameters():
            nn.init.zeros_(parameter)
        same = inputs == outputs
        self.skip = nn.Identity() if same else convolution(spatial_dims, inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "n i *space"]) -> Float[Tensor, "n o *space"]:
        """Input plus what the block adds to it."""
        return self.skip(x) + self.body(x)


def pixel_shuffle(
    x: Float[Tensor, "n many *space"], factors: tuple[int, ...]
) -> Float[Tensor, "n few *larger"]:
    """Channels to space: ``prod(factors)`` channels become one that is ``factors`` times larger.

    Shi et al. 2016 (sub-pixel convolution), for any number of axes and unequal factors.

    >>> import torch
    >>> pixel_shuffle(torch.arange(4.0).reshape(1, 4, 1, 1), (2, 2))
    tensor([[[[0., 1.],
              [2., 3.]]]])
    """
    n, many, *space = x.shape
    dims = len(space)
    few = many // math.prod(factors)
    x = x.reshape(n, few, *factors, *space)
    order = [0, 1]
    for axis in range(dims):
        order += [2 + dims + axis, 2 + axis]
    return x.permute(order).reshape(n, few, *(s * f for s, f in zip(space, factors, strict=True)))


class Upsample(nn.Module):
    """Nearest-neighbour upsampling by whole factors."""

    def __init__(self, factors: tuple[int, ...]) -> None:
        super().__init__()
        self.factors = tuple(float(f) for f in factors)

    def forward(self, x: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *larger"]:
        """Each voxel repeated ``factors`` times along each axis."""
        return functional.interpolate(x, scale_factor=self.factors)
