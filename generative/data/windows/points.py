"""Points of a frame that windows are cut around: peaks, particles, walls, a grid.

One code path for frames (h, w) and volumes (d, h, w). Points are (n, d) along (z,) y, x in voxels,
0 at the centre of the first voxel.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Real
from scipy import ndimage
from scipy.spatial import KDTree

from generative.data.grey.segment import otsu_threshold
from generative.data.grey.segmentation import Segmentation, segment
from generative.errors import DataError

PARTICLE_DIAMETER = 3.0  # voxels, unless said otherwise

_LEAST_HEIGHT = 0.05  # of a peak, of the range of the frame
_SIGNIFICANT = 5.0  # standard deviations of the noise; 4.5 are passed once in a million
_STEPS = 4  # of Newton's method
_STENCIL = 0.5  # voxels


def find_peaks(
    frame: Float[np.ndarray, "*space"],
    spacing: float | int,
    *,
    dark: bool = False,
    name: str = "frame",
) -> Float[np.ndarray, "n d"]:
    r"""Centres of bright spots, such as atoms, to a few hundredths of a voxel.

    The frame is smoothed by a Gaussian of a quarter of ``spacing`` (at least .75 voxels) less one
    of twice ``spacing``, the local background. A peak is a local maximum that has no higher one
    within ``spacing``, and rises above the background by 5 standard deviations of the smoothed
    noise and 5 % of the range of the frame. Newton's method on cubic splines finds the place of the
    maximum, which is exact for a spot that is symmetric about its centre.

    Parameters
    ----------
    frame
        Grey levels of any scale.
    spacing
        Least distance between two peaks, in voxels.
    dark
        Seek dark spots.
    name
        What to call the frame in an error.

    Returns
    -------
    The highest first.

    Raises
    ------
    DataError
        If the frame has one value.
    ValueError
        If ``spacing`` is not above 0.
    """
    frame = _varied(frame, spacing, name) * (-1 if dark else 1)
    narrow, wide = max(spacing / 4, 0.75), 2 * max(spacing, 1.0)
    response = ndimage.gaussian_filter(frame, narrow) - ndimage.gaussian_filter(frame, wide)
    # Standard deviation of white noise in a difference of Gaussians: the norm of its kernel.
    # Two Gaussians s and t have the scalar product (2 pi (s^2 + t^2))^(-d/2).
    product = [(2 * np.pi * s) ** (-frame.ndim / 2) for s in (2 * narrow**2, 2 * wide**2)]
    cross = (2 * np.pi * (narrow**2 + wide**2)) ** (-frame.ndim / 2)
    noise = _noise(frame) * np.sqrt(sum(product) - 2 * cross)
    least = max(_SIGNIFICANT * noise, _LEAST_HEIGHT * float(np.ptp(frame)))
    highest = ndimage.maximum_filter(response, size=3)
    found = np.argwhere((response >= highest) & (response > least))
    order = np.argsort(-response[tuple(found.T)], kind="stable")
    # A maximum at the edge may go on outside of the frame.
    found = found[order]
    whole = np.all((found > 0) & (found < np.array(frame.shape) - 1), axis=1)
    return _apart(_refined(response, found[whole]), spacing)


def find_particles(
    frame: Real[np.ndarray, "*space"],
    how: Segmentation | None = None,
    *,
    least_diameter: float | int = PARTICLE_DIAMETER,
    dark: bool = False,
    name: str = "frame",
) -> Float[np.ndarray, "n d"]:
    """Centroids of the connected parts of the last phase of a frame, the first if ``dark``.

    Parameters
    ----------
    frame
        Grey levels on the scale of the file.
    how
        How phases are told; Otsu's threshold by default.
    least_diameter
        Parts of less area (volume) than the disc (ball) of this diameter are left out.
    dark
        Particles are darker than the rest.
    name
        What to call the frame in an error.

    Raises
    ------
    DataError
        If the frame cannot be segmented, for it has one value.
    ValueError
        If ``least_diameter`` is not above 0.
    """
    _check_spacing(least_diameter)
    how = how or Segmentation()
    phases, _ = segment(frame[None], how, name=name)
    parts, count = ndimage.label(phases == (0 if dark else how.phases - 1))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    least = {2: np.pi / 4, 3: np.pi / 6}[frame.ndim] * least_diameter**frame.ndim
    large = 1 + np.flatnonzero(sizes >= least)
    centres = ndimage.center_of_mass(np.ones(parts.shape), parts, large)
    return np.array(centres, np.float64).reshape(-1, frame.ndim)


def find_walls(
    frame: Float[np.ndarray, "*space"], spacing: float | int, *, name: str = "frame"
) -> Float[np.ndarray, "n d"]:
    """Points on the walls between bright and dark domains, at least ``spacing`` voxels apart.

    They lie where the frame, smoothed by a Gaussian of an eighth of ``spacing``, passes Otsu's
    threshold: between two voxels by linear interpolation.

    Parameters
    ----------
    frame
        Grey levels of any scale.
    spacing
        Least distance between two points, in voxels.
    name
        What to call the frame in an error.

    Raises
    ------
    DataError
        If the frame has one value, and so no walls.
    ValueError
        If ``spacing`` is not above 0.
    """
    frame = _varied(frame, spacing, name)
    smooth = ndimage.gaussian_filter(frame, spacing / 8)
    level = otsu_threshold(smooth, name)
    return _apart(np.concatenate(list(_crossings(smooth - level))), spacing)


def grid_points(
    space: tuple[int, ...], reach: float | int, spacing: float | int
) -> Float[np.ndarray, "n d"]:
    """Points of a regular grid from the first corner on, whose windows lie inside of the frame.

    Parameters
    ----------
    space
        Voxels of the frame.
    reach
        Voxels that a window covers along an axis: its side times its scale.
    spacing
        Voxels from a point to the next along an axis.

    Raises
    ------
    ValueError
        If ``spacing`` is not above 0.

    Examples
    --------
    >>> grid_points((8, 12), 4, 4).tolist()[:4]
    [[1.5, 1.5], [1.5, 5.5], [1.5, 9.5], [5.5, 1.5]]
    """
    _check_spacing(spacing)
    counts = [int(np.floor((length - reach) / spacing + 1e-9)) + 1 for length in space]
    axes = [(reach - 1) / 2 + spacing * np.arange(max(count, 0)) for count in counts]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(space))


def _check_spacing(spacing: float | int) -> None:
    if not (np.isfinite(spacing) and spacing > 0):
        raise ValueError(f"spacing should be a number of voxels above 0, got {spacing}.")


def _varied(frame: np.ndarray, spacing: float | int, name: str) -> np.ndarray:
    """The frame as float64, which has more than one value."""
    _check_spacing(spacing)
    if frame.min() == frame.max():
        raise DataError(
            f"{name}: has one value throughout ({frame.min():g}), so there is nothing to find; "
            "leave the frame out."
        )
    return frame.astype(np.float64)


def _noise(frame: np.ndarray) -> float:
    """Standard deviation of white noise, from second differences along every axis.

    First differences, as of `noise_level`, see the slopes of a lattice of spots everywhere.
    """
    detail = frame
    for axis in range(frame.ndim):
        if detail.shape[axis] > 2:
            detail = np.diff(detail, 2, axis=axis) / np.sqrt(6)
    return float(np.median(np.abs(detail)) / 0.6745)


def _refined(response: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Maxima near voxels (n, d) by Newton's method, at most one voxel away along an axis."""
    if not len(voxels):
        return voxels.astype(np.float64)
    spline = ndimage.spline_filter(response, order=3, mode="mirror")
    places = voxels.astype(np.float64)
    dims = places.shape[1]
    around = np.array(list(itertools.product((-1, 0, 1), repeat=dims)))  # (3^d, d)
    # Least squares of 1, x, x_i x_j over the stencil gives gradient and Hessian.
    pairs = list(itertools.combinations_with_replacement(range(dims), 2))
    terms = [np.ones(len(around)), *around.T, *(around[:, i] * around[:, j] for i, j in pairs)]
    fit = np.linalg.pinv(np.stack(terms, 1))
    for _ in range(_STEPS):
        at = places[:, None] + _STENCIL * around
        values = ndimage.map_coordinates(
            spline, np.moveaxis(at, -1, 0), order=3, prefilter=False, mode="mirror"
        )
        fitted = values @ fit.T
        gradient, hessian = fitted[:, 1 : 1 + dims], np.zeros((len(places), dims, dims))
        for (i, j), curved in zip(pairs, fitted[:, 1 + dims :].T, strict=True):
            hessian[:, i, j] = hessian[:, j, i] = curved * (2 if i == j else 1)
        downward = np.linalg.eigvalsh(hessian)[:, -1] < 0
        step = np.zeros_like(places)
        step[downward] = -np.linalg.solve(hessian[downward], gradient[downward][..., None])[..., 0]
        places = np.clip(places + _STENCIL * np.clip(step, -1, 1), voxels - 1, voxels + 1)
    return places


def _crossings(heights: np.ndarray) -> Iterator[np.ndarray]:
    """Points (n, d) between neighbours along each axis where the sign changes."""
    for axis in range(heights.ndim):
        ahead = np.moveaxis(heights, axis, 0)
        here, there = ahead[:-1], ahead[1:]
        changed = np.argwhere((here < 0) != (there < 0))
        low, high = here[tuple(changed.T)], there[tuple(changed.T)]
        points = changed.astype(np.float64)
        points[:, 0] += low / (low - high)
        yield np.insert(points[:, 1:], axis, points[:, 0], axis=1)


def _apart(points: np.ndarray, spacing: float | int) -> np.ndarray:
    """The points, one after the other, that have none of those kept before within ``spacing``."""
    if not len(points):
        return points
    tree = KDTree(points)
    kept = np.ones(len(points), bool)
    for row, point in enumerate(points):
        if kept[row]:  # asked for one by one: all neighbours of all points may not fit in memory
            near = np.array(tree.query_ball_point(point, spacing * (1 - 1e-9)))
            kept[near[near > row]] = False
    return points[kept]
