"""Two-point statistics of images in 2-D and 3-D, by torch or by PyMKS, and their radial average."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.fft import next_fast_len
from torch import Tensor

from objectives.arrays import Array
from objectives.grid import Grid
from objectives.images import checked_images, in_kind
from objectives.pymks_import import import_pymks
from objectives.two_point.measured import measured

Pairs = Sequence[Sequence[int]]
Space = tuple[int, ...]
Shifts = tuple[Space, Space]

# Voxels that are transformed at once: what a cache holds with their waves.
PART = 2**16
LEAST_PAIR_WEIGHT = 1e-6
ROUNDING = 1e-9


def two_point_statistics(
    images: Float[Array, "n c *space"],
    *,
    correlations: Pairs | None = None,
    periodic: bool = True,
    mask: Tensor | np.ndarray | None = None,
    cutoff: int | None = None,
    engine: Literal["torch", "pymks"] = "torch",
) -> Float[Array, "n p *shifts"]:
    r"""Probability :math:`f_{ij}(r)` that a point is in phase i, and in phase j the one r further.

    .. math:: f_{ij}(r) = \frac{1}{N(r)} \sum_s m_i(s)\, m_j(s + r)

    Shift zero is at the **centre**, index ``size // 2`` of every axis, as in PyMKS. N(r) counts the
    voxels s: all of them if periodic, else those with s + r in the image. With a mask w it is
    :math:`\sum_s w(s)\, w(s + r)`, the mask's own correlation, and the sum above counts pairs of
    measured voxels only, each by the product of its weights.

    Parameters
    ----------
    images
        One channel is the indicator of phase 1; of more, each is the indicator of its phase. They
        are taken as they are: channels that do not add to one are correlated all the same.
    correlations
        Pairs (i, j) of channels. By default (0, 0), (0, 1), ... (0, c - 1), as in PyMKS: the other
        pairs follow from these. For one channel that is its autocorrelation.
    periodic
        Whether the image repeats. If not, nothing is assumed outside of it.
    mask
        How far each voxel was measured: numbers in [0, 1] or booleans, of shape ``(n, 1, *space)``,
        or ``(1, 1, *space)`` for all images. What lies where it is 0 is not read, be it NaN. Summed
        in float64 whatever the type, since few pairs may be left.
    cutoff
        Largest shift along each axis: the answer has 2 cutoff + 1 shifts an axis. By default it has
        as many as the image has voxels, from ``-(size // 2)`` to ``(size - 1) // 2``.
    engine
        ``"torch"`` is batched, differentiable and runs on the images' device. ``"pymks"`` computes
        the correlations by PyMKS, whose own ``two_point_stats`` is this with the largest cutoff
        that fits the shortest axis. They agree to rounding.

    Returns
    -------
    One field of shifts an image and pair, dimensionless, in [0, 1], of the images' type.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The images are not images.
    ValueError
        A channel does not exist, the cutoff is too large, a gradient is asked of PyMKS, or the
        mask leaves a shift without a pair of measured voxels: there the answer would be 0 / 0, so
        the message names the largest cutoff that has pairs at all of its shifts.
    ImportError
        PyMKS is asked for and not installed.

    References
    ----------
    .. [1] Torquato (2002), Random Heterogeneous Materials, section 2.1.
    .. [2] Niezgoda, Fullwood, Kalidindi (2008), Delineation of the space of 2-point correlations
       in a composite material system, Acta Materialia 56, 5285 (which pairs are independent).

    Examples
    --------
    Layers one voxel thick: phase 1 meets itself half of the time at even shifts along the first
    axis, and never at odd ones.

    >>> import torch
    >>> layers = torch.tensor([[[[0.0] * 4, [1.0] * 4] * 2]])
    >>> two_point_statistics(layers)[0, 0, :, 2]
    tensor([0.5000, 0.0000, 0.5000, 0.0000])
    """
    given, w = (images, None) if mask is None else measured(images, mask)
    x = checked_images(given)
    pairs = _checked_pairs(correlations, x.shape[1])
    space = tuple(x.shape[2:])
    shifts = _largest_shifts(space, cutoff)
    padded = space if periodic else tuple(map(_padded, space, shifts[0]))
    if engine not in ("torch", "pymks"):
        raise ValueError(f"engine should be 'torch' or 'pymks', got {engine!r}.")
    if len(x) == 0:  # of which the FFT knows nothing
        shape = (back + ahead + 1 for back, ahead in zip(*shifts, strict=True))
        return in_kind(x.new_zeros(0, len(pairs), *shape), images)
    correlate = _correlate_by_torch if engine == "torch" else _correlate_by_pymks
    if w is not None:
        counts = correlate(w, [(0, 0)], padded, shifts)
        _refuse_empty_shifts(counts)
        answer = correlate(x.double() * w, pairs, padded, shifts) / counts
        return in_kind(answer.to(x.dtype), images)
    counts = math.prod(space) if periodic else _pair_counts(x, *shifts)
    return in_kind(correlate(x, pairs, padded, shifts) / counts, images)


def radial_average(
    statistics: Float[Tensor, "n p *shifts"],
    *,
    voxel_size_um: float | int | Sequence[float | int] = 1.0,
) -> Float[Tensor, "n p r"]:
    """Mean over all shifts of length 0, 1, 2 ... steps, each shift rounded to the nearest length.

    A step is the edge of a voxel, of longer ones the shortest: along the others, shifts in between
    are interpolated, which is what the statistics of the voxels cut into cubes are. Ends at the
    largest length that fits the shortest axis in every direction.

    Parameters
    ----------
    statistics
        As `two_point_statistics` gives them, zero shift at the centre.
    voxel_size_um
        Edge of a voxel, or one for each axis of the images.

    Raises
    ------
    EvaluationError
        (A ``ValueError``.) The voxel size does not fit the images.
    """
    for axis, edge in enumerate(Grid(voxel_size_um).steps(statistics.ndim - 2), 2):
        if edge > 1:
            statistics = _interpolated(statistics, axis, edge)
    shifts = statistics.shape[2:]
    axes = [torch.arange(n, device=statistics.device) - n // 2 for n in shifts]
    grids = torch.meshgrid(*axes, indexing="ij")
    squares = reduce(torch.add, (grid.double() ** 2 for grid in grids))
    lengths = squares.sqrt().round().long().flatten()
    longest = (min(shifts) - 1) // 2
    inside = lengths <= longest
    lengths = lengths[inside]
    sums = statistics.new_zeros(*statistics.shape[:2], longest + 1)
    sums = sums.index_add(2, lengths, statistics.flatten(2)[..., inside])
    return sums / torch.bincount(lengths)


def _interpolated(
    statistics: Float[Tensor, "n p *shifts"], axis: int, edge: float
) -> Float[Tensor, "n p *finer"]:
    """At every step along an axis, as far as there are shifts on both sides."""
    n = statistics.shape[axis]
    furthest = int((n - 1) // 2 * edge + ROUNDING)
    steps = torch.arange(-furthest, furthest + 1, dtype=torch.float64, device=statistics.device)
    at = steps / edge + n // 2
    before = (at + ROUNDING).floor().long().clamp_max(n - 1)
    share = (at - before).clamp_min(0).to(statistics)
    share = share.reshape([-1 if a == axis else 1 for a in range(statistics.ndim)])
    after = (before + 1).clamp_max(n - 1)
    return statistics.index_select(axis, before) * (1 - share) + (
        statistics.index_select(axis, after) * share
    )


def _checked_pairs(correlations: Pairs | None, channels: int) -> Pairs:
    pairs = [(0, j) for j in range(channels)] if correlations is None else list(correlations)
    known = range(channels)
    if not pairs or not all(len(pair) == 2 and set(pair) <= set(known) for pair in pairs):
        raise ValueError(
            f"correlations should be pairs of channels 0 to {channels - 1}, got {correlations}."
        )
    return pairs


def _largest_shifts(space: Space, cutoff: int | None) -> Shifts:
    """Along each axis, how far shifts reach backward and forward."""
    if cutoff is None:
        return tuple(n // 2 for n in space), tuple((n - 1) // 2 for n in space)
    if not 0 <= cutoff <= (min(space) - 1) // 2:
        raise ValueError(
            f"cutoff should be from 0 to {(min(space) - 1) // 2} for images of {space}, "
            f"got {cutoff}."
        )
    return (cutoff,) * len(space), (cutoff,) * len(space)


def _refuse_empty_shifts(counts: Float64[Tensor, "m 1 *shifts"]) -> None:
    """Rounding of the FFT is far below the least weight that counts as a pair."""
    empty = (counts < LEAST_PAIR_WEIGHT)[:, 0]
    if not empty.any():
        return
    row = int(empty.flatten(1).any(1).nonzero()[0, 0])
    offsets = empty[row].nonzero() - torch.tensor(empty.shape[1:], device=empty.device) // 2
    nearest = int(offsets.abs().amax(1).min())
    remedy = f"Set cutoff to {nearest - 1} or less." if nearest else "Leave that image out."
    raise ValueError(
        f"mask of row {row} leaves {len(offsets)} shifts without a pair of measured voxels, where "
        f"two-point statistics are undefined. {remedy}"
    )


def _padded(size: int, shift: int) -> int:
    """Room for the largest shift without meeting the other end, in a size the FFT likes."""
    return next_fast_len(size + shift, real=True)


def _correlate_by_torch(
    x: Float[Tensor, "n c *space"], pairs: Pairs, padded: Space, shifts: Shifts
) -> Float[Tensor, "n p *shifts"]:
    """Sum of products at every shift asked for, zero shift at the centre."""
    places = [
        torch.arange(-back, ahead + 1, device=x.device) % size
        for size, back, ahead in zip(padded, *shifts, strict=True)
    ]
    rows = max(1, PART // math.prod(padded))
    return torch.cat([_correlate_part(part, pairs, padded, places) for part in x.split(rows)])


def _correlate_part(
    x: Float[Tensor, "n c *space"], pairs: Pairs, padded: Space, places: list[Tensor]
) -> Float[Tensor, "n p *shifts"]:
    # Axis by axis: padding comes as late, and cutting as early, as they can.
    waves = torch.fft.rfft(x, padded[-1])
    for axis, size in enumerate(padded[:-1], 2):
        waves = torch.fft.fft(waves, size, axis)
    products = torch.stack([waves[:, i].conj() * waves[:, j] for i, j in pairs], 1)
    for axis, place in enumerate(places[:-1], 2):
        products = torch.fft.ifft(products, dim=axis).index_select(axis, place)
    return torch.fft.irfft(products, padded[-1]).index_select(x.ndim - 1, places[-1])


def _correlate_by_pymks(
    x: Float[Tensor, "n c *space"], pairs: Pairs, padded: Space, shifts: Shifts
) -> Float[Tensor, "n p *shifts"]:
    """The same by PyMKS, which has zero shift at the centre of the padded cell."""
    if x.requires_grad:
        raise ValueError(
            "engine='pymks' has no gradient: use engine='torch', or pass images.detach()."
        )
    cross_correlation = import_pymks().fmks.correlations.cross_correlation
    room = [(0, size - n) for size, n in zip(padded, x.shape[2:], strict=True)]
    phases = np.pad(x.cpu().numpy(), [(0, 0), (0, 0), *room])
    window = tuple(
        slice(size // 2 - back, size // 2 + ahead + 1)
        for size, back, ahead in zip(padded, *shifts, strict=True)
    )
    sums = [np.asarray(cross_correlation(phases[:, i], phases[:, j]))[:, *window] for i, j in pairs]
    return torch.as_tensor(np.stack(sums, 1), dtype=x.dtype, device=x.device)


def _pair_counts(x: Tensor, before: Space, after: Space) -> Float[Tensor, "*shifts"]:
    """Voxels whose partner is in the image: the product over axes of size - abs(shift)."""
    counts = x.new_ones(())
    for n, b, a in zip(x.shape[2:], before, after, strict=True):
        shift = torch.arange(-b, a + 1, device=x.device, dtype=x.dtype)
        counts = counts[..., None] * (n - shift.abs())
    return counts
