"""Residual networks without norms, in 2-D and 3-D: codes to features, and images to numbers."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from generative.networks.blocks import convolution, weight_of
from generative.networks.layout import Layout, plan_layout

SLOPE = 0.2  # of the leaky rectifier
STYLE = 64  # numbers that speak to the whole image at each scale
LAST = 8  # channels behind the last upsampling
FAR = 0.3  # share of a number in the cells that are not its own, at first
# Channels of each scale, the finest first, by the number of scales. The coarsest has 64 or more: it
# is there that 64 numbers become a structure.
WIDTHS = {
    2: (32, 64),
    3: (16, 32, 64),
    4: (16, 32, 64, 96),
    5: (16, 32, 64, 96, 128),
}
AVERAGE_POOL = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
INTERPOLATION = {2: "bilinear", 3: "trilinear"}


class PlainBlock(nn.Module):
    """Residual block without norms that starts as the identity (Zhang et al. 2019, Fixup)."""

    def __init__(self, spatial_dims: int, channels: int, padding: str) -> None:
        super().__init__()
        self.enter = convolution(spatial_dims, channels, channels, padding=padding)
        self.leave = convolution(spatial_dims, channels, channels, padding=padding)
        nn.init.kaiming_normal_(weight_of(self.enter), SLOPE)
        nn.init.zeros_(weight_of(self.leave))
        for layer in (self.enter, self.leave):
            nn.init.zeros_(weight_of(layer, "bias"))

    def forward(self, x: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
        """Input plus what the block adds to it."""
        inside = self.enter(functional.leaky_relu(x, SLOPE))
        return x + self.leave(functional.leaky_relu(inside, SLOPE))


class ResidualGenerator(nn.Module):
    """Codes to logits of images.

    Each number begins as the voice of one cell of a coarse grid, if there are as many. What belongs
    to the whole image reaches every scale by a factor and an offset of each channel, made of all
    numbers (Perez et al. 2018, FiLM). Upsampling is by interpolation, so that no dots of the grid's
    period can arise; a block of few channels at full size follows the last.

    Parameters
    ----------
    layout
        Grid, strides and channels; those of the coarsest scale last.
    latent_dim
        Numbers in a code.
    padding
        Of the convolutions.
    """

    def __init__(self, layout: Layout, latent_dim: int, padding: str) -> None:
        super().__init__()
        self.layout, dims, widths = layout, layout.spatial_dims, layout.channels[::-1]
        cells = math.prod(layout.code_grid)
        self.first = nn.Linear(latent_dim, widths[0] * cells)
        _speak_to_cells(self.first, widths[0], cells)
        self.style = nn.Sequential(
            nn.Linear(latent_dim, STYLE),
            nn.LeakyReLU(SLOPE),
            nn.Linear(STYLE, STYLE),
            nn.LeakyReLU(SLOPE),
        )
        self.film = nn.ModuleList([_film(width) for width in widths])
        self.blocks = nn.ModuleList([PlainBlock(dims, width, padding) for width in widths])
        self.narrow = nn.ModuleList([convolution(dims, *pair, 1) for pair in pairwise(widths)])
        self.tail = convolution(dims, widths[-1], LAST, padding=padding)
        self.finest = PlainBlock(dims, LAST, padding)
        self.last = convolution(dims, LAST, layout.image_shape[0], padding=padding)

    def forward(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Logits of an image for each code."""
        x = self.first(code).reshape(
            code.shape[0], self.layout.channels[-1], *self.layout.code_grid
        )
        style, strides = self.style(code), self.layout.strides[::-1]
        for i, (block, film) in enumerate(zip(self.blocks, self.film, strict=True)):
            factor, offset = film(style)[(..., *[None] * self.layout.spatial_dims)].chunk(2, 1)
            x = block(x * (1 + factor) + offset)
            if i < len(self.narrow):
                x = _enlarged(self.narrow[i](x), strides[i])
        x = functional.leaky_relu(self.tail(functional.leaky_relu(x, SLOPE)), SLOPE)
        x = self.finest(_enlarged(x, strides[-1]))
        return self.last(functional.leaky_relu(x, SLOPE))[self.layout.crop]


