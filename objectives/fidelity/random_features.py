"""Features of images by a convolutional network of fixed random weights."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from objectives.arrays import Array
from objectives.images import checked_images, in_kind

WIDTHS = (8, 16, 32)
VOXELS_PER_CHUNK = 2**20


def random_cnn_features(
    images: Float[Array, "n c *space"], *, seed: int = 0
) -> Float[Array, "n 56"]:
    """Mean response of each channel of a random network: 56 numbers that tell textures apart.

    Three stages of convolution (3 voxels a side), ReLU and halving, which see 3, 8 and 18 voxels.
    No training and no weights to fetch; proposed by [1]_ for images unlike the photographs that
    Inception was trained on. Distances in this space compare with those of the same seed and number
    of channels only, and are no FID.

    Parameters
    ----------
    images
        Two- or three-dimensional, phases or grey levels in [0, 1].
    seed
        Names the network.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images.

    References
    ----------
    .. [1] Naeem, Oh, Uh, Choi, Yoo (2020), Reliable fidelity and diversity metrics for generative
       models, ICML.
    """
    x = checked_images(images).detach().float()
    rows = max(1, VOXELS_PER_CHUNK // (WIDTHS[0] * x[0].numel())) if len(x) else 1
    weights = _weights(x.shape[1], x.ndim - 2, seed)
    return in_kind(torch.cat([_responses(part, weights) for part in x.split(rows)]), images)


def _weights(channels: int, dims: int, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Kernel and bias of each stage, scaled to keep the variance (He et al. 2015, eq. 10)."""
    generator = torch.Generator().manual_seed(seed)
    stages = []
    for width in WIDTHS:
        kernel = torch.randn(width, channels, *(3,) * dims, generator=generator)
        stages.append(
            (
                kernel * (2 / (channels * 3**dims)) ** 0.5,
                0.1 * torch.randn(width, generator=generator),
            )
        )
        channels = width
    return stages


def _responses(
    x: Float[Tensor, "n c *space"], stages: list[tuple[Tensor, Tensor]]
) -> Float[Tensor, "n f"]:
    dims = x.ndim - 2
    convolve, halve = (
        (functional.conv2d, functional.avg_pool2d)
        if dims == 2
        else (functional.conv3d, functional.avg_pool3d)
    )
    x, means = 2 * x - 1, []
    for kernel, bias in stages:
        x = functional.pad(x, (1, 1) * dims, mode="replicate")
        x = convolve(x, kernel.to(x), bias.to(x)).relu()
        means.append(x.flatten(2).mean(2))
        x = halve(x, [min(2, side) for side in x.shape[2:]], ceil_mode=True)
    return torch.cat(means, 1)
