"""Smallest size of a phase: the largest ball that reaches all of it."""

import numpy as np
from jaxtyping import Bool, Float64
from scipy import fft

# Grey images have a hundred thousand different depths: looked through as far as this, in voxels.
PRECISION = 1e-3


def smallest_size(
    inside: Bool[np.ndarray, "*space"], depth: Float64[np.ndarray, "*space"], *, periodic: bool
) -> tuple[float, float]:
    r"""Largest diameter :math:`D` in voxels whose balls, moved inside the phase, reach all of it.

    This is the opening of mathematical morphology with an allowance for corners: a voxel is reached
    within :math:`\sqrt{d}\,(D + 1)/2` of a place where the ball fits, in :math:`d` dimensions. That
    is as far as the corner of a cube around the ball, and half a voxel's diagonal, because balls
    move in steps of a voxel. So a stripe of ``w`` voxels and a box of shortest edge ``w`` have size
    ``w``, although no ball fills a corner. Thinner bridges and spikes are not reached, once they
    stand out further than that.

    Parameters
    ----------
    inside, depth
        The phase, and the depth of its voxels by `depth_inside`.
    periodic
        Whether the image repeats.

    Returns
    -------
    The size, and the next larger diameter that was found not to reach all (infinite, if the size is
    that of the largest ball). An absent phase has no thin part: its size is the longest edge.
    """
    if not inside.any():
        return float(max(inside.shape)), float("inf")
    sizes = np.unique(2 * depth[inside])
    low, high = 0, len(sizes)  # the smallest reaches all: it is everywhere
    while high - low > 1 and not _alike(sizes, low, high):
        middle = (low + high) // 2
        if out_of_reach(inside, depth, sizes[middle], periodic=periodic).any():
            high = middle
        else:
            low = middle
    return float(sizes[low]), float(sizes[high]) if high < len(sizes) else float("inf")


def _alike(sizes: np.ndarray, low: int, high: int) -> bool:
    """Whether it does not matter which of the sizes from low to high it is."""
    return high < len(sizes) and bool(sizes[high] - sizes[low] < PRECISION)


def out_of_reach(
    inside: Bool[np.ndarray, "*space"],
    depth: Float64[np.ndarray, "*space"],
    size: float,
    *,
    periodic: bool,
) -> Bool[np.ndarray, "*space"]:
    """Voxels of the phase that no ball of diameter `size` reaches."""
    # Rounding must not decide whether a ball fits that fits exactly.
    fits = inside & (depth >= size / 2 - 1e-9)
    dim = max(sum(n > 1 for n in inside.shape), 1)  # one voxel thick: a section
    return inside & ~_dilated(fits, np.sqrt(dim) * (size + 1) / 2 + 1e-9, periodic)


def _dilated(mask: np.ndarray, radius: float, periodic: bool) -> np.ndarray:
    """The voxels within `radius` of the mask; a convolution, cheaper than a distance transform."""
    if not mask.any():
        return mask
    if periodic:
        shape = mask.shape
    else:
        widest = [min(int(radius), n - 1) for n in mask.shape]
        shape = tuple(
            fft.next_fast_len(n + w, real=True) for n, w in zip(mask.shape, widest, strict=True)
        )
    squares = [np.minimum(np.arange(n), n - np.arange(n)) ** 2.0 for n in shape]
    ball = sum(np.ix_(*squares)) <= radius**2
    counts = fft.irfftn(
        fft.rfftn(mask.astype(np.float32), shape) * fft.rfftn(ball.astype(np.float32)), shape
    )
    return counts[tuple(slice(n) for n in mask.shape)] > 0.5
