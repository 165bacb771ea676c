"""Which voxel centres lie inside a closed surface, by counting crossings along z."""

import numpy as np
from jaxtyping import Bool, Float

# In voxels, away from the centres, so that no line runs through an edge of symmetric triangles.
# Smaller than the least distance that `surface_net` keeps from the lines between centres.
_ASIDE = np.array([0.0123, 0.0271])


def solid_voxels(
    corners: Float[np.ndarray, "t 3 3"], shape: tuple[int, int, int]
) -> Bool[np.ndarray, "d h w"]:
    """Whether each voxel is inside.

    Parameters
    ----------
    corners
        Corners x, y, z of triangles in voxels, counter-clockwise seen from outside; voxel
        (z, y, x) has its centre at (x + 1/2, y + 1/2, z + 1/2).
    shape
        Voxels along z, y, x.

    Raises
    ------
    ValueError
        If the surface does not wind around voxels once or not at all.
    """
    corners = corners.astype(np.float64) - 0.5
    flat = corners[..., :2] - _ASIDE
    sides = np.array(shape[::-1])
    if not (np.abs(corners) <= sides + 1).all():  # nor are they NaN
        raise ValueError("the surface leaves the box of the voxels")
    low, high = np.ceil(flat.min(axis=1)).astype(int), np.floor(flat.max(axis=1)).astype(int)
    lines = (high - low + 1).clip(min=0)  # of centres, along x and y, that may meet a triangle
    # Up to z, each crossing counts: 1 into the solid, -1 out of it.
    change = np.zeros((shape[0] + 1, *shape[1:]), dtype=np.int64)
    for x, y in np.ndindex(*lines.max(axis=0, initial=0)):
        some = np.flatnonzero((lines > (x, y)).all(axis=1))
        line = low[some] + (x, y)
        weights, winding = _crossing(flat[some] - line[:, None])
        met = winding != 0
        z = np.ceil((weights[met] * corners[some[met], :, 2]).sum(axis=1)).astype(int)
        place = (z, line[met, 1], line[met, 0])
        if any((p < 0).any() or (p >= n).any() for p, n in zip(place, change.shape, strict=True)):
            raise ValueError("the surface leaves the box of the voxels")
        np.add.at(change, place, -winding[met])
    inside = change.cumsum(axis=0)[:-1]
    if not np.isin(inside, (0, 1)).all() or change.sum(axis=0).any():
        raise ValueError("the surface is not closed around voxels")
    return inside == 1


def _crossing(
    flat: Float[np.ndarray, "t 3 2"],
) -> tuple[Float[np.ndarray, "t 3"], np.ndarray]:
    """Barycentric weights of the origin, and 1, 0, -1: met counter-clockwise, missed, met."""
    a, b = np.roll(flat, -1, axis=1), np.roll(flat, -2, axis=1)
    areas = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    total = areas.sum(axis=1)
    winding = np.where((areas > 0).all(axis=1), 1, np.where((areas < 0).all(axis=1), -1, 0))
    return areas / np.where(winding == 0, 1, total)[:, None], winding
