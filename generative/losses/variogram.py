"""How fast voxels become unlike with their distance, inside an image."""

import scipy.fft
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["variogram"]


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
