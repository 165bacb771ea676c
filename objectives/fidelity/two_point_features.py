"""Two-point features of equal weight: amounts, correlations by length and by axis, interface."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from objectives.images import checked_images
from objectives.two_point.correlation import radial_average, two_point_statistics

VOXELS_PER_CHUNK = 2**20


def two_point_features(images: Float[Tensor, "n c *space"]) -> Float64[Tensor, "n f"]:
    """Phase fractions, two-point correlations around and along each axis, and interface.

    Of each channel: the mean square (of phases their fraction); the periodic autocorrelation at
    shifts of 1, 3, 5 ... voxels up to half of the shortest side, averaged over all directions and
    along each axis; the mean jump from voxel to voxel along each axis (of phases the interface).

    Parameters
    ----------
    images
        ``(n, c, *space)`` in [0, 1], phases or grey levels, of two voxels or more along each axis.

    Returns
    -------
    Dimensionless; about ``c (3 dims + side (dims + 1) / 4)`` numbers a structure.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images.

    Examples
    --------
    Layers one voxel thick: half of the voxels are of phase 1; of the eight neighbours of each, two
    are of the same; those along y are of the other phase, those along x of the same.

    >>> layers = torch.tensor([[[[0.0] * 4, [1.0] * 4] * 2]])
    >>> two_point_features(layers)[0].tolist()
    [0.5, 0.125, 0.0, 0.5, 1.0, 0.0]
    """
    x = checked_images(images).detach()
    rows = max(1, VOXELS_PER_CHUNK // max(1, x[:1].numel()))
    return torch.cat([_features(part) for part in x.split(rows)])


def _features(x: Tensor) -> Tensor:
    space, channels = x.shape[2:], x.shape[1]
    s2 = two_point_statistics(x.float(), correlations=[(k, k) for k in range(channels)])
    centre = tuple(side // 2 for side in space)
    # One side of zero: the other is the same backwards. An axis of two voxels has no more than one.
    shifts = torch.arange(1, max(2, (min(space) + 1) // 2), 2)
    around = radial_average(s2)
    around = around[..., shifts[shifts < around.shape[-1]]]
    along = []
    for axis, middle in enumerate(centre):
        place: list[int | Tensor] = list(centre)
        place[axis] = middle - shifts
        along.append(s2[:, :, *place])
    jumps = [x.diff(dim=axis).abs().flatten(2).mean(2)[..., None] for axis in range(2, x.ndim)]
    parts = [s2[:, :, *centre][..., None], around, *along, *jumps]
    return torch.cat(parts, dim=2).flatten(1).double()
