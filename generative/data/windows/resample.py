"""Windows cut at points between the voxels, by separable resampling in 2-D and 3-D."""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int64

from generative.errors import DataError

Kernel = Literal["linear", "cubic"]

_CHUNK = 2**21  # numbers gathered at once
_CLOSE = 1e-6  # of a voxel: rounding of the coordinates


def cut_windows(
    frame: Float[np.ndarray, "c *space"],
    points: Float[np.ndarray, "n d"],
    side: int,
    *,
    scale: float | int = 1.0,
    kernel: str = "cubic",
) -> Float[np.ndarray, "n c *window"]:
    r"""Windows whose centres are the points, resampled from the frame.

    Along each axis, pixel i of a window shows the frame at :math:`p + (i - (s - 1) / 2) m`, for the
    point p, the side s and the scale m. The centre of an even window lies between two of its
    pixels. With a scale above 1 a pixel is the mean of as many samples along each axis as it covers
    voxels, rounded up, so that nothing finer than a pixel is aliased. Where all samples are voxels
    the window equals the voxels.

    Parameters
    ----------
    frame
        Values of any scale.
    points
        Along (z,) y, x in voxels, 0 at the centre of the first voxel; windows around them lie
        `inside` the frame.
    side
        Pixels of a window along each axis.
    scale
        Voxels of the frame that a pixel covers along each axis.
    kernel
        ``"linear"``: (bi-, tri-)linear interpolation. ``"cubic"``: cubic convolution with
        :math:`a = -1/2`, exact for parabolas; it blurs less between voxels, and overshoots at steps
        by up to 7 % of the step along an axis.

    Raises
    ------
    DataError
        If a window leaves the frame.
    ValueError
        For another kernel.

    References
    ----------
    .. [1] Keys (1981), IEEE Trans. Acoustics, Speech, and Signal Processing 29, 1153-1160, eq. 15.

    Examples
    --------
    >>> ramp = np.arange(8.0)[None, None].repeat(8, axis=1)
    >>> cut_windows(ramp, np.array([[3.5, 2.75]]), 4)[0, 0, 0].tolist()
    [1.25, 2.25, 3.25, 4.25]
    """
    if kernel not in get_args(Kernel):
        raise ValueError(f"kernel should be one of {', '.join(get_args(Kernel))}, got {kernel!r}.")
    space = frame.shape[1:]
    if not inside(points, space, side, scale).all():
        raise DataError("a window leaves the frame; leave out its point (`inside`).")
    windows = np.empty((len(points), len(frame), *(side for _ in space)), np.float32)
    length = read_length(side, scale, kernel)
    step = max(1, _CHUNK // (len(frame) * length ** len(space)))
    for first in range(0, len(points), step):
        rows = slice(first, first + step)
        windows[rows] = _cut(frame, points[rows], side, scale, kernel)
    return windows


def inside(
    points: Float[np.ndarray, "n d"], space: tuple[int, ...], side: int, scale: float | int = 1.0
) -> Bool[np.ndarray, "n"]:
    """Whether the pixels of the window around each point cover nothing outside of the frame."""
    half = side * scale / 2
    low, high = -0.5 - _CLOSE, np.array(space) - 0.5 + _CLOSE
    return np.all((points - half >= low) & (points + half <= high), axis=1)


def read_length(side: int, scale: float | int, kernel: str) -> int:
    """Voxels along an axis that a window may depend on."""
    span = (side - 1 / _samples(scale)) * scale
    return int(np.ceil(span - _CLOSE)) + (2 if kernel == "linear" else 4)


def first_voxels(
    points: Float[np.ndarray, "n d"], side: int, scale: float | int, kernel: str
) -> Int64[np.ndarray, "n d"]:
    """First voxel along each axis that each window depends on; below 0 it is repeated."""
    start = np.floor(points - (side - 1 / _samples(scale)) * scale / 2).astype(np.int64)
    return start if kernel == "linear" else start - 1


def _samples(scale: float | int) -> int:
    """Samples of the frame along an axis whose mean is a pixel."""
    return int(np.ceil(scale - _CLOSE))


def _cut(
    frame: np.ndarray, points: np.ndarray, side: int, scale: float | int, kernel: str
) -> np.ndarray:
    """Windows (n, c, *window) of a few points."""
    dims = points.shape[1]
    voxels = first_voxels(points, side, scale, kernel)[..., None] + np.arange(
        read_length(side, scale, kernel)
    )  # (n, d, k)
    index: list = [slice(None)]
    for axis, length in enumerate(frame.shape[1:]):
        shape = [len(points), *(1 for _ in range(dims))]
        shape[1 + axis] = -1
        index.append(np.clip(voxels[:, axis], 0, length - 1).reshape(shape))
    blocks = np.moveaxis(frame[tuple(index)], 0, 1)  # (n, c, k, ...)
    weights = _weights(points, voxels, side, scale, kernel).astype(frame.dtype)
    for axis in range(dims):
        # The first axis of the voxels is summed over, and that of the window comes last.
        shares = weights[:, axis].swapaxes(1, 2)  # (n, k, side)
        shares = shares.reshape(len(points), *(1 for _ in range(dims - 1)), *shares.shape[1:])
        blocks = np.moveaxis(blocks, 2, -1) @ shares
    return blocks


def _weights(
    points: np.ndarray, voxels: np.ndarray, side: int, scale: float | int, kernel: str
) -> np.ndarray:
    """Share (n, d, side, k) of each voxel in each pixel along each axis."""
    samples = _samples(scale)
    within = (np.arange(samples) + 0.5) / samples - 0.5
    pixels = (np.arange(side)[:, None] - (side - 1) / 2 + within) * scale  # (side, samples)
    places = points[..., None, None] + pixels
    away = np.abs(places[..., None] - voxels[:, :, None, None, :])
    kept = _linear(away) if kernel == "linear" else _cubic(away)
    return kept.mean(axis=3)


def _linear(away: np.ndarray) -> np.ndarray:
    return np.clip(1 - away, 0, None)


def _cubic(away: np.ndarray) -> np.ndarray:
    near = (1.5 * away - 2.5) * away**2 + 1
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    return np.where(away < 1, near, np.where(away < 2, far, 0))
