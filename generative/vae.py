"""Convolutional variational autoencoder with a spatial code, in 2-D and 3-D."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from generative.blocks import (
    BATCH_NORM,
    ResidualBlock,
    Upsample,
    convolution,
    pixel_shuffle,
)
from generative.layout import Layout, plan_layout


class ConvVAEConfig(BaseModel):
    """Network and loss of a `ConvVAE`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_shape: tuple[int, ...] = Field(description="(c, *space) of the images.")
    widths: tuple[PositiveInt, ...] | None = Field(
        None, description="Channels of each stage, the code's last; null takes the default."
    )
    reconstruction: Literal["mse", "bce"] = Field(
        "mse", description="Squared error (a Gaussian of spread sigma) or binary cross-entropy."
    )
    sigma: float = Field(0.25, gt=0, description="Spread of a voxel around its reconstruction.")
    beta: float = Field(
        0.1, ge=0, description="Weight of KL: 1 is the evidence bound, .1 reconstructs better."
    )
    # At .3 neutral and at 3 harmful in our trials, so it is off unless asked for.
    two_point_weight: float = Field(0.0, ge=0, description="Weight of the autocorrelation's error.")
    padding: Literal["zeros", "circular"] = Field(
        "zeros", description="Around an image in a convolution; circular for periodic images."
    )


@dataclass(frozen=True)
class Loss:
    """Total to minimize, per voxel, and the terms it is made of, per image."""

    total: Float[Tensor, ""]
    terms: dict[str, float] = field(default_factory=dict)


class ConvVAE(nn.Module):
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

    def __init__(self, image_shape: Sequence[int], **options: object) -> None:
        super().__init__()
        self.config = ConvVAEConfig(image_shape=tuple(image_shape), **options)
        self.layout = plan_layout(self.config.image_shape, self.config.widths)
        self.image_shape = self.config.image_shape
        self.latent_dim = torch.Size(self.layout.code_grid).numel()
        self.encoder = _encoder(self.layout, self.config.padding)
        self.decoder = _decoder(self.layout, self.config.padding)
        self.eval()

    def options(self) -> dict[str, object]:
        """What `ConvVAE(**options)` needs to build this network again."""
        return self.config.model_dump()

    def encode(self, images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n d"]:
        """Mean of the code's posterior: no randomness, row by row."""
        return self._posterior(images)[0]

    def decode(self, code: Float[Tensor, "n d"]) -> Float[Tensor, "n c *space"]:
        """Images in [0, 1]; differentiable. Each channel by itself: phases add to 1 only nearly."""
        return self._logits(code).sigmoid()

    def loss(
        self, images: Float[Tensor, "n c *space"], *, noise: Float[Tensor, "n d"], kl_weight: float
    ) -> Loss:
        """Reconstruction + beta KL + two-point term (eq. 4 of Higgins et al. 2017).

        Parameters
        ----------
        images
            Values in [0, 1].
        noise
            Standard normal draws that the code is sampled with.
        kl_weight
            Factor of beta in [0, 1], for a warm-up.
        """
        mean, log_variance = self._posterior(images)
        logits = self._logits(mean + noise * (0.5 * log_variance).exp()).float()
        n = images.shape[0]
        reconstruction = RECONSTRUCTIONS[self.config.reconstruction](
            logits, images, self.config.sigma
        )
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum() / n
        total = (reconstruction / n + self.config.beta * kl_weight * kl) / images[0].numel()
        terms = {"reconstruction": reconstruction.item() / n, "kl": kl.item()}
        if self.config.two_point_weight:
            error = _two_point_error(logits.sigmoid(), images)
            total = total + self.config.two_point_weight * error
            terms["two_point"] = error.item()
        return Loss(total, {"loss": total.item(), **terms})

    def _posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(
                f"images should have shape (n, {', '.join(map(str, self.image_shape))}), got "
                f"{tuple(images.shape)}. This model was made for one image size; train another "
                "for a new one."
            )
        mode = "circular" if self.config.padding == "circular" else "replicate"
        padded = functional.pad(images, self.layout.padding, mode=mode)
        mean, log_variance = self.encoder(padded).flatten(2).float().unbind(1)
        return mean, log_variance.clamp(-12.0, 8.0)

    def _logits(self, code: Tensor) -> Tensor:
        if code.ndim != 2 or code.shape[1] != self.latent_dim:
            raise ValueError(
                f"code should have shape (n, {self.latent_dim}), got {tuple(code.shape)}."
            )
        features = self.decoder(code.reshape(-1, 1, *self.layout.code_grid))
        return pixel_shuffle(features, self.layout.strides[0])[self.layout.crop]


def _encoder(layout: Layout, padding: str) -> nn.Module:
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


def _decoder(layout: Layout, padding: str) -> nn.Module:
    """Mirror of the encoder that narrows before it upsamples, at half the cost.

    Its last stage is a sub-pixel convolution: no convolution runs at full resolution.
    """
    dims, channels = layout.spatial_dims, layout.channels[::-1]
    stages = [
        convolution(dims, 1, channels[0], padding=padding),
        ResidualBlock(dims, channels[0], channels[0], padding),
        ResidualBlock(dims, channels[0], channels[0], padding),
    ]
    for (before, after), factors in zip(pairwise(channels), layout.strides[:0:-1], strict=True):
        stages += [
            convolution(dims, before, after, 1),
            Upsample(factors),
            ResidualBlock(dims, after, after, padding),
        ]
    subpixels = layout.image_shape[0] * torch.Size(layout.strides[0]).numel()
    tail = convolution(dims, channels[-1], subpixels, padding=padding)
    return nn.Sequential(*stages, BATCH_NORM[dims](channels[-1]), nn.SiLU(), tail)


def _gaussian(logits: Tensor, images: Tensor, sigma: float) -> Tensor:
    """Negative log-likelihood of a Gaussian around the sigmoid, up to a constant."""
    return ((logits.sigmoid() - images) ** 2).sum() / (2 * sigma**2)


def _bernoulli(logits: Tensor, images: Tensor, sigma: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")


RECONSTRUCTIONS = {"mse": _gaussian, "bce": _bernoulli}


def _two_point_error(reconstructed: Tensor, images: Tensor) -> Tensor:
    """Root-mean-square error of the periodic autocorrelation, averaged over images."""
    difference = autocorrelation(reconstructed) - autocorrelation(images)
    return (difference.flatten(1).pow(2).mean(1) + 1e-8).sqrt().mean()


def autocorrelation(images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
    r"""Periodic :math:`S_2(r) = \frac{1}{N}\sum_s m(s)\,m(s + r)` of each channel.

    Zero shift is at ``[..., 0, 0]``. Torquato (2002), section 2.1; Wiener-Khinchin theorem.
    """
    axes = tuple(range(2, images.ndim))
    spectrum = torch.fft.rfftn(images.float(), dim=axes)
    power = spectrum.real**2 + spectrum.imag**2
    return torch.fft.irfftn(power, s=images.shape[2:], dim=axes) / images[0, 0].numel()