class ResidualReader(nn.Module):
    """Images to numbers: the score of a critic, or a code.

    Parameters
    ----------
    layout
        As of the generator.
    outputs
        How many numbers.
    padding
        Of the convolutions.
    code
        Whether the numbers are a code. Features are then normalized within each image (Wu and He
        2018), and the head is given every cell of the coarse grid, whose numbers it is to find.
        Otherwise the head is given averages of 2 cells along each axis, and nothing is normalized.
    """

    def __init__(self, layout: Layout, outputs: int, padding: str, *, code: bool) -> None:
        super().__init__()
        self.layout, dims, widths = layout, layout.spatial_dims, layout.channels
        self.stem = convolution(
            dims, layout.image_shape[0], widths[0], 5, stride=layout.strides[0], padding=padding
        )
        self.blocks = nn.ModuleList([PlainBlock(dims, width, padding) for width in widths])
        self.norms = nn.ModuleList(
            [nn.GroupNorm(math.gcd(8, w), w) if code else nn.Identity() for w in widths]
        )
        after = [*widths[1:], widths[-1]]
        self.widen = nn.ModuleList(
            [convolution(dims, *pair, 1) for pair in zip(widths, after, strict=True)]
        )
        self.last_pool = 1 if code else 2
        cells = math.prod(side // self.last_pool for side in layout.code_grid)
        self.head = nn.Linear(widths[-1] * cells, outputs)

    def forward(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n k"]:
        """Numbers of each image, whose values are from -1 to 1."""
        return self.head(self.features(images))

    def features(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n f"]:
        """What the head is given of each image: as many numbers as it has inputs."""
        dims = self.layout.spatial_dims
        x = self.stem(functional.pad(images, self.layout.padding))
        pools = [*self.layout.strides[1:], (self.last_pool,) * dims]
        for block, norm, widen, pool in zip(
            self.blocks, self.norms, self.widen, pools, strict=True
        ):
            x = AVERAGE_POOL[dims](widen(norm(block(x))), pool)
        return functional.leaky_relu(x, SLOPE).flatten(1)


def residual_encoder(
    image_shape: tuple[int, ...], widths: tuple[int, ...] | None, latent_dim: int, padding: str
) -> ResidualReader:
    """Network from images to codes; widths as of `residual_layout`."""
    return ResidualReader(residual_layout(image_shape, widths), latent_dim, padding, code=True)


def residual_layout(image_shape: tuple[int, ...], widths: tuple[int, ...] | None) -> Layout:
    """Layout for images of one shape; ``None`` takes `WIDTHS`."""
    scales = len(plan_layout(image_shape).strides)
    return plan_layout(image_shape, WIDTHS[scales] if widths is None else widths)


def _speak_to_cells(first: nn.Linear, width: int, cells: int) -> None:
    """First weights by which each number is heard in one cell, and softly in the others."""
    numbers = first.in_features
    nn.init.normal_(first.weight, 0, 1 / math.sqrt(numbers))
    nn.init.zeros_(first.bias)
    if numbers != cells:
        return
    with torch.no_grad():
        weights = first.weight.reshape(width, cells, numbers)
        weights *= FAR
        own = torch.arange(cells)
        weights[:, own, own] += torch.randn(width, 1)


def _film(width: int) -> nn.Linear:
    """A factor and an offset for each channel, small at first."""
    layer = nn.Linear(STYLE, 2 * width)
    nn.init.normal_(layer.weight, 0, 0.05)
    nn.init.zeros_(layer.bias)
    return layer


def _enlarged(x: Tensor, factors: tuple[int, ...]) -> Tensor:
    return functional.interpolate(
        x, scale_factor=[float(factor) for factor in factors], mode=INTERPOLATION[x.ndim - 2]
    )
