"""Pair correlation: two-point statistics by distance, against those of no correlation."""

from collections.abc import Sequence

import torch
from jaxtyping import Float

from objectives.arrays import Array
from objectives.errors import EvaluationError
from objectives.images import checked_images, in_kind
from objectives.two_point.correlation import Pairs, radial_average, two_point_statistics


def pair_correlation(
    images: Float[Array, "n c *space"],
    *,
    correlations: Pairs | None = None,
    periodic: bool = True,
    cutoff: int | None = None,
    voxel_size_um: float | int | Sequence[float | int] = 1.0,
) -> Float[Array, "n p r"]:
    r"""How much likelier a phase is at distance r from another than anywhere: 1 is no correlation.

    .. math:: g_{ij}(r) = \frac{\langle f_{ij}(r) \rangle_{|r| = r}}{\phi_i\, \phi_j}

    The two-point statistics averaged over directions (`radial_average`), over the product of the
    volume fractions. With one voxel for the centre of each particle it is the particles' radial
    distribution function, besides r = 0, where each meets itself.

    Parameters
    ----------
    images, correlations, periodic, cutoff
        As `two_point_statistics` takes them: the cutoff is in voxels along each axis.
    voxel_size_um
        Edge of a voxel, or one for each axis of the images.

    Returns
    -------
    One row an image and pair for r = 0, 1, 2 ... steps, dimensionless, 0 or more. A step is the
    edge of a voxel, of longer ones the shortest.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or one has nothing of a phase that is asked
        for: g is then undefined.
    ValueError
        A channel does not exist, or the cutoff is too large.

    References
    ----------
    .. [1] Torquato (2002), Random Heterogeneous Materials, chapters 2 and 3.

    Examples
    --------
    A checkerboard meets itself twice as often as chance would, or never:

    >>> board = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    >>> pair_correlation(board[None, None].float(), cutoff=1)
    tensor([[[2., 1.]]])
    """
    x = checked_images(images)
    statistics = two_point_statistics(
        x, correlations=correlations, periodic=periodic, cutoff=cutoff
    )
    pairs = [(0, j) for j in range(x.shape[1])] if correlations is None else correlations
    fractions = x.flatten(2).mean(2)
    first, second = (torch.tensor(list(side), device=x.device) for side in zip(*pairs, strict=True))
    absent = fractions.detach()[:, torch.cat([first, second])] <= 0
    if absent.any():
        row, k = absent.nonzero()[0].tolist()
        raise EvaluationError(
            f"images should have some of every phase that is correlated, got none of channel "
            f"{int(torch.cat([first, second])[k])} in row {row}. Leave that row or channel out."
        )
    product = fractions[:, first] * fractions[:, second]
    averages = radial_average(statistics, voxel_size_um=voxel_size_um)
    return in_kind(averages / product[..., None], images)
