"""How deep voxels lie inside a phase: the Euclidean distance transform, finer than the grid."""

from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy import ndimage

# Voxels of its copies put around a periodic image first, in 2-D and 3-D; widened where needed.
MARGIN = {2: 24, 3: 8}


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
    if surface.ndim:
        _turn_to_nearer_surface(offsets, inside, surface, periodic)
    depth = np.zeros(share.shape)
    depth[inside] = _lengths(offsets[:, inside], np.argwhere(inside).T, surface, periodic)
    depth = depth.clip(0, most)
    raised = _raised_between_voxels(depth, inside, offsets, surface, periodic)
    return depth, raised.clip(0, most)


def _to_nearest_outside(inside: Bool[np.ndarray, "*space"], periodic: bool) -> np.ndarray:
    """Vector from each voxel to the nearest one outside the phase, shape ``(dim, *space)``."""
    here = np.indices(inside.shape, dtype=np.int32, sparse=True)
    if not periodic:
        return _features(inside) - np.stack(np.broadcast_arrays(*here))
    margin = MARGIN[inside.ndim]
    while True:  # the nearest is never further than half a period along any axis
        pads = [min(margin, -(-n // 2)) for n in inside.shape]
        nearest = _features(np.pad(inside, [(p, p) for p in pads], mode="wrap"))
        middle = tuple(slice(p, p + n) for p, n in zip(pads, inside.shape, strict=True))
        offsets = nearest[(slice(None), *middle)].copy()
        for axis, (pad, index) in enumerate(zip(pads, here, strict=True)):
            offsets[axis] -= index + pad
        if 2 * margin >= max(inside.shape):
            return offsets
        # How much further the nearest is than the face: beyond the margin there may be a nearer.
        sizes = zip(here, inside.shape, strict=True)
        to_face = np.minimum.reduce(
            np.broadcast_arrays(*[np.minimum(i, n - 1 - i) for i, n in sizes])
        )
        needed = (np.sqrt(np.einsum("a...,a...->...", offsets, offsets)) - to_face).max()
        if needed <= margin + 1:
            return offsets
        margin = int(needed)


def _features(inside: Bool[np.ndarray, "*space"]) -> np.ndarray:
    return ndimage.distance_transform_edt(inside, return_distances=False, return_indices=True)


def _surface_position(share: np.ndarray, periodic: bool) -> np.ndarray:
    """Where the surface is, counted from the centre of the first voxel outside.

    -1/2 (one number) if no voxel is partly filled. Else for every voxel, exact for a flat face
    along the grid, whose two voxels hold ``share`` and `most` of the phase.
    """
    if ((share == 0) | (share == 1)).all():
        return np.array(-0.5)
    cross = ndimage.generate_binary_structure(share.ndim, 1)
    mode = "wrap" if periodic else "nearest"
    most = ndimage.maximum_filter(share, footprint=cross, mode=mode)
    return np.clip(share.astype(np.float64) + most - 1.5, -1.0, 0.0)


def _lengths(offsets: np.ndarray, where: np.ndarray, surface: np.ndarray, periodic: bool):
    """Length of vectors `offsets` (dim, k) from voxels `where` to the surface at their ends."""
    lengths = np.sqrt(np.einsum("ak,ak->k", offsets, offsets))
    return lengths + _at(surface, offsets + where, periodic)


def _at(surface: np.ndarray, index: np.ndarray, periodic: bool) -> np.ndarray:
    if surface.ndim == 0:
        return surface
    mode = "wrap" if periodic else "clip"
    return surface.ravel()[np.ravel_multi_index(tuple(index), surface.shape, mode=mode)]


def _turn_to_nearer_surface(
    offsets: np.ndarray, inside: np.ndarray, surface: np.ndarray, periodic: bool
) -> None:
    """Where the surface that is nearest to a neighbour is nearer than one's own, take that.

    The distance transform knows centres of voxels only; with partly filled voxels the surface
    behind the nearest centre need not be the nearest surface.
    """
    found = offsets.copy()
    where = np.argwhere(inside).T
    best, sizes = found[:, inside], np.array(inside.shape)[:, None]
    shortest = _lengths(best, where, surface, periodic)
    for axis, step in product(range(inside.ndim), (-1, 1)):
        there = where.copy()
        there[axis] += step
        there = there % sizes if periodic else there.clip(0, sizes - 1)
        theirs = found[(slice(None), *there)]
        theirs[axis] += step
        lengths = _lengths(theirs, where, surface, periodic)
        nearer = (lengths < shortest) & inside[tuple(there)]
        best[:, nearer], shortest[nearer] = theirs[:, nearer], lengths[nearer]
    offsets[:, inside] = best


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
            end = _at(surface, to_nearest + a, periodic)
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
