"""How deep voxels lie inside a phase: the distance to its surface, finer than the grid."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Float64

from objectives.manufacturability.distance import Lattice, distances_outside, spread

Depth = Float64[np.ndarray, "*space"]
# From so much of a voxel on that is partly filled, its neighbours tell the slope of the surface.
TELLING = 0.5
ROUNDING = 1e-9
# Largest t of the parabolas that stand for the distance: deeper, the nearest voxel decides alone.
FLATTEST = 8.0


def depth_inside(
    share: Float[np.ndarray, "*space"],
    *,
    periodic: bool,
    edges: Sequence[float | int] | None = None,
) -> tuple[Depth, Depth]:
    """Distance from each voxel of a phase to the phase's surface; 0 outside.

    The surface lies between voxels, and its place follows the share of the phase in the voxels next
    to it: moving an edge by a tenth of a voxel moves the depth by as much. Mirrored and turned
    images have mirrored and turned depths, and so have shifted ones that repeat.

    Parameters
    ----------
    share
        Share of the phase in every voxel; above one half the voxel is of the phase.
    periodic
        Whether the image repeats. If not, nothing is known beyond its faces, and they are no
        surface of the phase.
    edges
        Edge of a voxel along each axis, by default 1: the unit of the answer.

    Returns
    -------
    The depth of the voxels' centres, and the same raised to that of the points half-way to
    neighbours: ``w/2`` in the middle of a stripe of ``w`` voxels, for odd and for even ``w``. Half
    the longest edge in an image without surface, and never more.
    """
    share = np.asarray(share, np.float64)
    sides = np.ones(share.ndim) if edges is None else np.asarray(edges, np.float64)
    most = float((sides * share.shape).max()) / 2
    inside = share > 0.5
    if inside.all() or not inside.any():
        depth = np.where(inside, most, 0.0)
        return depth, depth.copy()
    # One voxel thick is a section: its thickness is no length of it.
    unit = float(sides[np.array(share.shape) > 1].min())
    lattice = Lattice(share.shape, tuple((sides / unit).tolist()), periodic)
    centres, raised = _in_units(share, inside, lattice)
    return (unit * centres).clip(0, most), (unit * raised).clip(0, most)


def _in_units(share: np.ndarray, inside: np.ndarray, lattice: Lattice) -> tuple[Depth, Depth]:
    """The two depths in units of the shortest edge."""
    points = distances_outside(inside, lattice)
    _, distance = next(points)
    grey = ((share > 0) & (share < 1)).any()
    moved = _moved_surface(share, inside, distance, lattice) if grey else None
    depth = np.where(inside, distance - 0.5, 0.0)
    depth += 0.0 if moved is None else moved
    raised, highest = depth.copy(), np.where(inside, depth, np.inf)
    for axes, distance in points:
        between = distance - 0.5
        if moved is not None:
            # Of two surfaces on either side of a ridge, it gains half the way of both.
            between += _over_corners(moved, axes, lambda a, b: (a + b) / 2)
        ridge = between > _over_corners(highest, axes, np.maximum) + ROUNDING
        if not lattice.periodic:
            for axis in axes:
                np.moveaxis(ridge, axis, 0)[-1] = False
        between = np.where(ridge, between, 0.0)
        np.maximum(raised, _over_corners(between, axes, np.maximum, back=True), out=raised)
    return depth, np.where(inside, raised, 0.0)


def _over_corners(
    values: np.ndarray, axes: Sequence[int], combine: Callable, *, back: bool = False
) -> np.ndarray:
    """The values of the voxels around the point half a step ahead (or behind), combined."""
    for axis in axes:
        values = combine(values, np.roll(values, 1 if back else -1, axis))
    return values


def _moved_surface(
    share: np.ndarray, inside: np.ndarray, distance: np.ndarray, lattice: Lattice
) -> Float64[np.ndarray, "*space"]:
    r"""How much deeper voxels are by the filling of the partly filled ones next to the surface.

    .. math:: \min_q\, [\psi(d(p, q)) + m(q)] - \psi(\min_q d(p, q)), \qquad
              \psi(d) = \min_{t = 1, 2, 4, 8} \frac{1}{2} \Big( \frac{d^2}{t} + t \Big)

    over the voxels q outside, m being `_moved_outward`. It is m itself before a flat face along
    the grid. The rising :math:`\psi` stands for the distance, with which this would be the least
    distance to a surface: made of parabolas, it is found axis by axis.
    """
    beside = _moved_outward(share, inside, lattice)
    furthest = float(distance.max())
    beyond = furthest + 2 * max(lattice.edges)  # what is further moved too little to be least
    nearest, plain, t = np.full_like(share, np.inf), np.full_like(share, np.inf), 1.0
    while True:
        reach = np.sqrt(2) * t if t < FLATTEST else np.inf  # further away the next t is less
        least = beside
        for axis in lattice.axes:
            terms = lattice.terms(axis, half=False) / (2 * t)
            most = min(reach, beyond) ** 2 / (2 * t)
            least = spread(least, axis, terms, lattice.periodic, most=most)
        np.minimum(nearest, least + t / 2, out=nearest)
        np.minimum(plain, distance**2 / (2 * t) + t / 2, out=plain)
        if reach >= furthest:
            return np.where(inside, nearest - plain, 0.0)
        t *= 2


def _moved_outward(
    share: np.ndarray, inside: np.ndarray, lattice: Lattice
) -> Float64[np.ndarray, "*space"]:
    """How far the surface is moved from the face of a voxel outside into it; infinite elsewhere.

    Along an axis it lies as far from the voxel inside as the shares of the two voxels add to. Where
    they are partly filled, the surface is a plane that leans as the shares of their neighbours say;
    else it is a face.
    """
    slopes = {axis: _steepest(share, axis, lattice) for axis in lattice.axes}
    where = np.nonzero(~inside & _next_to(inside, lattice))
    here = share[where]
    moved, face, plane, clear = (np.full_like(here, np.inf) for _ in range(4))
    for axis, step in product(lattice.axes, (-1, 1)):
        there, exists = _neighbours(where, axis, step, lattice)
        exists &= inside[there]
        other, edge = np.where(exists, share[there], 1.0), lattice.edges[axis]
        away = (1.5 - here - other) * edge  # from the centre outside to the surface
        rise = ((other - here) / edge) ** 2
        across = sum(
            np.maximum(slope[where], slope[there]) ** 2
            for beside, slope in slopes.items()
            if beside != axis
        )
        leaning = away * np.sqrt(rise / (rise + across))
        values = (edge / 2, away, leaning, 1 - other)
        for least, value in zip((moved, face, plane, clear), values, strict=True):
            np.minimum(least, value, out=least, where=exists)
    told = np.minimum((here + clear) / TELLING, 1.0)
    outward = np.full_like(share, np.inf)
    outward[where] = moved - (1 - told) * face - told * plane
    return outward


def _next_to(inside: np.ndarray, lattice: Lattice) -> Bool[np.ndarray, "*space"]:
    """Voxels with a neighbour inside, over a face."""
    found = np.zeros_like(inside)
    for axis, step in product(lattice.axes, (-1, 1)):
        beside = np.roll(inside, step, axis)
        if not lattice.periodic:
            np.moveaxis(beside, axis, 0)[0 if step == 1 else -1] = False
        found |= beside
    return found


def _neighbours(
    where: tuple[np.ndarray, ...], axis: int, step: int, lattice: Lattice
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Places one step along an axis, and whether they are in the image; if not, the last there."""
    n, along = lattice.shape[axis], where[axis] + step
    exists = np.full(along.shape, True) if lattice.periodic else (along >= 0) & (along < n)
    along = along % n if lattice.periodic else along.clip(0, n - 1)
    return (*where[:axis], along, *where[axis + 1 :]), exists


def _steepest(share: np.ndarray, axis: int, lattice: Lattice) -> Float64[np.ndarray, "*space"]:
    """Larger of the two changes to the neighbours along an axis, for a length of one unit."""
    change = np.abs(np.roll(share, -1, axis) - share)
    if not lattice.periodic:
        np.moveaxis(change, axis, 0)[-1] = 0.0
    return np.maximum(change, np.roll(change, 1, axis)) / lattice.edges[axis]
