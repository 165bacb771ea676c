"""Two-point statistics of images against those of others: errors, bars and the six sigma share."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from objectives.arrays import Array
from objectives.errors import EvaluationError
from objectives.fidelity.pixels import checked_pair
from objectives.images import checked_images, in_kind
from objectives.lineal_path import lineal_path
from objectives.specific_surface import specific_surface
from objectives.two_point.correlation import two_point_statistics

VOXELS_PER_CHUNK = 2**20
ROUNDING = 1e-5  # of a probability, as float32 gives it


@dataclass(frozen=True)
class StatisticsBars:
    """Heights and error bars of original structures against reconstructed ones.

    Parameters
    ----------
    original, reconstructed
        Mean over the structures of the mean of each one's two-point statistics.
    original_std, reconstructed_std
        Standard deviation over the structures; 0 for a single one.
    """

    original: float
    original_std: float
    reconstructed: float
    reconstructed_std: float


def two_point_vectors(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    *,
    cutoff: int | None = None,
) -> Float[Tensor, "n f"]:
    """Two-point statistics of each image as one row, at all shifts up to the cutoff.

    Nothing is assumed outside of an image. Of several phases, the correlations of the first with
    each.

    Parameters
    ----------
    images
        ``(n, c, *space)`` in [0, 1].
    cutoff
        Largest shift along each axis; by default a quarter of the shortest axis, up to where
        every shift still has over half of all pairs in 2-D.
    """
    x = checked_images(images)
    if cutoff is None:
        cutoff = min(x.shape[2:]) // 4
    chunks = x.split(_rows_per_chunk(x))
    return torch.cat(
        [two_point_statistics(part, periodic=False, cutoff=cutoff).flatten(1) for part in chunks]
    )


def two_point_mae(
    images: Float[Array, "n c *space"],
    reconstructed: Float[Tensor, "m k *size"] | Float[np.ndarray, "m k *size"],
) -> Float[Array, "n"]:
    """Mean absolute error of each reconstruction's periodic two-point statistics over all shifts.

    Phases should be cut before: a soft reconstruction has other statistics than its phases.

    Parameters
    ----------
    images, reconstructed
        ``(n, c, *space)`` in [0, 1]; row i of one belongs to row i of the other.

    Returns
    -------
    float64, one value an image, a difference of probabilities.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) One of them is no image, or their shapes differ.

    Examples
    --------
    A single phase against none: 1 at every shift against 0.

    >>> two_point_mae(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    tensor([1.], dtype=torch.float64)
    """
    return _mean_absolute_error(images, reconstructed, two_point_statistics)


def lineal_path_mae(
    images: Float[Array, "n c *space"],
    reconstructed: Float[Tensor, "m k *size"] | Float[np.ndarray, "m k *size"],
) -> Float[Array, "n"]:
    """Mean absolute error of each reconstruction's lineal path functions, all phases and axes.

    Nothing is assumed outside of an image; lines are up to a quarter of its shortest axis long.
    Phases should be cut before.

    Parameters
    ----------
    images, reconstructed
        ``(n, c, *space)`` in [0, 1]; row i of one belongs to row i of the other.

    Returns
    -------
    float64, one value an image, a difference of probabilities.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) One of them is no image, or their shapes differ.

    Examples
    --------
    >>> lineal_path_mae(torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))
    tensor([1.], dtype=torch.float64)
    """
    return _mean_absolute_error(images, reconstructed, _lineal_paths)


def _lineal_paths(x: Tensor) -> Tensor:
    cutoff = min(x.shape[2:]) // 4
    phases = range(max(x.shape[1], 2))
    return torch.stack([lineal_path(x, phase=k, periodic=False, cutoff=cutoff) for k in phases], 1)


def _mean_absolute_error(
    images: Array,
    reconstructed: Tensor | np.ndarray,
    statistic: Callable[[Tensor], Tensor],
) -> Array:
    """Of each reconstruction's statistic, a few images at a time."""
    a, b = checked_pair(images, reconstructed)
    rows = _rows_per_chunk(a)
    errors = [
        (statistic(x) - statistic(y)).abs().flatten(1).mean(1).double()
        for x, y in zip(a.split(rows), b.split(rows), strict=True)
    ]
    return in_kind(torch.cat(errors), images)


