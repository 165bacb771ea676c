"""Convolutional variational autoencoder with a spatial code, in 2-D and 3-D."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from generative.autoencoders.variational import Drawn, VariationalAutoencoder
from generative.losses.two_point import two_point_error
from generative.networks.blocks import (
    BATCH_NORM,
    ResidualBlock,
    Upsample,
    convolution,
    pixel_shuffle,
)
from generative.networks.layout import Layout, plan_layout
from generative.networks.texture import TextureNoise
from objectives.settings import Settings


class ConvVAEConfig(Settings):
    """Network and loss of a `ConvVAE`."""

    image_shape: tuple[int, ...] = Field(
        description="Shape of one image in voxels: (channels, height, width), or (channels, "
        "depth, height, width) in 3-D."
    )
    widths: tuple[PositiveInt, ...] | None = Field(
        None,
        description="Number of channels of each encoder stage, from the image to the code; the "
        "decoder mirrors them. null takes the widths that belong to the number of stages, "
        "which follows from the image shape.",
    )
    reconstruction: Literal["mse", "bce"] = Field(
        "mse",
        description='Reconstruction loss. "mse" is the squared error, a Gaussian likelihood of '
        'standard deviation sigma; "bce" is the binary cross-entropy.',
    )
    sigma: float = Field(
        0.25,
        gt=0,
        description="Standard deviation of a voxel about its reconstruction, on the scale of "
        "image values (0 to 1). Smaller values weigh the reconstruction more against the "
        'Kullback-Leibler term. Only "mse" uses it.',
    )
    beta: float = Field(
        0.1,
        ge=0,
        description="Weight of the Kullback-Leibler divergence. 1 is the evidence lower bound; "
        "smaller values reconstruct better, larger values make codes that a prior learns more "
        "easily.",
    )
    # At .3 neutral and at 3 harmful in our trials, so it is off unless asked for.
    two_point_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the root-mean-square error of the periodic two-point "
        "autocorrelation. 0 leaves the term out.",
    )
    padding: Literal["zeros", "circular"] = Field(
        "zeros",
        description='Padding of the convolutions at the faces of an image. "circular" suits '
        "periodic images.",
    )
    texture_noise: bool = Field(
        False,
        description="Whether the decoder adds noise to its features, for texture finer than the "
        "code can carry. Training samples the noise; decoding keeps it fixed.",
    )


class ConvVAE(VariationalAutoencoder[ConvVAEConfig]):
    """Images to 64 numbers on an 8x8 or 4x4x4 grid, and back.

    A code that keeps its place in space reconstructs far better than a vector of the same size.

    Parameters
    ----------
    image_shape
        ``(c, h, w)`` with sides of 32 to 256, or ``(c, d, h, w)`` with sides of 16 to 64.
    **options
        Fields of `ConvVAEConfig`.

    Raises
    ------
    ValueError
        For a shape outside these limits or an option out of range.

    Examples
    --------
    >>> model = ConvVAE((1, 21, 21, 21))
    >>> model.decode(torch.zeros(2, model.latent_dim)).shape
    torch.Size([2, 1, 21, 21, 21])

    References
    ----------
    .. [1] Kingma and Welling (2014), Auto-Encoding Variational Bayes.
    .. [2] Higgins et al. (2017), beta-VAE.
    """

    kind = "vae"
    options_class = ConvVAEConfig

    def __init__(self, image_shape: Sequence[int], **options: Any) -> None:
        super().__init__()
        self.config = ConvVAEConfig(image_shape=tuple(image_shape), **options)
        self.layout = plan_layout(self.config.image_shape, self.config.widths)
        self.image_shape = self.config.image_shape
        self.latent_dim = torch.Size(self.layout.code_grid).numel()
        self.encoder = _encoder(self.layout, self.config.padding)
        self.decoder = decoder(self.layout, self.config.padding, self.config.texture_noise)
        self.reseed_texture(0)
        self.eval()

    @property
    def noise_size(self) -> int:
        """Random numbers that `draw` takes a row: for the code, and for the texture."""
        return self.latent_dim + sum(layer.field.numel() for layer in self._texture_layers())

    def reseed_texture(self, seed: int) -> "ConvVAE":
        """Another fixed texture for `decode`, in place; nothing without ``texture_noise``."""
        generator = torch.Generator().manual_seed(seed)
        for layer in self._texture_layers():
            layer.reseed(generator)
        return self

    def posterior(
        self, images: Float[Tensor, "n c *space"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Mean and log-variance of the code on its grid, flattened."""
        mode = "circular" if self.config.padding == "circular" else "replicate"
        padded = functional.pad(images, self.layout.padding, mode=mode)
        mean, log_variance = self.encoder(padded).flatten(2).float().unbind(1)
        return mean, log_variance

    def logits(
        self, code: Float[Tensor, "n d"], texture: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c *space"]:
        """Decoded codes before the sigmoid; with the fixed texture, or of normal numbers given."""
        return decoded(self.decoder, code, self.layout, texture)

    def penalties(
        self, images: Float[Tensor, "n c *space"], drawn: Drawn
    ) -> dict[str, Float[Tensor, ""]]:
        """Error of the two-point statistics, where it has a weight."""
        if not self.config.two_point_weight:
            return {}
        return {"two_point": two_point_error(drawn.logits.sigmoid(), images)}

    def _texture_layers(self) -> list[TextureNoise]:
        return [layer for layer in self.decoder if isinstance(layer, TextureNoise)]


def _encoder(layout: Layout, padding: str) -> nn.Sequential:
    dims, channels = layout.spatial_dims, layout.channels
    inputs = layout.image_shape[0]
    stages = [
        convolution(dims, inputs, channels[0], 5, stride=layout.strides[0], padding=padding),
        ResidualBlock(dims, channels[0], channels[0], padding),
    ]
    for (before, after), stride in zip(pairwise(channels), layout.strides[1:], strict=True):
        stages += [
            convolution(dims, before, before, stride=stride, padding=padding),
            ResidualBlock(dims, before, after, padding),
        ]
    stages.append(ResidualBlock(dims, channels[-1], channels[-1], padding))  # sees its neighbours
    head = convolution(dims, channels[-1], 2, 1)  # mean and log-variance
    return nn.Sequential(*stages, BATCH_NORM[dims](channels[-1]), nn.SiLU(), head)


def decoder(layout: Layout, padding: str, texture_noise: bool) -> nn.Sequential:
    """Mirror of the encoder that narrows before it upsamples, at half the cost.

    Its last stage is a sub-pixel convolution: no convolution runs at full resolution. Noise, if
    any, joins where features have just become finer, and the code's features meet it there.
    """
    dims, channels = layout.spatial_dims, layout.channels[::-1]
    shape = layout.code_grid
    stages = [
        convolution(dims, 1, channels[0], padding=padding),
        ResidualBlock(dims, channels[0], channels[0], padding),
        ResidualBlock(dims, channels[0], channels[0], padding),
    ]
    for (before, after), factors in zip(pairwise(channels), layout.strides[:0:-1], strict=True):
        shape = tuple(n * factor for n, factor in zip(shape, factors, strict=True))
        stages += [
            convolution(dims, before, after, 1),
            Upsample(factors),
            *([TextureNoise(after, shape)] if texture_noise else []),
            ResidualBlock(dims, after, after, padding),
        ]
    subpixels = layout.image_shape[0] * torch.Size(layout.strides[0]).numel()
    tail = convolution(dims, channels[-1], subpixels, padding=padding)
    return nn.Sequential(*stages, BATCH_NORM[dims](channels[-1]), nn.SiLU(), tail)


def decoded(
    layers: nn.Sequential,
    code: Float[Tensor, "n d"],
    layout: Layout,
    texture: Float[Tensor, "n k"] | None = None,
) -> Float[Tensor, "n c *space"]:
    """Logits of images of codes, by the layers that `decoder` makes.

    Parameters
    ----------
    texture
        Normal numbers for the layers of noise; their fixed field without it.
    """
    features = code.reshape(-1, 1, *layout.code_grid)
    for layer in layers:
        if texture is not None and isinstance(layer, TextureNoise):
            size = layer.field.numel()
            features = layer(features, texture[:, :size])
            texture = texture[:, size:]
        else:
            features = layer(features)
    return pixel_shuffle(features, layout.strides[0])[layout.crop]
