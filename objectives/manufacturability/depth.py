"""How deep voxels lie inside a phase: the Euclidean distance transform, finer than the grid."""

from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy import ndimage

# Copies of the faces put around a periodic image first; widened where phases are thicker.
MARGIN = 10


Depth = Float64[np.ndarray, "*space"]


def depth_inside(share: Float[np.ndarray, "*space"], *, periodic: bool) -> tuple[Depth, Depth]:
    """Distance in voxels from each voxel of a phase to the phase's surface; 0 outside.

    The surface lies between voxels, and its place follows the share of the phase in the voxels next
    to it: moving an edge by a tenth of a voxel moves the depth by as much.

    Parameters
    ----------
    share
        Share of the phase in every voxel; above one half the voxel is of the phase.
    periodic
        Whether the image repeats. If not, nothing is known beyond its faces, and they are no
        surface of the phase.

    Returns
    -------
    The depth of the voxels' centres, and the same raised to that of the points half-way to
    neighbours: ``w/2`` in the middle of a stripe of ``w`` voxels, for odd and for even ``w``. Half
    the longest edge in an image without surface, and never more.
    """
    inside = share > 0.5
    most = max(share.shape) / 2
    if inside.all():
        return np.full(share.shape, most), np.full(share.shape, most)
    if not inside.any():
        return np.zeros(share.shape), np.zeros(share.shape)
    offsets = _to_nearest_outside(inside, periodic)
    surface = _surface_position(share, periodic)
    if ((share > 0) & (share < 1)).any():
        _turn_to_nearer_surface(offsets, surface, periodic)
    depth = np.where(inside, _length(offsets, surface, periodic), 0.0).clip(0, most)
    raised = _raised_between_voxels(depth, inside, offsets, surface, periodic)
    return depth, raised.clip(0, most)


def _to_nearest_outside(inside: Bool[np.ndarray, "*space"], periodic: bool) -> np.ndarray:
    """Vector from each voxel to the nearest one outside the phase, shape ``(dim, *space)``."""
    pads = [(0, 0)] * inside.ndim
    margin = MARGIN
    while True:
        if periodic:  # the nearest is never further than half a period along any axis
            pads = [(min(margin, -(-n // 2)),) * 2 for n in inside.shape]
        padded = np.pad(inside, pads, mode="wrap") if periodic else inside
        nearest = ndimage.distance_transform_edt(
            padded, return_distances=False, return_indices=True
        )
        middle = tuple(slice(p, p + n) for (p, _), n in zip(pads, inside.shape, strict=True))
        offsets = nearest[(slice(None), *middle)].astype(np.int32)
        for axis, (pad, _) in enumerate(pads):
            offsets[axis] -= _along(np.arange(pad, pad + inside.shape[axis]), axis, inside.ndim)
        enough = np.einsum("a...,a...->...", offsets, offsets).max() <= margin**2
        if not periodic or enough or 2 * margin >= max(inside.shape):
            return offsets
        margin = -(-max(inside.shape) // 2)


def _along(values: np.ndarray, axis: int, dim: int) -> np.ndarray:
    return values.reshape([-1 if a == axis else 1 for a in range(dim)])


def _surface_position(share: np.ndarray, periodic: bool) -> Float64[np.ndarray, "*space"]:
    """Where the surface is, counted from the centre of the first voxel outside; -1/2 if sharp.

    Exact for a flat face along the grid: its two voxels hold ``share`` and `most` of the phase.
    """
    cross = ndimage.generate_binary_structure(share.ndim, 1)
    mode = "wrap" if periodic else "nearest"
    most = ndimage.maximum_filter(share, footprint=cross, mode=mode)
    return np.clip(share.astype(np.float64) + most - 1.5, -1.0, 0.0)


def _length(offsets: np.ndarray, surface: np.ndarray, periodic: bool) -> np.ndarray:
    """Length of each vector from its voxel to the surface at its end."""
    here = np.indices(surface.shape, sparse=True)
    ends = [o + i for o, i in zip(offsets, here, strict=True)]
    return np.sqrt(np.einsum("a...,a...->...", offsets, offsets)) + _at(surface, ends, periodic)


def _turn_to_nearer_surface(offsets: np.ndarray, surface: np.ndarray, periodic: bool) -> None:
    """Where the surface that is nearest to a neighbour is nearer than one's own, take that.

    The distance transform knows centres of voxels only; with partly filled voxels the surface
    behind the nearest centre need not be the nearest surface.
    """
    length, found = _length(offsets, surface, periodic), offsets.copy()
    for axis in range(surface.ndim):
        for step in (-1, 1):
            theirs = np.roll(found, -step, axis + 1)
            theirs[axis] += step
            their_length = _length(theirs, surface, periodic)
            nearer = their_length < length
            if not periodic:
                np.moveaxis(nearer, axis, 0)[-1 if step == 1 else 0] = False
            offsets[:, nearer], length[nearer] = theirs[:, nearer], their_length[nearer]


def _at(values: np.ndarray, index: list[np.ndarray], periodic: bool) -> np.ndarray:
    sizes = zip(index, values.shape, strict=True)
    return values[tuple(i % n if periodic else i.clip(0, n - 1) for i, n in sizes)]


def _raised_between_voxels(
    depth: np.ndarray,
    inside: np.ndarray,
    offsets: np.ndarray,
    surface: np.ndarray,
    periodic: bool,
) -> np.ndarray:
    """Depth of the points half-way to their neighbours, for voxels where that is larger.

    Such a point's nearest voxel outside is that of one of the voxels around it.
    """
    ridges = [_is_ridge(inside, offsets[axis], axis, periodic) for axis in range(depth.ndim)]
    raised = depth.copy()
    for step in product((0, 1), repeat=depth.ndim):
        axes = [axis for axis, s in enumerate(step) if s]
        if not axes:
            continue
        where = np.argwhere(np.logical_and.reduce([ridges[axis] for axis in axes])).T
        corners = [
            np.array(corner)[:, None] for corner in product(*[(0, 1) if s else (0,) for s in step])
        ]
        around = [where + corner for corner in corners]
        if periodic:
            around = [a % np.array(depth.shape)[:, None] for a in around]
        reach = np.full(where.shape[1], np.inf)
        for corner, a in zip(corners, around, strict=True):
            to_nearest = offsets[(slice(None), *a)]
            end = _at(surface, list(to_nearest + a), periodic)
            to_nearest = to_nearest + corner - np.array(step)[:, None] / 2
            # Half a voxel beside the nearest one outside, a flat surface is no further.
            to_nearest[np.abs(to_nearest) == 0.5] = 0.0
            length = np.sqrt((to_nearest**2).sum(0)) + end
            reach = np.minimum(reach, np.where(inside[tuple(a)], length, 0.0))
        for a in around:
            np.maximum.at(raised, tuple(a), np.where(inside[tuple(a)], reach, 0.0))
    return raised


def _is_ridge(inside: np.ndarray, offset: np.ndarray, axis: int, periodic: bool) -> np.ndarray:
    """Whether the surfaces nearest to a voxel and to the next along `axis` are on either side."""
    next_inside, next_offset = np.roll(inside, -1, axis), np.roll(offset, -1, axis)
    ridge = inside & next_inside & (offset <= 0) & (next_offset >= 0) & (next_offset > offset)
    if not periodic:
        np.moveaxis(ridge, axis, 0)[-1] = False
    return ridge
