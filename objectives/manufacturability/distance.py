"""Distance to the nearest voxels outside a phase, exact and axis by axis.

A least sum over voxels of one term an axis is found along one axis after the other [1]_. No voxel
is ever chosen among several that are equally near, so mirrored, turned and shifted images have
mirrored, turned and shifted distances.

References
----------
.. [1] Felzenszwalb, Huttenlocher (2012), Distance Transforms of Sampled Functions, Theory of
   Computing 8, 415.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

Squares = Float[np.ndarray, "*space"]
# Sums of squares that single precision holds exactly, quarters included.
MOST_EXACT = 2**22
LOOK = 4  # steps between two looks at whether further ones can still be nearer


@dataclass(frozen=True)
class Lattice:
    """Voxels of an image, their edges in units of the shortest, and whether the image repeats.

    The distance from a point to a voxel outside is that to the voxel less its outermost half unit:
    of a cube its centre is left, of a longer voxel a line or a plate, as of the cubes it could be
    cut into. Half a unit less, it is the distance to the surface.
    """

    shape: tuple[int, ...]
    edges: tuple[float, ...]
    periodic: bool

    @property
    def axes(self) -> list[int]:
        """Axes of more than one voxel; the others are no direction of a section."""
        return [axis for axis, n in enumerate(self.shape) if n > 1]

    @property
    def dtype(self) -> type:
        """Single precision where it is exact."""
        terms = [n * edge for n, edge in zip(self.shape, self.edges, strict=True)]
        whole = all(edge == int(edge) for edge in self.edges)
        return np.float32 if whole and sum(t * t for t in terms) < MOST_EXACT else np.float64

    def terms(self, axis: int, *, half: bool) -> Float[np.ndarray, "k"]:
        """Squares that one axis adds for a voxel 0, 1, 2 ... further: the image's or a copy's.

        From `half` way between two voxels both are the next. They add nothing: beside the edge
        between two voxels a flat surface is no further than beside their centres.
        """
        n, edge = self.shape[axis], self.edges[axis]
        steps = np.arange((n - 1 if half else n) // 2 + 1 if self.periodic else n)
        away = steps * edge + (0.5 if half else (1 - edge) / 2)
        away[0] = 0.0
        return np.square(away)


def distances_outside(
    inside: Bool[np.ndarray, "*space"], lattice: Lattice
) -> Iterator[tuple[tuple[int, ...], Float[np.ndarray, "*space"]]]:
    """Distance to the nearest voxel outside, of each voxel's centre and of points between voxels.

    Yields
    ------
    The axes along which the points are half a step ahead of the centres, none for the centres
    themselves (they come first), and the distances in units of the shortest edge.
    """
    *others, last = lattice.axes
    most = None
    for half, start in enumerate(_along(inside, last, lattice)):
        for axes, squares in _through(start, others, lattice, most, (last,) * half):
            if most is None:  # points between are no further than half a step more
                most = (np.sqrt(float(squares.max())) + max(lattice.edges)) ** 2
            yield axes, np.sqrt(squares, dtype=np.float64)


def _through(
    squares: Squares, axes: Sequence[int], lattice: Lattice, most: float | None, done: tuple
) -> Iterator[tuple[tuple[int, ...], Squares]]:
    if not axes:
        yield done, squares
        return
    axis, *others = axes
    for half in (0, 1):
        terms = lattice.terms(axis, half=bool(half)).astype(squares.dtype)
        lower = spread(squares, axis, terms, lattice.periodic, half=half, most=most)
        yield from _through(lower, others, lattice, most, done + (axis,) * half)


def spread(
    values: Squares,
    axis: int,
    terms: Float[np.ndarray, "k"],
    periodic: bool,
    *,
    half: int = 0,
    most: float | None = None,
) -> Squares:
    """Least sum of a value and its term along an axis, for every voxel or the point behind it.

    Parameters
    ----------
    values
        One a voxel, infinite where there is none.
    terms
        Not falling: added by how many steps the value is away.
    half
        1 for points half-way to the next voxel: steps then count from the two beside it.
    most
        Terms above it are not looked at. By default as far as they can matter.
    """
    if most is not None:
        terms = terms[: max(1, np.searchsorted(terms, most, "right"))]
    n, reach = values.shape[axis], len(terms) - 1

    def at(whole: np.ndarray, start: int, stop: int) -> np.ndarray:
        return whole[(slice(None),) * axis + (slice(start, stop),)]

    shape = list(values.shape)
    shape[axis] = n + 2 * reach + 1
    wide = np.full(shape, np.inf, values.dtype)
    at(wide, reach, reach + n)[...] = values
    if periodic:
        at(wide, 0, reach)[...] = at(values, n - reach, n)
        at(wide, reach + n, shape[axis])[...] = at(values, 0, reach + 1)

    def part(start: int) -> np.ndarray:
        return at(wide, start, start + n)

    least = np.minimum(part(reach), part(reach + half))
    least += terms[0]
    further = np.empty_like(least)
    for k in range(1, reach + 1):
        if most is None and k % LOOK == 1 and terms[k] >= least.max():
            break
        np.minimum(part(reach - k), part(reach + k + half), out=further)
        further += terms[k]
        np.minimum(least, further, out=least)
    return least


def _along(
    inside: Bool[np.ndarray, "*space"], axis: int, lattice: Lattice
) -> tuple[Squares, Squares]:
    """`spread` of 0 in the voxels outside, for centres and for points between, in one look."""
    n, edge = inside.shape[axis], lattice.edges[axis]
    here = np.arange(n, dtype=lattice.dtype)
    here = here.reshape([-1 if a == axis else 1 for a in range(inside.ndim)])
    last = np.maximum.accumulate(np.where(inside, -np.inf, here), axis)
    ahead = np.flip(np.where(inside, np.inf, here), axis)
    ahead = np.flip(np.minimum.accumulate(ahead, axis), axis)
    if lattice.periodic:
        last = np.maximum(last, np.take(last, [-1], axis) - n)
        ahead = np.minimum(ahead, np.take(ahead, [0], axis) + n)
    behind = here - last
    away = np.minimum(behind, ahead - here)
    away = np.where(away > 0, away * edge + (1 - edge) / 2, 0)
    ahead = np.roll(ahead, -1, axis) - 1
    np.moveaxis(ahead, axis, 0)[-1] += n if lattice.periodic else np.inf
    between = np.minimum(behind, ahead - here)
    between = np.where(between > 0, between * edge + 0.5, 0)
    return np.square(away, dtype=lattice.dtype), np.square(between, dtype=lattice.dtype)
