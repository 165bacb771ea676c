"""Metrics of an image and its reconstruction, voxel by voxel: one value an image."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from objectives.arrays import Array
from objectives.errors import EvaluationError
from objectives.images import checked_images, in_kind
from objectives.phases import to_phases

SSIM_WINDOW = 7  # voxels a side, of Wang et al. 2004 with uniform weights


def mse(
    images: Float[Array, "n c *space"],
    reconstructed: Float[Tensor, "m k *size"] | Float[np.ndarray, "m k *size"],
) -> Float[Array, "n"]:
    """Mean squared difference of each image and its reconstruction, dimensionless, in [0, 1].

    Parameters
    ----------
    images, reconstructed
        Row i of one belongs to row i of the other; soft values are compared as they are.

    Returns
    -------
    float64, one value an image.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) One of them is no image, or their shapes differ.

    Examples
    --------
    >>> mse(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5))
    tensor([0.2500], dtype=torch.float64)
    """
    a, b = checked_pair(images, reconstructed)
    return in_kind((a - b).square().flatten(1).mean(1).double(), images)


def psnr(
    images: Float[Array, "n c *space"],
    reconstructed: Float[Tensor, "m k *size"] | Float[np.ndarray, "m k *size"],
) -> Float[Array, "n"]:
    """Peak signal-to-noise ratio -10 log10(MSE) in dB, for a peak of 1; infinite if equal.

    Parameters
    ----------
    images, reconstructed
        ``(n, c, *space)`` in [0, 1]; row i of one belongs to row i of the other.

    Returns
    -------
    float64, one value an image.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) One of them is no image, or their shapes differ.

    Examples
    --------
    >>> psnr(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.1)).round(decimals=2)
    tensor([20.], dtype=torch.float64)
    """
    errors = torch.as_tensor(mse(images, reconstructed))
    return in_kind(-10 * torch.log10(errors), images)


def ssim(
    images: Float[Array, "n c *space"],
    reconstructed: Float[Tensor, "m k *size"] | Float[np.ndarray, "m k *size"],
) -> Float[Array, "n"]:
    """Structural similarity of each image and its reconstruction: 1 if equal, about 0 if unrelated.

    Mean over a window of 7 voxels a side (the largest odd one that fits a smaller image) moved over
    the image, and over the channels.

    Parameters
    ----------
    images, reconstructed
        ``(n, c, *space)`` in [0, 1]; row i of one belongs to row i of the other.

    Returns
    -------
    float64, one value an image.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) As `mse`, or an axis has less than 3 voxels.

    References
    ----------
    .. [1] Wang, Bovik, Sheikh, Simoncelli (2004), Image quality assessment: from error visibility
       to structural similarity, IEEE Trans. Image Processing 13, 600.
    """
    from skimage.metrics import structural_similarity

    a, b = checked_pair(images, reconstructed)
    shortest = min(a.shape[2:])
    if shortest < 3:
        raise EvaluationError(
            f"ssim needs at least 3 voxels along each axis, got images of {tuple(a.shape[2:])}. "
            "Use mse for layers as thin as this."
        )
    window = min(SSIM_WINDOW, (shortest - 1) // 2 * 2 + 1)
    values = [
        structural_similarity(x, y, data_range=1.0, channel_axis=0, win_size=window)
        for x, y in zip(a.detach().cpu().numpy(), b.detach().cpu().numpy(), strict=True)
    ]
    return in_kind(torch.tensor(values, dtype=torch.float64, device=a.device), images)


def pixel_error(
    images: Float[Array, "n c *space"],
    reconstructed: Float[Tensor, "m k *size"] | Float[np.ndarray, "m k *size"],
) -> Float[Array, "n"]:
    """Share of voxels whose phase is another one in the reconstruction, in [0, 1].

    The phase is the most likely one, as `objectives.phases.to_phases` cuts it.

    Parameters
    ----------
    images, reconstructed
        ``(n, c, *space)`` in [0, 1]; row i of one belongs to row i of the other.

    Returns
    -------
    float64, one value an image.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) One of them is no image, or their shapes differ.

    Examples
    --------
    >>> pixel_error(torch.ones(1, 1, 2, 2), torch.tensor([[[[0.9, 0.6], [0.7, 0.1]]]]))
    tensor([0.2500], dtype=torch.float64)
    """
    a, b = (to_phases(x) for x in checked_pair(images, reconstructed))
    return in_kind((a != b).flatten(1).double().mean(1), images)


def checked_pair(
    images: Tensor | np.ndarray, reconstructed: Tensor | np.ndarray
) -> tuple[Tensor, Tensor]:
    """Both as tensors; `EvaluationError` if one is no image or their shapes differ."""
    a, b = checked_images(images), checked_images(reconstructed)
    if a.shape != b.shape:
        raise EvaluationError(
            f"images and reconstructed should have one shape, got {tuple(a.shape)} and "
            f"{tuple(b.shape)}. Give the reconstruction of each image, in the same order."
        )
    return a, b
