"""Two-point statistics as a term of a loss."""

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.two_point.correlation import two_point_statistics

__all__ = ["autocorrelation", "two_point_error"]


def two_point_error(
    reconstructed: Float[Tensor, "n c *space"], images: Float[Tensor, "n c *space"]
) -> Float[Tensor, ""]:
    """Root-mean-square error of the periodic autocorrelation, averaged over images."""
    # A training that diverges says so by its other terms; statistics refuse what is not finite.
    difference = autocorrelation(reconstructed.nan_to_num()) - autocorrelation(images)
    return (difference.flatten(1).pow(2).mean(1) + 1e-8).sqrt().mean()


def autocorrelation(images: Float[Tensor, "n c *space"]) -> Float[Tensor, "n c *space"]:
    r"""Periodic :math:`S_2(r) = \frac{1}{N}\sum_s m(s)\,m(s + r)` of each channel.

    Zero shift is at ``[..., 0, 0]``. `objectives.two_point_statistics` of each phase with itself.
    """
    itself = [(channel, channel) for channel in range(images.shape[1])]
    centred = two_point_statistics(images.float(), correlations=itself)
    return torch.fft.ifftshift(centred, dim=tuple(range(2, images.ndim)))
