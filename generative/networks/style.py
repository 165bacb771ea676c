"""Images of styles: convolutions whose weights follow from a style, noise inputs, summed images."""

import math
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.nn import functional

from generative.networks.blocks import convolution, weight_of
from generative.networks.layout import Layout
from generative.networks.residual import INTERPOLATION, LAST, SLOPE
from generative.networks.texture import TextureNoise

FirstInput = Literal["cells", "constant"]
GAIN = math.sqrt(2)  # of the rectifier, which so keeps the mean square of normal numbers
EPSILON = 1e-8


class ModulatedConvolution(nn.Module):
    r"""Convolution whose weights :math:`s_i w_{ijk}` follow from a style, demodulated.

    They are divided by :math:`\sqrt{\sum_{i,k} (s_i w_{ijk})^2 + \epsilon}`, so that outputs of
    uncorrelated inputs of unit variance have unit variance. The same numbers without weights of
    each row's own: input channels are multiplied by :math:`s_i`, convolved with w, and output
    channels divided.

    Parameters
    ----------
    spatial_dims
        2 or 3.
    numbers
        In a style.
    inputs, outputs
        Channels.
    kernel
        Voxels along each axis.
    padding
        Of the convolution.
    demodulate
        Whether outputs are divided; images are not.

    References
    ----------
    .. [1] Karras et al. (2020), Analyzing and improving the image quality of StyleGAN, eq. 1 to 3.
    """

    def __init__(
        self,
        spatial_dims: int,
        numbers: int,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        padding: str,
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.spatial_dims, self.demodulate = spatial_dims, demodulate
        self.layer = convolution(spatial_dims, inputs, outputs, kernel, padding=padding, bias=False)
        self.factors = nn.Linear(numbers, inputs)
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(weight_of(self.layer), 0, 1 / math.sqrt(inputs * kernel**spatial_dims))
        nn.init.normal_(self.factors.weight, 0, 1 / math.sqrt(numbers))
        nn.init.ones_(self.factors.bias)  # 1: the weights as they are

    def forward(
        self, x: Float[Tensor, "n i *space"], style: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n o *space"]:
        """Features of features under a style."""
        factors = self.factors(style)
        answer = self.layer(x * self._of_channels(factors))
        if self.demodulate:
            sizes = weight_of(self.layer).square().flatten(2).sum(2)  # of outputs and inputs
            squares = factors.square() @ sizes.T
            answer = answer * self._of_channels((squares + EPSILON).rsqrt())
        return answer + self._of_channels(self.bias[None])

    def _of_channels(self, numbers: Float[Tensor, "n c"]) -> Tensor:
        return numbers[(..., *[None] * self.spatial_dims)]


class StyleLayer(nn.Module):
    """Modulated convolution, enlarged where the scale changes, with noise and leaky rectifier.

    Parameters
    ----------
    convolve
        Its convolution.
    channels, shape
        Of what it answers.
    factors
        By which its answer is larger than what it is given, along each axis.
    """

    def __init__(
        self,
        convolve: ModulatedConvolution,
        channels: int,
        shape: tuple[int, ...],
        factors: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.convolve, self.factors = convolve, factors
        self.texture = TextureNoise(channels, shape)

    def forward(
        self,
        x: Float[Tensor, "n i *space"],
        style: Float[Tensor, "n d"],
        noise: Float[Tensor, "n k"] | None,
    ) -> Float[Tensor, "n o *larger"]:
        """Features of features; with the fixed noise, or numbers given for each row."""
        x = enlarged(self.convolve(x, style), self.factors)
        return GAIN * functional.leaky_relu(self.texture(x, noise), SLOPE)


class StyleGenerator(nn.Module):
    """Styles to logits of images, every layer modulated by the style.

    Each scale adds its image to the enlarged one of the coarser scales. Upsampling is by
    interpolation. Noise is new for each image in training, and fixed otherwise, so that an image
    is a function of its style.

    Parameters
    ----------
    layout
        Grid, strides and channels; those of the coarsest scale last.
    numbers
        In a style.
    padding
        Of the convolutions.
    first
        What the coarsest layer is given: with ``"constant"`` an input that is learned, as in [1]_;
        with ``"cells"`` a linear function of the style beside it, in which each number begins as
        the voice of one cell of the grid, if there are as many.

    References
    ----------
    .. [1] Karras et al. (2019), A style-based generator architecture for generative adversarial
       networks (constant input, noise inputs, style mixing).
    .. [2] Karras et al. (2020), Analyzing and improving the image quality of StyleGAN (modulation,
       sums of images).
    """

    def __init__(self, layout: Layout, numbers: int, padding: str, first: FirstInput) -> None:
        super().__init__()
        self.layout, dims = layout, layout.spatial_dims
        widths = [*layout.channels[::-1], LAST]
        shapes = [layout.code_grid]
        for stride in layout.strides[::-1]:
            shapes.append(tuple(a * b for a, b in zip(shapes[-1], stride, strict=True)))

        def layer(inputs: int, outputs: int, shape: tuple[int, ...], factors: tuple[int, ...]):
            convolve = ModulatedConvolution(dims, numbers, inputs, outputs, padding=padding)
            return StyleLayer(convolve, outputs, shape, factors)

        same = (1,) * dims
        self.constant = nn.Parameter(torch.randn(widths[0], *layout.code_grid))
        self.cells = _cells(numbers, layout, widths[0]) if first == "cells" else None
        self.enter = layer(widths[0], widths[0], shapes[0], same)
        scales = list(zip(pairwise(widths), shapes[1:], layout.strides[::-1], strict=True))
        self.grow = nn.ModuleList([layer(*pair, shape, s) for pair, shape, s in scales])
        self.refine = nn.ModuleList([layer(b, b, shape, same) for (_, b), shape, _ in scales])
        colours = layout.image_shape[0]
        self.images = nn.ModuleList(
            [
                ModulatedConvolution(
                    dims, numbers, width, colours, 1, padding=padding, demodulate=False
                )
                for width in widths
            ]
        )
        generator = torch.Generator().manual_seed(0)
        for texture in self.textures:
            texture.reseed(generator)

    @property
    def textures(self) -> list[TextureNoise]:
        """Noise inputs, one a layer, the coarsest first."""
        pairs = zip(self.grow, self.refine, strict=True)
        layers = [self.enter, *(layer for pair in pairs for layer in pair)]
        return [layer.texture for layer in layers if isinstance(layer, StyleLayer)]

    @property
    def layers(self) -> int:
        """Layers that a style is given to."""
        return 1 + 2 * len(self.grow)

    @property
    def noise_size(self) -> int:
        """Numbers of noise that an image takes."""
        return sum(texture.field.numel() for texture in self.textures)

    def forward(
        self,
        style: Float[Tensor, "n d"],
        noise: Float[Tensor, "n k"] | None = None,
        *,
        other: Float[Tensor, "n d"] | None = None,
        crossing: Integer[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n c *space"]:
        """Logits of an image for each style.

        Parameters
        ----------
        style
            What layers are given.
        noise
            ``noise_size`` standard normal numbers a row; without them the fixed ones.
        other, crossing
            Style that layers from this number on are given in place of the first, by row.
        """
        sizes = [texture.field.numel() for texture in self.textures]
        fields = [None] * self.layers if noise is None else list(noise.split(sizes, dim=1))
        styles = [style] * self.layers
        if other is not None and crossing is not None:
            styles = [
                torch.where((crossing > i)[:, None], style, other) for i in range(self.layers)
            ]
        x = self.constant.expand(style.shape[0], *self.constant.shape)
        if self.cells is not None:
            x = x + self.cells(styles[0]).reshape(x.shape)
        x = self.enter(x, styles[0], fields[0])
        image = self.images[0](x, styles[0])
        for i, stride in enumerate(self.layout.strides[::-1]):
            x = self.grow[i](x, styles[2 * i + 1], fields[2 * i + 1])
            x = self.refine[i](x, styles[2 * i + 2], fields[2 * i + 2])
            image = enlarged(image, stride) + self.images[i + 1](x, styles[2 * i + 2])
        return image[self.layout.crop]


def enlarged(x: Float[Tensor, "n c *space"], factors: tuple[int, ...]) -> Float[Tensor, "..."]:
    """Features interpolated linearly to a size so many times as large along each axis."""
    if all(factor == 1 for factor in factors):
        return x
    return functional.interpolate(
        x, scale_factor=[float(factor) for factor in factors], mode=INTERPOLATION[x.ndim - 2]
    )


def _cells(numbers: int, layout: Layout, width: int) -> nn.Linear:
    """Numbers to features of the coarsest grid, each heard in one cell alone at first."""
    cells = math.prod(layout.code_grid)
    layer = nn.Linear(numbers, width * cells, bias=False)
    nn.init.normal_(layer.weight, 0, 1 / math.sqrt(numbers))
    if numbers == cells:
        with torch.no_grad():
            layer.weight.zero_()
            own = torch.arange(cells)
            layer.weight.reshape(width, cells, numbers)[:, own, own] = torch.randn(width, 1)
    return layer
