"""Minimum size that gradients go through: opening by convolutions and smooth steps."""

import math
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from objectives.errors import EvaluationError
from objectives.images import checked_images, phase_indicator


def soft_thin_share(
    images: Float[Tensor, "n c *space"],
    size: int,
    *,
    phase: int = 1,
    sharpness: float = 8.0,
    periodic: bool = True,
) -> Float[Tensor, "n"]:
    r"""Share of a phase's volume in features thinner than `size`, from 0 to 1; differentiable.

    The opening of `MinSolid` with each threshold softened: :math:`e = \sigma(b\,(B \ast x - |B| +
    1/2))` is 1 where the ball :math:`B` of diameter `size` fits, :math:`o = \sigma(b\,(C \ast e -
    1/2))` where a place at which it fits is in reach, and the share is that of :math:`x(1 - o)` in
    :math:`x`. Projections of this kind are those of the robust formulation of topology
    optimization [1]_. As the sharpness :math:`b` grows, on images of zeros and ones it becomes the
    share of the phase that the hard opening by that ball does not reach; gradients then live on
    the few voxels near a threshold only, so raise it step by step.

    Parameters
    ----------
    images
        Shares of phases in [0, 1].
    size
        Diameter in voxels, from 1. Even balls are centred between voxels.
    phase
        Which phase should not be thin. ``phase=0`` of one channel bounds the size of the void.
    sharpness
        Steepness :math:`b` of the steps, per voxel counted.
    periodic
        Whether images repeat; else their last voxels go on beyond the faces.

    Raises
    ------
    ValueError
        The size is no positive integer that fits into the image, or the sharpness not positive.

    References
    ----------
    .. [1] Wang, Lazarov, Sigmund (2011), Structural and Multidisciplinary Optimization 43, 767.

    Examples
    --------
    >>> wall = torch.zeros(1, 1, 12, 12)
    >>> wall[..., 2:5] = 1
    >>> [round(soft_thin_share(wall, size, sharpness=50.0).item(), 6) for size in (3, 4)]
    [0.0, 1.0]
    """
    x = phase_indicator(checked_images(images), phase)
    _check(size, sharpness, x.shape[2:])
    dim = max(sum(n > 1 for n in x.shape[2:]), 1)
    centred = 0.0 if size % 2 else 0.5  # even balls sit on the corners of voxels
    ball = _ball(size / 2 + 0.5, centred, x)
    reach = _ball(math.sqrt(dim) * (size + 1) / 2, centred, x)
    fits = torch.sigmoid(sharpness * (_summed(x, ball, periodic, before=True) - ball.sum() + 0.5))
    reached = torch.sigmoid(sharpness * (_summed(fits, reach, periodic, before=False) - 0.5))
    thin = (x * (1 - reached)).flatten(1).sum(1)
    return thin / x.flatten(1).sum(1).clamp_min(torch.finfo(x.dtype).tiny)


def _check(size: int, sharpness: float, shape: tuple[int, ...]) -> None:
    if not isinstance(size, int) or not 1 <= size <= max(shape):
        raise EvaluationError(
            f"size should be a whole number of voxels from 1 to {max(shape)}, the longest edge of "
            f"the images, got {size!r}."
        )
    if not (math.isfinite(sharpness) and sharpness > 0):
        raise EvaluationError(f"sharpness should be a positive number, got {sharpness!r}.")


def _ball(radius: float, centred: float, x: Tensor) -> Tensor:
    """Indicator of the voxels within the radius of a voxel's centre (or corner, if 1/2)."""
    axes = []
    for n in x.shape[2:]:
        if n == 1:
            axes.append(x.new_zeros(1))
            continue
        half = int(radius - centred)
        axes.append(torch.arange(-half, half + (2 if centred else 1), device=x.device) - centred)
    squares = (
        axis.to(x.dtype).square().reshape([-1 if i == j else 1 for j in range(len(axes))])
        for i, axis in enumerate(axes)
    )
    strictly = radius * radius - 1e-6
    return (reduce(torch.add, squares) < strictly).to(x.dtype)


def _summed(x: Tensor, ball: Tensor, periodic: bool, *, before: bool) -> Tensor:
    """Sum over the ball around every voxel; even balls go from voxels to corners, and back.

    An image that ends at its faces has a corner more than voxels along each axis.
    """
    for axis, n in enumerate(ball.shape, start=2):
        low = n // 2 if before else (n - 1) // 2
        x = _extended(x, axis, low, n - 1 - low if periodic else low, periodic)
    convolve = functional.conv2d if ball.ndim == 2 else functional.conv3d
    return convolve(x, ball[None, None])


def _extended(x: Tensor, axis: int, low: int, high: int, periodic: bool) -> Tensor:
    index = torch.arange(-low, x.shape[axis] + high, device=x.device)
    index = index % x.shape[axis] if periodic else index.clamp(0, x.shape[axis] - 1)
    return x.index_select(axis, index)
