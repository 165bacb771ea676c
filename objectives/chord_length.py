"""Chord length distribution: how long the stretches of a phase are along an axis."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from objectives.images import checked_images, in_kind, phase_indicator
from objectives.lineal_path import times_ahead


def chord_length_distribution(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    *,
    phase: int = 1,
    periodic: bool = True,
) -> Float[Tensor, "n axes length"] | Float[np.ndarray, "n axes length"]:
    r"""Share of an axis' chords that are 0, 1, 2 ... voxels long.

    A chord is a stretch of voxels of the phase along an axis with a voxel of another phase before
    it and after it. So a line that lies in the phase from end to end has none, and without
    `periodic` neither have stretches that touch the image's border, whose length is not known.

    One row an axis, in the order of the images' axes (z, y, x). The index is the length, up to one
    less than the longest axis has voxels; the mean length is ``(p * torch.arange(size)).sum(-1)``.
    Differentiable; values between 0 and 1 count as probabilities.

    Parameters
    ----------
    images
        One channel is the indicator of phase 1; of more, each is the indicator of its phase.
    phase
        Whose chords are counted.
    periodic
        Whether the image repeats.

    Returns
    -------
    Dimensionless, in [0, 1]; each row adds to 1, or is all 0 where there is no chord, as in an
    image of one phase.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images, or have no such phase.

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
    longest = max(m.shape[1:])
    counts = [_chords_along(m, axis, longest, periodic) for axis in range(1, m.ndim)]
    counted = torch.stack(counts, 1)
    total = counted.sum(-1, keepdim=True)
    return in_kind(counted / torch.where(total > 0, total, 1), images)


def _chords_along(
    m: Float[Tensor, "n *space"], axis: int, longest: int, periodic: bool
) -> Float[Tensor, "n length"]:
    """Number of chords of every length below the longest."""
    outside, size = 1 - m, m.shape[axis]
    run, counts = outside, [m.new_zeros(len(m))]
    for length in range(1, size if periodic else size - 1):
        if not (run.requires_grad or run.any()):
            break
        run = times_ahead(run, m, length, axis, periodic)
        ended = times_ahead(run, outside, length + 1, axis, periodic)
        counts.append(ended.flatten(1).sum(1))
    counts += [torch.zeros_like(counts[0])] * (longest - len(counts))
    return torch.stack(counts, 1)
