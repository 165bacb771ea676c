"""How fast voxels become unlike with their distance, inside an image."""

import scipy.fft
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["FAINTEST", "fraction_error", "variogram", "variogram_error"]

FAINTEST = 1e-3  # variogram below which errors no longer count relative to it


def variogram(images: Float[Tensor, "n c *space"], reach: int) -> Float[Tensor, "n c shifts"]:
    r"""Half the mean squared difference of two voxels a shift r apart, for short shifts.

    .. math:: \gamma(r) = \frac{1}{2 |W_r|} \sum_{u \in W_r} (x(u + r) - x(u))^2

    over the places :math:`W_r` where both voxels lie inside the image: what is across its edge is
    not known. Of two phases at the shortest shifts it is half the interface. Computed by fast
    Fourier transforms of images padded by the reach.

    Parameters
    ----------
    images
        Values of any scale.
    reach
        Largest shift along each axis, in voxels; less where a side is shorter.

    Returns
    -------
    Shifts in C order from -reach to reach along each axis, without shift zero; r and -r are alike.

    References
    ----------
    .. [1] Matheron (1963), Principles of geostatistics, Economic Geology 58, 1246-1266.

    Examples
    --------
    >>> variogram(torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]]), 2)
    tensor([[[0.5000, 0.1667, 0.1667, 0.5000]]])
    """
    images = images.float()
    space, axes = images.shape[2:], tuple(range(2, images.ndim))
    reaches = [min(reach, side - 1) for side in space]
    sizes = [
        scipy.fft.next_fast_len(side + most, real=True)
        for side, most in zip(space, reaches, strict=True)
    ]
    inside = torch.fft.rfftn(images.new_ones(1, 1, *space), sizes, axes)
    values = torch.fft.rfftn(images, sizes, axes)
    squares = torch.fft.rfftn(images.square(), sizes, axes)
    # Both voxels of a pair squared, less twice their product; and the number of pairs.
    sums = (inside.conj() * squares).real - values.abs().square()
    pairs = inside.abs().square()
    found = torch.fft.irfftn(sums, sizes, axes)
    count = torch.fft.irfftn(pairs, sizes, axes)
    for axis, (most, size) in enumerate(zip(reaches, sizes, strict=True), 2):
        shifts = torch.arange(-most, most + 1, device=images.device) % size
        found, count = found.index_select(axis, shifts), count.index_select(axis, shifts)
    both = (found / count).flatten(2)
    middle = both.shape[2] // 2
    return torch.cat([both[..., :middle], both[..., middle + 1 :]], dim=-1)


def variogram_error(
    made: Float[Tensor, "n c *space"], images: Float[Tensor, "n c *space"], reach: int
) -> Float[Tensor, ""]:
    """Mean squared relative error of `variogram` at short shifts.

    Of two phases, the shortest shifts are the amount of interface. A texture of the right amount
    of interface but the wrong size or direction is told by the other shifts.

    Parameters
    ----------
    made, images
        Values in [0, 1].
    reach
        Largest shift along each axis, in voxels.
    """
    ours, real = (variogram(x, reach) for x in (made, images))
    # A uniform image has no variogram: it asks for none, in units of a faint one.
    return ((ours - real) / real.clamp_min(FAINTEST)).pow(2).mean()


def fraction_error(
    made: Float[Tensor, "n c *space"], images: Float[Tensor, "n c *space"]
) -> Float[Tensor, ""]:
    """Mean squared error of the mean of each image, which no variogram sees."""
    return (made.flatten(2).mean(2) - images.flatten(2).mean(2)).pow(2).mean()