def interface_ratio(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    reconstructed: Float[Tensor, "m k *size"] | Float[np.ndarray, "m k *size"],
) -> float:
    """Interface of all reconstructions over that of all images, by faces of voxels.

    1 keeps it all; a mean decoder smooths what its code cannot carry and stays below. NaN for
    images without any interface.

    Parameters
    ----------
    images, reconstructed
        ``(n, c, *space)`` in [0, 1]; row i of one belongs to row i of the other.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) One of them is no image, or their shapes differ.

    Examples
    --------
    >>> board = torch.eye(2).repeat(4, 4)[None, None]
    >>> halves = torch.ones(1, 1, 8, 8)
    >>> halves[..., :4] = 0
    >>> round(interface_ratio(board, halves), 4)  # 8 faces of 112
    0.0714
    """
    a, b = checked_pair(images, reconstructed)
    ours, real = _interface(b), _interface(a)
    return ours / real if real > 0 else math.nan


def _interface(x: Tensor) -> float:
    return sum(
        float(specific_surface(part, phase=k, periodic=False, method="faces").double().sum())
        for part in x.split(_rows_per_chunk(x))
        for k in range(x.shape[1])
    )


def share_within_sigma(
    reference: Float[Tensor, "m c *space"] | Float[np.ndarray, "m c *space"],
    images: Float[Array, "n k *size"],
    *,
    sigma: float = 6.0,
    cutoff: int | None = None,
) -> Float[Array, "n"]:
    """Share of each image's two-point statistics within ``sigma`` of the reference set, in [0, 1].

    A shift is within if it differs from the mean over the reference by at most ``sigma`` of its
    standard deviations. **This does not tell structures from noise**: one structure differs from
    the next so much that shuffled pixels of sandstone pass six sigma at every shift. Read it
    beside `ensemble_test` and the share of `shuffled_pixels`.

    Parameters
    ----------
    reference
        At least two images.
    images
        Images of the same channels and size.
    sigma
        Half width in standard deviations between reference images.
    cutoff
        As in `two_point_vectors`.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The reference has less than two images, or the sizes differ.
    """
    check_alike(reference, images)
    if len(reference) < 2:
        raise EvaluationError(
            f"reference should have two images or more, got {len(reference)}: one has no spread."
        )
    expected = two_point_vectors(reference, cutoff=cutoff).double()
    rows = two_point_vectors(images, cutoff=cutoff).double()
    limit = sigma * expected.std(0) + ROUNDING  # a shift that never varies has no deviation
    return in_kind(((rows - expected.mean(0)).abs() <= limit).double().mean(1), images)


def statistics_bars(
    images: Float[Tensor, "n c *space"] | Float[np.ndarray, "n c *space"],
    reconstructed: Float[Tensor, "m k *size"] | Float[np.ndarray, "m k *size"],
    *,
    cutoff: int | None = None,
) -> StatisticsBars:
    """Mean of each structure's two-point statistics, original against reconstructed.

    A coarse view, for comparison with studies that show it: over all shifts of a periodic image
    this mean is the square of the volume fraction and nothing else. Here the shifts are near ones
    (`two_point_vectors`), so that some of the texture counts.

    Parameters
    ----------
    images, reconstructed
        ``(n, c, *space)`` and ``(m, c, *space)`` in [0, 1]: two sets, which need not be in order.
    cutoff
        As in `two_point_vectors`, in voxels.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) A set is empty or no images, or they differ in channels or size.

    Examples
    --------
    >>> bars = statistics_bars(torch.ones(3, 1, 8, 8), torch.zeros(3, 1, 8, 8))
    >>> bars.original, bars.reconstructed
    (1.0, 0.0)
    """
    check_alike(images, reconstructed)
    means = [two_point_vectors(x, cutoff=cutoff).double().mean(1) for x in (images, reconstructed)]
    (original, original_std), (again, again_std) = [
        (float(m.mean()), float(m.std()) if len(m) > 1 else 0.0) for m in means
    ]
    return StatisticsBars(original, original_std, again, again_std)


def check_alike(images: Tensor | np.ndarray, others: Tensor | np.ndarray) -> None:
    """`EvaluationError` for sets that are empty or of different channels or size."""
    a, b = checked_images(images), checked_images(others)
    if a.shape[1:] != b.shape[1:]:
        raise EvaluationError(
            f"both sets should have images of one shape, got {tuple(a.shape[1:])} and "
            f"{tuple(b.shape[1:])}. Cut or resample them to one size."
        )
    if not len(a) or not len(b):
        raise EvaluationError(f"both sets should have images, got {len(a)} and {len(b)}.")


def _rows_per_chunk(x: Tensor) -> int:
    return max(1, VOXELS_PER_CHUNK // math.prod(x.shape[1:]))
