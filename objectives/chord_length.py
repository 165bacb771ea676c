"""Chord length distribution: how long the stretches of a phase are along an axis."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from objectives.arrays import Array
from objectives.grid import Grid
from objectives.images import checked_images, in_kind, phase_indicator
from objectives.lineal_path import ROUNDING, times_ahead


def chord_length_distribution(
    images: Float[Array, "n c *space"],
    *,
    phase: int = 1,
    periodic: bool = True,
    voxel_size_um: float | int | Sequence[float | int] = 1.0,
) -> Float[Array, "n axes length"]:
    r"""Share of an axis' chords that are 0, 1, 2 ... steps long.

    A chord is a stretch of voxels of the phase along an axis with a voxel of another phase before
    it and after it. So a line that lies in the phase from end to end has none, and without
    `periodic` neither have stretches that touch the image's border, whose length is not known.

    One row an axis, in the order of the images' axes (z, y, x). The index is the length, up to one
    less than the longest axis has steps; the mean length is ``(p * torch.arange(size)).sum(-1)``.
    A step is the edge of a voxel, of longer ones the shortest; a chord between two lengths counts
    for both, so that the mean is right. Differentiable; values between 0 and 1 count as
    probabilities.

    Parameters
    ----------
    images
        One channel is the indicator of phase 1; of more, each is the indicator of its phase.
    phase
        Whose chords are counted.
    periodic
        Whether the image repeats.
    voxel_size_um
        Edge of a voxel, or one for each axis of the images.

    Returns
    -------
    Dimensionless, in [0, 1]; each row adds to 1, or is all 0 where there is no chord, as in an
    image of one phase.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or have no such phase, or the voxel size does
        not fit them.

    References
    ----------
    .. [1] Torquato, Lu (1993), Chord-length distribution function for two-phase random media,
       Physical Review E 47, 2950.

    Examples
    --------
    Layers of one and of two voxels:

    >>> layers = torch.zeros(1, 1, 6, 6)
    >>> layers[:, :, [0, 2, 3]] = 1
    >>> chord_length_distribution(layers)
    tensor([[[0.0000, 0.5000, 0.5000, 0.0000, 0.0000, 0.0000],
             [0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000]]])
    """
    x = checked_images(images)
    m = phase_indicator(x, phase)[:, 0]
    edges = Grid(voxel_size_um, periodic).steps(m.ndim - 1)
    sides = zip(m.shape[1:], edges, strict=True)
    longest = math.ceil(max(n * edge for n, edge in sides) - ROUNDING)
    counts = [_chords_along(m, axis, longest, periodic, e) for axis, e in enumerate(edges, 1)]
    counted = torch.stack(counts, 1)
    total = counted.sum(-1, keepdim=True)
    return in_kind(counted / torch.where(total > 0, total, 1), images)


def _chords_along(
    m: Float[Tensor, "n *space"], axis: int, longest: int, periodic: bool, edge: float
) -> Float[Tensor, "n length"]:
    """Number of chords of every length below the longest."""
    outside, size = 1 - m, m.shape[axis]
    run, counts = outside, [torch.zeros_like(m[:, 0].flatten(1).sum(1))] * (longest + 1)
    for voxels in range(1, size if periodic else size - 1):
        if not (run.requires_grad or run.any()):
            break
        run = times_ahead(run, m, voxels, axis, periodic)
        ended = times_ahead(run, outside, voxels + 1, axis, periodic).flatten(1).sum(1)
        length = int(voxels * edge + ROUNDING)
        share = max(voxels * edge - length, 0.0)  # on the way to the next length
        counts[length] = counts[length] + (1 - share) * ended
        counts[length + 1] = counts[length + 1] + share * ended
    return torch.stack(counts[:longest], 1)
