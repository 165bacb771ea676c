"""Smallest size of a phase: the largest ball that reaches all of it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64
from scipy import fft

Edges = Sequence[float | int] | Float64[np.ndarray, "dim"]

# Grey images have a hundred thousand different depths: looked through as far as this share of an
# edge. Below the finer one, sizes differ by rounding.
PRECISION, ROUNDING = 1e-3, 1e-7
# Counts of a convolution in single precision are off by less than a tenth up to this product.
MOST_SINGLE = 1e10


def smallest_size(
    inside: Bool[np.ndarray, "*space"],
    depth: Float64[np.ndarray, "*space"],
    *,
    periodic: bool,
    edges: Edges | None = None,
) -> tuple[float, float]:
    r"""Largest diameter :math:`D` whose balls, moved inside the phase, reach all of it.

    This is the opening of mathematical morphology with an allowance for corners: a voxel is reached
    within :math:`\sqrt{d}\,(D + e)/2` of a place where the ball fits, in :math:`d` dimensions, with
    the edge :math:`e` of a voxel (of boxes, along each axis with its own). That is as far as the
    corner of a cube around the ball, and half a voxel's diagonal, because balls move in steps of a
    voxel. So a stripe of width ``w`` and a box of shortest edge ``w`` have size ``w``, although no
    ball fills a corner. Thinner bridges and spikes are not reached, once they stand out further
    than that.

    Parameters
    ----------
    inside, depth
        The phase, and the depth of its voxels by `depth_inside`.
    periodic
        Whether the image repeats.
    edges
        Edge of a voxel along each axis, by default 1: the unit of the depth and the answer.

    Returns
    -------
    The size, and the next larger diameter that was found not to reach all (infinite, if the size is
    that of the largest ball). An absent phase has no thin part: its size is the longest edge.
    """
    edges = _edges(inside.shape, edges)
    if not inside.any():
        return float((edges * inside.shape).max()), float("inf")
    unit = _along_space(inside.shape, edges).min()
    sizes = np.unique(2 * depth[inside])
    sizes = sizes[np.diff(sizes, prepend=-np.inf) > ROUNDING * unit]
    low, high = 0, len(sizes)  # the smallest reaches all: it is everywhere
    while high - low > 1:
        if high < len(sizes) and sizes[high] - sizes[low] < PRECISION * unit:
            break
        middle = (low + high) // 2
        if out_of_reach(inside, depth, sizes[middle], periodic=periodic, edges=edges).any():
            high = middle
        else:
            low = middle
    return float(sizes[low]), float(sizes[high]) if high < len(sizes) else float("inf")


def out_of_reach(
    inside: Bool[np.ndarray, "*space"],
    depth: Float64[np.ndarray, "*space"],
    size: float,
    *,
    periodic: bool,
    edges: Edges | None = None,
) -> Bool[np.ndarray, "*space"]:
    """Voxels of the phase that no ball of diameter `size` reaches."""
    edges = _edges(inside.shape, edges)
    space = _along_space(inside.shape, edges)
    # Rounding must not decide whether a ball fits that fits exactly.
    fits = inside & (depth >= size / 2 - ROUNDING / 2 * space.min())
    reach = np.sqrt(len(space)) * (size + edges) / 2 + ROUNDING * space.min()
    return inside & ~_dilated(fits, reach / edges, periodic)


def _edges(shape: tuple[int, ...], edges: Edges | None) -> Float64[np.ndarray, "dim"]:
    return np.ones(len(shape)) if edges is None else np.asarray(edges, np.float64)


def _along_space(shape: tuple[int, ...], edges: np.ndarray) -> Float64[np.ndarray, "d"]:
    """Edges along the axes of more than one voxel; one voxel thick is a section."""
    thick = np.array(shape) > 1
    return edges[thick] if thick.any() else edges[-1:]


def _dilated(mask: np.ndarray, radii: np.ndarray, periodic: bool) -> np.ndarray:
    """The voxels in an ellipsoid around any of the mask; by convolution, cheaper than distances."""
    if not mask.any():
        return mask
    if periodic:
        shape = mask.shape
    else:
        sides = zip(mask.shape, radii, strict=True)
        widest = [min(int(radius), n - 1) for n, radius in sides]
        shape = tuple(
            fft.next_fast_len(n + w, real=True) for n, w in zip(mask.shape, widest, strict=True)
        )
    steps = [np.minimum(np.arange(n), n - np.arange(n)) for n in shape]
    squares = [np.square(step / radius) for step, radius in zip(steps, radii, strict=True)]
    ball = np.asarray(sum(np.ix_(*squares))) <= 1
    several = float(mask.sum()) * float(ball.sum()) > MOST_SINGLE
    precision = np.float64 if several else np.float32
    counts = fft.irfftn(
        fft.rfftn(mask.astype(precision), shape) * fft.rfftn(ball.astype(precision)), shape
    )
    return counts[tuple(slice(n) for n in mask.shape)] > 0.5
